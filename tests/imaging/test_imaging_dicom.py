import re
from io import BytesIO

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from imaging.child import decode_here
from imaging.decode import decode
from imaging.deidentify import facts_of
from imaging.errors import CorruptImageError, TooLargeError, UnsupportedFormatError
from imaging.image import DecodedImage, RangeFrom
from imaging.limits import Limits
from imaging.value_sets import VALUES
from tests.radiographs import GREY, compressed, dataset, written


def decoded(data: Dataset | bytes, *, key: bytes = bytes(32), **how) -> DecodedImage:
    data = data if isinstance(data, bytes) else written(data)
    return decode_here(data, limits=Limits(), identity_key=key, **how)


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_uncompressed_images(syntax):
    ds = dataset()
    ds.file_meta.TransferSyntaxUID = syntax
    image = decoded(ds)
    np.testing.assert_array_equal(image.pixels, GREY)
    assert (image.source_format, image.modality, image.view_position) == ("DICOM", "CR", "PA")


def test_big_endian():
    ds = dataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    ds.PixelData = GREY.byteswap().tobytes()
    np.testing.assert_array_equal(decoded(ds).pixels, GREY)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_compression_that_loses_nothing(syntax):
    ds = dataset()
    ds.compress(syntax, generate_instance_uid=False)
    np.testing.assert_array_equal(decoded(ds).pixels, GREY)


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
def test_lossless_jpeg(syntax):
    frame = imagecodecs.ljpeg_encode(GREY, bitspersample=12)
    np.testing.assert_array_equal(decoded(compressed(GREY, syntax, frame)).pixels, GREY)


def test_signed_lossless_jpeg():
    signed = GREY.astype(np.int16) - 2048
    frame = imagecodecs.ljpeg_encode((signed & 0x0FFF).astype(np.uint16), bitspersample=12)
    image = decoded(compressed(signed, JPEGLosslessSV1, frame))
    np.testing.assert_array_equal(image.pixels, GREY)
    assert image.rescale == (1.0, -2048.0)


