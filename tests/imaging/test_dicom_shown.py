"""What a data set says of how it is to be shown: done, or said, or refused in true words."""

from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.pixels import convert_color_space
from pydicom.uid import ExplicitVRBigEndian, JPEGLosslessSV1

from imaging.encode import to_unit
from imaging.errors import UnsupportedFormatError
from imaging.image import Curve, DecodedImage, Of, RangeFrom
from tests.imaging.every_encoding import lut
from tests.imaging.test_imaging_dicom import GREY, compressed, dataset, decoded, written

RAMP = np.stack(
    [np.tile(np.arange(96), (64, 1)) * 2, np.full((64, 96), 90), np.full((64, 96), 200)]
)
RAMP = np.moveaxis(RAMP, 0, 2).astype(np.uint8)


def shown(image: DecodedImage) -> np.ndarray:
    return to_unit(image.pixels, image.window, image.shading)


def told(image: DecodedImage, of: Of) -> str:
    return "; ".join(note.words for note in image.notes if note.of is of)


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("padding", [0, 700, 4095])
def test_padding_is_black_in_a_mask_and_no_value_is_changed(kind, padding):
    values = GREY.copy()
    values[:, :5] = padding
    tags = {"WindowCenter": 2048, "WindowWidth": 4096, "PixelPaddingValue": padding}
    image = decoded(dataset(values, PhotometricInterpretation=kind, **tags))
    is_padding = values == padding
    assert not shown(image)[is_padding].any()
    turned = 4095 - values if kind == "MONOCHROME1" else values
    np.testing.assert_array_equal(image.pixels, turned)
    np.testing.assert_allclose(shown(image)[~is_padding], turned[~is_padding] / 4095, atol=1e-6)
    assert "padding" in told(image, Of.VALUES)


def test_a_range_of_padding_is_all_black():
    tags = {"PixelPaddingValue": 100, "PixelPaddingRangeLimit": 300}
    image = decoded(dataset(4095 - GREY, PhotometricInterpretation="MONOCHROME1", **tags))
    is_padding = (GREY >= 4095 - 300) & (GREY <= 4095 - 100)
    np.testing.assert_array_equal(shown(image)[is_padding], 0)
    assert shown(image)[GREY == 4095] == 1


@pytest.mark.parametrize("sequence", ["ModalityLUTSequence", "VOILUTSequence"])
def test_padding_stays_apart_where_a_table_gives_others_its_grey(sequence):
    values = GREY.copy()
    values[:, :5] = 0
    table = lut(np.maximum(np.arange(4096), 2000), 12)
    image = decoded(dataset(values, PixelPaddingValue=0, **{sequence: table}))
    assert not shown(image)[:, :5].any()
    expected = np.maximum(values, 2000)[:, 5:] / 4095
    np.testing.assert_allclose(shown(image)[:, 5:], expected, atol=1e-6)


def test_a_sigmoid_window_is_one():
    image = decoded(dataset(WindowCenter=2000, WindowWidth=800, VOILUTFunction="SIGMOID"))
    assert image.shading.curve is Curve.SIGMOID
    expected = 1 / (1 + np.exp(-4 * (GREY - 2000.0) / 800))
    np.testing.assert_allclose(shown(image), expected, atol=1e-6)


def test_every_window_of_a_file_is_kept_in_order():
    image = decoded(dataset(WindowCenter=[1000, 3000], WindowWidth=[401, 101]))
    assert image.windows == ((799.5, 1199.5), (2949.5, 3049.5))
    assert image.kept["windows"] == [[799.5, 1199.5], [2949.5, 3049.5]]


def test_a_window_one_wide_is_a_step():
    image = decoded(dataset(WindowCenter=1000, WindowWidth=1))
    np.testing.assert_array_equal(shown(image), GREY > 999)


