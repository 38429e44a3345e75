"""The made files that lie beside the checkout, one trait each, give what their README says."""

from pathlib import Path

import numpy as np
import pytest

from imaging.child import decode_here
from imaging.encode import to_unit
from imaging.errors import UnsupportedFormatError
from imaging.image import DecodedImage
from imaging.limits import Limits
from xai_core.model.card import read_card
from xai_core.model.loading import load_model
from xai_core.model.prediction import predict
from xai_core.model.preprocessing import to_input

pytestmark = pytest.mark.real
MODELS = Path(__file__).parents[2] / "models"
TEN_BITS = (0, 1023)


@pytest.fixture(scope="module")
def cases(shared_data) -> Path:
    folder = shared_data.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"no made files at {folder}")
    return folder


def read(path: Path, **how) -> DecodedImage:
    return decode_here(path.read_bytes(), limits=Limits(), identity_key=bytes(32), **how)


def row(image: DecodedImage) -> np.ndarray:
    """Greys from left to right, in the middle."""
    return to_unit(image.pixels, image.window, image.shading)[len(image.pixels) // 2]


def words(image: DecodedImage) -> str:
    return "; ".join(map(str, image.notes))


def test_one_phantom_gets_one_answer(cases):
    model = load_model(read_card(MODELS / "phantom-a.toml"))

    def scores(path: Path) -> np.ndarray:
        image = read(path, grey_range=TEN_BITS if path.name[0] in "ij" else None)
        unit = to_unit(image.pixels, image.window, image.shading)
        given, _ = to_input(unit, model.card.preprocessing)
        return np.asarray(predict(model, given).scores)

    found = {path.name[0]: scores(path) for path in (cases / "same-picture").iterdir()}
    for name in "bcf":
        np.testing.assert_allclose(found[name], found["a"], atol=1e-3)
    np.testing.assert_allclose(found["e"], found["d"], atol=1e-3)
    np.testing.assert_allclose(found["j"], found["i"], atol=1e-3)
    np.testing.assert_allclose(found["i"], found["a"], atol=5e-3)  # rounded to 10 bits


def test_one_pixel_more_changes_nothing_without_a_stated_range_either(cases):
    for name in "ij":
        with pytest.raises(UnsupportedFormatError, match="state which values are black and white"):
            read(next((cases / "same-picture").glob(f"{name}_*")))


@pytest.mark.parametrize(
    "name",
    ["tiff_preamble", "highbit15_stored12", "plain_12", "name_as_view", "for_processing_mg"],
)
def test_a_ramp_rises(cases, name):
    greys = row(read(cases / "dicom" / f"{name}.dcm"))
    assert greys[0] < 0.02
    assert greys[-1] > 0.98
    assert (np.diff(greys) >= 0).all()


def test_a_negative_slope_falls(cases):
    assert (np.diff(row(read(cases / "dicom" / "negative_slope.dcm"))) <= 0).all()


def test_padding_is_black_and_the_rest_as_stored(cases):
    image = read(cases / "dicom" / "mono1_padding_4095.dcm")
    assert image.shading.padding == (0, 0)
    assert image.rescale == (-1, 4095)
    assert image.window == (0, 4095)


def test_colours(cases):
    for name in ("jpll_ybr_full", "palette16_be"):
        pixels = read(cases / "dicom" / f"{name}.dcm").pixels
        assert pixels.shape == (64, 96, 3)
        assert all(len(np.unique(pixels[..., channel])) > 60 for channel in (0, 1))
    # The ramp of the first: red up, green down.
    ramp = read(cases / "dicom" / "jpll_ybr_full.dcm").pixels.astype(int)
    assert ramp[32, -1].tolist() != ramp[32, 0].tolist()


def test_hounsfield_units_and_windows(cases):
    image = read(cases / "dicom" / "enhanced_ct_one_frame.dcm")
    assert image.rescale == (1, -1024)
    assert image.window == (864, 1263)  # 40/400, PS3.3, C.11.2.1.2.1
    image = read(cases / "dicom" / "width_0_5_exact.dcm")
    slope, intercept = image.rescale
    assert [edge * slope + intercept for edge in image.window] == pytest.approx([0.25, 0.75])


def test_nothing_of_two_names_is_kept(cases):
    image = read(cases / "dicom" / "name_as_view.dcm")
    assert not any(name in repr(image) for name in ("DOE", "JANE", "SMITH"))


def test_what_is_said(cases):
    image = read(cases / "dicom" / "for_processing_mg.dcm")
    assert image.acquisition["laterality"] == "L"
    assert "FOR PROCESSING" in words(image)
    assert read(cases / "dicom" / "aspect_2_1.dcm").pixel_aspect == 2
    assert "overlay" in words(read(cases / "dicom" / "overlay_plane.dcm"))
    with pytest.raises(UnsupportedFormatError, match=r"transfer syntax .* is not supported"):
        read(cases / "dicom" / "jpeg53_12.dcm")


def test_pictures(cases):
    raster = cases / "raster"
    assert (np.diff(row(read(raster / "whiteiszero16.tif"))) <= 0).all()
    with pytest.raises(UnsupportedFormatError, match="are 0 to 1,030"):
        read(raster / "g16_max1030.png")
    assert read(raster / "g16_max1030.png", grey_range=(0, 1030)).window == (0, 1030)
    signed = read(raster / "int16_negative.tif", grey_range=(-1024, 3071))
    assert (np.diff(row(signed)) >= 0).all()
    assert signed.rescale == (1, -32768)
    for name in ("jpeg12.jpg", "la16.png"):
        greys = row(read(raster / name))
        assert greys[-1] > 0.95
        assert greys[0] < 0.05
    planar = read(raster / "planar_rgb16.tif").pixels.astype(int)
    assert all((abs(np.diff(planar[30, :, channel])) < 16).all() for channel in range(3))