def test_baseline_jpeg():
    pixels = (GREY // 16).astype(np.uint8)
    frame = imagecodecs.jpeg_encode(pixels, level=98)
    image = decoded(compressed(pixels, JPEGBaseline8Bit, frame))
    assert np.abs(image.pixels.astype(int) - pixels).max() <= 4


def test_extended_twelve_bit_jpeg():
    frame = imagecodecs.jpeg_encode(GREY, level=98, bitspersample=12)
    image = decoded(compressed(GREY, JPEGExtended12Bit, frame))
    assert np.abs(image.pixels.astype(int) - GREY).max() <= 64


def test_without_preamble():
    image = decoded(written(dataset())[132:])
    np.testing.assert_array_equal(image.pixels, GREY)


def test_colour_stays_colour():
    colour = np.random.default_rng(0).integers(0, 255, (8, 10, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decoded(dataset(colour)).pixels, colour)


def test_monochrome1_is_inverted_with_its_window_and_units():
    plain = decoded(dataset(WindowCenter=1000, WindowWidth=500, RescaleSlope=2))
    ds = dataset(WindowCenter=1000, WindowWidth=500, RescaleSlope=2)
    ds.PhotometricInterpretation = "MONOCHROME1"
    inverted = decoded(ds)
    np.testing.assert_array_equal(inverted.pixels, 4095 - plain.pixels)
    assert inverted.window == (4095 - plain.window[1], 4095 - plain.window[0])
    slope, intercept = inverted.rescale
    np.testing.assert_allclose(inverted.pixels * slope + intercept, plain.pixels * 2.0)


def test_signed_values_with_rescale_keep_their_physical_units():
    signed = GREY.astype(np.int16) - 1024
    ds = dataset(signed, RescaleSlope=0.5, RescaleIntercept=-100, WindowCenter=0, WindowWidth=401)
    ds.BitsStored, ds.HighBit = 16, 15
    image = decoded(ds)
    slope, intercept = image.rescale
    np.testing.assert_allclose(image.pixels * slope + intercept, signed * 0.5 - 100)
    low, high = (edge * slope + intercept for edge in image.window)
    assert (low, high) == pytest.approx((-200.5, 199.5))  # PS3.3, C.11.2.1.2.1


def test_the_first_of_several_windows_is_taken():
    image = decoded(dataset(WindowCenter=[1000, 3000], WindowWidth=[401, 100]))
    assert image.window == pytest.approx((799.5, 1199.5))


def test_an_exact_window():
    image = decoded(dataset(WindowCenter=1000, WindowWidth=400, VOILUTFunction="LINEAR_EXACT"))
    assert image.window == (800.0, 1200.0)


def test_without_a_window_all_that_the_file_can_hold_is_shown():
    image = decoded(dataset())
    assert (image.window, image.range_from) == ((0, 4095), RangeFrom.CONTAINER)
    assert "no window" in " ".join(map(str, image.notes))


def test_a_modality_table_is_applied():
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item.LUTData = (np.arange(4096, dtype=np.uint16) * 2).tobytes()
    item["LUTData"].VR = "OW"
    ds = dataset(ModalityLUTSequence=[item])
    np.testing.assert_array_equal(decoded(ds).pixels, GREY * 2)


def test_identity_leaves_only_keyed_hashes():
    first, again = decoded(dataset()), decoded(dataset(PatientName="Another^Spelling"))
    other = decoded(dataset(PatientID="MRN-2"))
    assert first.identity.patient_key == again.identity.patient_key != other.identity.patient_key
    assert decoded(dataset(), key=b"k" * 32).identity.patient_key != first.identity.patient_key
    for secret in ("Doe", "Jane", "MRN-1", "1950"):
        assert secret not in repr(first)


@pytest.mark.parametrize("keyword", list(VALUES))
@pytest.mark.parametrize("value", ["DOE JANE", "SMITH 19480312", "LEE", "", "PA\\DOE"])
def test_a_code_that_the_standard_does_not_list_is_left_behind_and_named(keyword, value):
    ds = dataset()
    ds.add_new(keyword, "CS", value)
    image = decoded(ds)
    assert not {"DOE", "SMITH", "LEE"} & set(re.split(r"\W+", repr(image)))
    named = [keyword] if value else []
    assert image.acquisition["deidentification"]["not_listed"] == named
    assert (keyword in " ".join(map(str, image.notes))) == bool(named)


def test_a_listed_code_is_kept():
    image = decoded(dataset(Modality="MG", ViewPosition="MLO", BodyPartExamined="BREAST"))
    assert (image.modality, image.view_position) == ("MG", "MLO")
    assert image.acquisition["body_part"] == "BREAST"


@pytest.mark.parametrize(
    ("tags", "side"),
    [
        ({"Laterality": "R"}, "R"),
        ({"ImageLaterality": "L"}, "L"),
        ({"Laterality": "R", "ImageLaterality": "L"}, "L"),
        ({}, None),
    ],
)
def test_the_image_s_laterality_goes_before_the_series_s(tags, side):
    assert decoded(dataset(**tags)).acquisition.get("laterality") == side


def test_values_for_processing_are_said_to_be_no_picture_to_read_from():
    image = decoded(dataset(PresentationIntentType="FOR PROCESSING"))
    assert any("FOR PROCESSING" in str(note) for note in image.notes)


@pytest.mark.parametrize(
    ("spacing", "kept"),
    [
        ([0.168, 0.168], [0.168, 0.168]),
        ([19500101, 0.1], None),
        ([0, 0.1], None),
        ([0.1], None),
        ([float("nan"), 0.1], None),
    ],
)
def test_a_spacing_is_kept_as_numbers_that_can_be_true(spacing, kept):
    ds = dataset()
    ds.PixelSpacing = spacing
    assert decoded(ds).acquisition.get("pixel_spacing_mm") == kept


@pytest.mark.parametrize("tags", [{"RescaleSlope": "1e9"}, {"RescaleIntercept": "19500101"}])
def test_a_rescale_that_no_detector_has_is_refused(tags):
    with pytest.raises(CorruptImageError, match="rescale"):
        decoded(dataset(**tags))


def test_what_was_left_behind_is_recorded_by_name_and_method():
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3.9"
    ds = dataset(ReferencedImageSequence=[item], OperatorsName="Roe^Richard")
    ds.add_new(0x00091001, "LO", "Doe")
    ds.add_new(0x60003000, "OW", b"\0\0")
    ds.preamble = b"Doe".ljust(128, b"\0")
    record = decoded(ds).acquisition["deidentification"]
    assert [method["code"] for method in record["methods"]] == ["113100"]
    assert record["replaced"] == [
        "PatientID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
    ]
    assert {
        "PatientName",
        "PatientBirthDate",
        "OperatorsName",
        "ReferencedImageSequence",
        "ReferencedSOPInstanceUID",
        "OverlayData",
        "(0009,1001)",
        "Preamble",
    } <= set(record["removed"])
    assert not {"Modality", "Rows", "PixelData", "PatientID"} & set(record["removed"])
    assert record["n_removed"] == len(record["removed"])


def test_a_private_transfer_syntax_is_not_kept_as_text():
    ds = dataset()
    ds.file_meta.TransferSyntaxUID = "1.2.3.19500101"
    assert "transfer_syntax" not in facts_of(ds).acquisition


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"NumberOfFrames": 3}, CorruptImageError, "its header describes"),
        ({"BitsAllocated": 32}, UnsupportedFormatError, "32 bits"),
        ({"Rows": 60000, "Columns": 60000}, TooLargeError, "60,000"),
        ({"Rows": 0}, CorruptImageError, "Rows"),
        ({"Rows": 999}, CorruptImageError, "12,288 bytes of pixels"),
    ],
)
def test_headers_that_make_no_sense(changes, error, message):
    with pytest.raises(error, match=message):
        decoded(dataset(**changes))