def test_ybr_in_lossless_jpeg_becomes_rgb():
    ybr = convert_color_space(RAMP, "RGB", "YBR_FULL")
    as_it_is = {"colorspace": "RGB", "outcolorspace": "RGB"}
    frame = imagecodecs.jpeg_encode(ybr, lossless=True, **as_it_is)
    ds = compressed(ybr, JPEGLosslessSV1, frame, PhotometricInterpretation="YBR_FULL")
    assert np.abs(decoded(ds).pixels.astype(int) - RAMP).max() <= 2


def palette(big: bool, bits: int, n: int = 256) -> bytes:
    ds = dataset((GREY // 16).astype(np.uint8), PhotometricInterpretation="PALETTE COLOR")
    top = (1 << bits) - 1
    for index, name in enumerate(("Red", "Green", "Blue")):
        entries = (np.arange(n) * top // (n - 1) + index * 17) % (top + 1)
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [n % 65536, 0, bits])
        kind = {8: np.uint8, 16: np.dtype(">u2" if big else "<u2")}[bits]
        data = entries.astype(kind).tobytes()
        if big and bits == 8:
            data = np.frombuffer(data, np.uint8).reshape(-1, 2)[:, ::-1].tobytes()
        setattr(ds, f"{name}PaletteColorLookupTableData", data)
    if big:
        ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        ds["PixelData"].VR = "OB"
    return written(ds)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_is_the_same_in_either_byte_order(bits):
    little, big = (decoded(palette(big, bits)) for big in (False, True))
    np.testing.assert_array_equal(little.pixels, big.pixels)
    assert len(np.unique(little.pixels[..., 0])) > 200


def test_functional_groups_say_window_rescale_spacing_and_side():
    ds = dataset(NumberOfFrames=1, Modality="CT")
    window, line, measures, side = Dataset(), Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = 40, 400
    line.RescaleSlope, line.RescaleIntercept = 1, -1024
    measures.PixelSpacing, side.FrameLaterality = [0.5, 0.5], "R"
    each, shared = Dataset(), Dataset()
    shared.PixelValueTransformationSequence, shared.PixelMeasuresSequence = [line], [measures]
    each.FrameVOILUTSequence, each.FrameAnatomySequence = [window], [side]
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], [each]
    image = decoded(ds)
    assert image.rescale == (1, -1024)
    assert image.window == (1024 - 160, 1024 + 239)
    assert image.acquisition["pixel_spacing_mm"] == [0.5, 0.5]
    assert image.acquisition["laterality"] == "R"
    assert image.range_from is RangeFrom.FILE


def test_a_frame_has_its_own_window():
    ds = dataset(NumberOfFrames=2)
    ds.PixelData = GREY.tobytes() * 2
    groups = []
    for centre in (100, 200):
        window, group = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = centre, 51
        group.FrameVOILUTSequence = [window]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    windows = [decoded(ds, frame=frame).window for frame in (0, 1)]
    assert windows == [(74.5, 124.5), (174.5, 224.5)]
    with pytest.raises(UnsupportedFormatError, match="no frame 2; the file holds 2"):
        decoded(ds, frame=2)


@pytest.mark.parametrize(
    ("tags", "aspect"),
    [
        ({"PixelAspectRatio": [2, 1]}, 2.0),
        ({"PixelAspectRatio": [1, 1]}, 1.0),
        ({"PixelSpacing": [0.336, 0.168]}, 2.0),
        ({"ImagerPixelSpacing": [0.1, 0.4]}, 0.25),
        ({"PixelSpacing": [0.1439, 0.1440]}, 1.0),
        ({"PixelSpacing": [1, 1], "PixelAspectRatio": [2, 1]}, 1.0),
        ({"PixelAspectRatio": [0, 1]}, 1.0),
        ({"PixelAspectRatio": [1000, 1]}, 1.0),
    ],
)
def test_pixels_that_are_not_square_say_so(tags, aspect):
    image = decoded(dataset(**tags))
    assert image.pixel_aspect == pytest.approx(aspect)
    assert image.pixels.shape == GREY.shape
    assert ("as tall as wide" in told(image, Of.SHAPE)) == (aspect != 1)


@pytest.mark.parametrize(
    ("tags", "of", "words"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, Of.UNFIT, "localizer"),
        ({"PresentationIntentType": "FOR PROCESSING"}, Of.UNFIT, "FOR PROCESSING"),
        ({"LossyImageCompression": "01"}, Of.UNFIT, "with loss"),
        ({"ShutterShape": "CIRCULAR"}, Of.HIDDEN, "shutter is not applied"),
        ({"PixelPresentation": "COLOR"}, Of.HIDDEN, "supplemental colours"),
    ],
)
def test_what_the_picture_does_not_show_is_said(tags, of, words):
    assert words in told(decoded(dataset(**tags)), of)
    assert not told(decoded(dataset()), of)


