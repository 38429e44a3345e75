from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from imaging.child import decode_here
from imaging.errors import CorruptImageError, ImagingError, TooLargeError, UnsupportedFormatError
from imaging.image import DecodedImage
from imaging.limits import Limits

GREY = (np.arange(48, dtype=np.uint8) * 5).reshape(6, 8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)


def decoded(data: bytes, **limits) -> DecodedImage:
    return decode_here(data, limits=Limits(**limits), identity_key=bytes(32))


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR, GREY.astype(np.uint16) * 257])
def test_lossless_formats_give_the_exact_pixels(kind, pixels):
    image = decoded(saved(Image.fromarray(pixels), kind))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.pixels.dtype == pixels.dtype
    assert image.source_format == kind


@pytest.mark.parametrize(("kind", "name"), [("JPEG", "JPEG"), ("WEBP", "WebP")])
def test_lossy_formats_give_about_the_pixels(kind, name):
    image = decoded(saved(Image.fromarray(COLOUR).resize((64, 48)), kind, quality=95))
    assert (image.pixels.shape, image.source_format) == ((48, 64, 3), name)


def test_lossless_webp_gives_the_exact_pixels():
    image = decoded(saved(Image.fromarray(COLOUR), "WEBP", lossless=True))
    np.testing.assert_array_equal(image.pixels, COLOUR)


def test_one_bit_becomes_black_and_white():
    image = decoded(saved(Image.fromarray(GREY > 100), "PNG"))
    assert set(np.unique(image.pixels)) == {0, 255}


def test_a_palette_is_applied():
    image = decoded(saved(Image.fromarray(COLOUR).quantize(64), "PNG"))
    assert image.pixels.shape == (6, 8, 3)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_flattened_on_black(mode):
    picture = Image.new(mode, (4, 4), (200, 0) if mode == "LA" else (200, 200, 200, 0))
    image = decoded(saved(picture, "PNG"))
    assert not image.pixels.any()
    assert "transparency" in " ".join(map(str, image.notes))


def test_cmyk_is_converted():
    picture = Image.fromarray(COLOUR).convert("CMYK")
    image = decoded(saved(picture, "TIFF"))
    np.testing.assert_array_equal(image.pixels, np.asarray(picture.convert("RGB")))
    assert "converted from CMYK" in map(str, image.notes)


def test_equal_channels_are_kept_as_one():
    image = decoded(saved(Image.fromarray(np.dstack([GREY] * 3)), "PNG"))
    np.testing.assert_array_equal(image.pixels, GREY)


@pytest.mark.parametrize("encode", [imagecodecs.tiff_encode, imagecodecs.png_encode])
def test_deep_colour_is_reduced_and_says_so(encode):
    image = decoded(encode(COLOUR.astype(np.uint16) * 257))
    np.testing.assert_array_equal(image.pixels, COLOUR)
    assert "16-bit colour reduced to 8 bits" in map(str, image.notes)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decoded(saved(Image.fromarray(GREY), "PNG", exif=exif))
    flipped = GREY[:, ::-1]
    upright = {
        1: GREY,
        2: flipped,
        3: GREY[::-1, ::-1],
        4: GREY[::-1],
        5: GREY.T,
        6: GREY[::-1].T,
        7: GREY[::-1, ::-1].T,
        8: flipped.T,
    }
    np.testing.assert_array_equal(image.pixels, upright[orientation])


def test_of_several_pages_the_first_is_taken():
    pages = [Image.fromarray(GREY), Image.fromarray(GREY[::-1])]
    image = decoded(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    np.testing.assert_array_equal(image.pixels, GREY)
    assert "the first of 2 frames" in map(str, image.notes)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "empty"),
        (b"just text", "no image that we know"),
        (b"%PDF-1.7", "PDF"),
        (b"\x89HDF\r\n", "HDF5"),
        (bytes(4) + b"ftypheic" + bytes(20), "HEIF"),
        (b"  <!doctype html><p>", "web page"),
        (b"\xef\xbb\xbf<svg>", "SVG"),
    ],
)
def test_other_files_are_refused_by_what_they_are(data, named):
    with pytest.raises(UnsupportedFormatError, match=named):
        decoded(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_truncated_files_are_refused(kind, share):
    picture = Image.effect_noise((64, 64), 80).convert("RGB")
    data = saved(picture, kind)
    with pytest.raises(ImagingError):
        decoded(data[: int(len(data) * share)])


def test_a_declared_giant_is_refused_before_it_is_decoded():
    data = bytearray(saved(Image.fromarray(GREY), "PNG"))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises((TooLargeError, CorruptImageError)):
        decoded(bytes(data))
    with pytest.raises(TooLargeError, match="8 x 6"):
        decoded(saved(Image.fromarray(GREY), "PNG"), max_pixels=47)