def test_a_report_holds_no_image():
    ds = dataset()
    del ds.PixelData
    with pytest.raises(UnsupportedFormatError, match="no image"):
        decoded(ds)


@pytest.mark.parametrize(
    ("syntax", "encoded"),
    [
        (JPEGLosslessSV1, lambda: imagecodecs.ljpeg_encode(GREY, bitspersample=12)),
        (JPEG2000Lossless, lambda: imagecodecs.jpeg2k_encode(GREY, codecformat="j2k", level=0)),
        (JPEGLSLossless, lambda: imagecodecs.jpegls_encode(GREY)),
    ],
)
def test_a_confined_decoder_has_all_that_its_codecs_need(syntax, encoded):
    data = written(compressed(GREY, syntax, encoded()))
    image = decode(data, identity_key=bytes(32))
    np.testing.assert_array_equal(image.pixels, GREY)
    assert image.identity == decoded(data).identity


def test_a_compressed_frame_of_another_size_is_refused():
    frame = imagecodecs.ljpeg_encode(GREY[:8], bitspersample=12)
    with pytest.raises(CorruptImageError, match="header says 96 x 64"):
        decoded(compressed(GREY, JPEGLosslessSV1, frame))


def test_truncated():
    with pytest.raises(CorruptImageError):
        decoded(written(dataset())[:-50])


@pytest.mark.real
def test_a_real_radiograph(shared_data):
    data = (shared_data / "cxr" / "rsna-chest.dcm").read_bytes()
    image = decoded(data)
    assert (image.pixels.shape, image.modality, image.view_position) == ((1024, 1024), "CR", "PA")
    np.testing.assert_array_equal(image.pixels, pydicom.dcmread(BytesIO(data)).pixel_array)


@pytest.mark.parametrize(
    ("stored", "high", "signed"), [(12, 11, 0), (12, 11, 1), (10, 9, 0), (12, 15, 0), (12, 13, 0)]
)
def test_bits_beside_the_stored_ones_carry_nothing_through(stored, high, signed):
    low = high + 1 - stored
    values = np.random.default_rng(3).integers(0, 2 ** (stored - 1), (40, 48)).astype(np.uint16)
    text = np.frombuffer((b"DOE JANE " * 500)[: values.size * 2], np.uint16).reshape(values.shape)
    beside = np.uint16(0xFFFF & ~(((1 << stored) - 1) << low))
    tags = {"BitsAllocated": 16, "BitsStored": stored, "HighBit": high}
    tags |= {"PixelRepresentation": signed, "WindowCenter": 100, "WindowWidth": 200}
    plain, planted = (dataset(values, **tags) for _ in range(2))
    plain.PixelData = (values << low).astype("<u2").tobytes()
    planted.PixelData = ((values << low) | (text & beside)).astype("<u2").tobytes()
    assert (decoded(planted).pixels == decoded(plain).pixels).all()
    assert (decoded(plain).pixels == values + signed * 2 ** (stored - 1)).all()


def test_a_high_bit_that_cannot_be_is_refused():
    with pytest.raises(CorruptImageError, match="12 stored bits up to bit 5 of 16"):
        decoded(dataset(np.zeros((8, 8), np.uint16), BitsStored=12, HighBit=5))