@pytest.mark.parametrize(("groups", "words"), [([0x6000], "an overlay"), ([0x6000, 0x6002], "2 o")])
def test_overlays_are_said(groups, words):
    ds = dataset()
    for group in groups:
        ds.add_new((group, 0x0010), "US", 64)
        ds.add_new((group, 0x3000), "OW", bytes(768))
    assert words in told(decoded(ds), Of.HIDDEN)


def test_an_image_of_one_value_is_said_to_show_nothing():
    assert "same value" in told(decoded(dataset(np.full((8, 8), 7, np.uint16))), Of.UNFIT)


@pytest.mark.parametrize(
    ("uid", "words"),
    [
        ("1.2.840.10008.1.2.4.53", "transfer syntax JPEG Spectral Selection"),
        ("1.2.840.10008.1.2.4.100", "transfer syntax MPEG2"),
    ],
)
def test_a_transfer_syntax_that_is_not_supported_is_named(uid, words):
    with pytest.raises(UnsupportedFormatError, match=words):
        decoded(compressed(GREY, uid, b"\0" * 100))


def test_a_transfer_syntax_that_nobody_knows_is_not_told_by_what_it_says():
    data = written(compressed(GREY, "1.2.840.10008.1.2.4.53", b"\0" * 100))
    data = data.replace(b"1.2.840.10008.1.2.4.53", b"1.2.840.19500.1.2.4.53")
    with pytest.raises(UnsupportedFormatError, match="unknown or private kind is not supported"):
        decoded(data)


@pytest.mark.parametrize(
    ("kind", "has_pixels", "words"),
    [
        ("1.2.840.10008.5.1.4.1.1.66.4", True, "a segmentation"),
        ("1.2.840.10008.5.1.4.1.1.481.2", True, "a radiotherapy dose"),
        ("1.2.840.10008.5.1.4.1.1.88.59", False, "Key Object Selection"),
        ("1.2.840.10008.5.1.4.1.1.88.33", False, "Comprehensive SR"),
        ("1.2.840.10008.5.1.4.1.1.104.1", False, "Encapsulated PDF"),
    ],
)
def test_what_is_no_image_is_refused_as_what_it_is(kind, has_pixels, words):
    ds = dataset(SOPClassUID=kind)
    if not has_pixels:
        del ds.PixelData
    with pytest.raises(UnsupportedFormatError, match=words):
        decoded(ds)


def test_ct_without_a_window_is_shown_in_hounsfield_units():
    values = GREY.astype(np.int16) - 1024
    image = decoded(dataset(values, Modality="CT", BitsStored=16, HighBit=15))
    slope, intercept = image.rescale
    assert [edge * slope + intercept for edge in image.window] == [-1024, 3071]


def test_a_stated_range_is_for_files_without_a_window():
    plain = decoded(dataset(RescaleSlope=2), grey_range=(1000, 3000))
    assert (plain.window, plain.range_from) == ((500, 1500), RangeFrom.IMPORTER)
    with_window = decoded(dataset(WindowCenter=100, WindowWidth=101), grey_range=(1000, 3000))
    assert with_window.window == (49.5, 149.5)


def test_a_file_with_too_few_pixels_says_how_many():
    ds = dataset()
    ds.PixelData = ds.PixelData[:-100]
    data = BytesIO(written(ds)).getvalue()
    with pytest.raises(Exception, match="12,188 bytes of pixels, its header describes 12,288"):
        decoded(data)
