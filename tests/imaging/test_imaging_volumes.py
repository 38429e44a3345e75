"""Slices of NIfTI, NRRD and MetaImage: the same values, sides and shape from each."""

import gzip
from io import BytesIO

import nibabel
import nrrd
import numpy as np
import pytest

from imaging import decode as decoding
from imaging.child import decode_here
from imaging.errors import CorruptImageError, UnsupportedFormatError
from imaging.image import RangeFrom
from imaging.limits import Limits

# x to the patient's left, y to the back, z to the head; 1 x 2 x 5 mm
VALUES = np.arange(4 * 3 * 2, dtype=np.int16).reshape(4, 3, 2) * 10 - 100
RAS = np.diag([-1.0, -2.0, 5.0, 1.0])  # NIfTI counts to the right and front
CT = (-100, 155)


def nifti(values=VALUES, affine=RAS, **header) -> bytes:
    image = nibabel.Nifti1Image(values, affine)
    for key, value in header.items():
        image.header[key] = value
    return image.to_bytes()


def nrrd_file(values=VALUES, directions=((1, 0, 0), (0, 2, 0), (0, 0, 5)), **header) -> bytes:
    buffer = BytesIO()
    placed = {"space": "left-posterior-superior", "space directions": np.array(directions, float)}
    nrrd.write(buffer, values, placed | header)
    return buffer.getvalue()


def meta_image(values=VALUES, big=False, matrix="1 0 0 0 1 0 0 0 1") -> bytes:
    lines = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryDataByteOrderMSB": big,
        "TransformMatrix": matrix,
        "ElementSpacing": "1 2 5",
        "DimSize": " ".join(map(str, values.shape)),
        "ElementType": "MET_SHORT",
        "ElementDataFile": "LOCAL",
    }
    head = "".join(f"{key} = {value}\n" for key, value in lines.items())
    return head.encode() + values.astype(">i2" if big else "<i2").tobytes(order="F")


def read(data: bytes, frame: int | None = 1, **how):
    return decode_here(data, limits=Limits(), identity_key=bytes(32), frame=frame, **how)


FLIPPED = {
    "NIfTI": lambda: nifti(),
    "NIfTI, packed": lambda: gzip.compress(nifti()),
    "NIfTI, flipped": lambda: nifti(VALUES[::-1], np.diag([1.0, -2.0, 5.0, 1.0])),
    "NIfTI, other axes": lambda: nifti(
        VALUES.transpose(2, 0, 1),
        np.array([[0, -1.0, 0, 0], [0, 0, -2.0, 0], [5.0, 0, 0, 0], [0, 0, 0, 1]]),
    ),
    "NRRD": lambda: nrrd_file(),
    "NRRD, flipped": lambda: nrrd_file(VALUES[:, ::-1], ((1, 0, 0), (0, -2, 0), (0, 0, 5))),
    "NRRD, right": lambda: nrrd_file(
        VALUES, ((-1, 0, 0), (0, -2, 0), (0, 0, 5)), space="right-anterior-superior"
    ),
    "MetaImage": lambda: meta_image(),
    "MetaImage, big endian": lambda: meta_image(big=True),
    "MetaImage, flipped": lambda: meta_image(VALUES[:, :, ::-1], matrix="1 0 0 0 1 0 0 0 -1"),
}


@pytest.mark.parametrize("name", FLIPPED)
def test_a_slice_has_its_values_sides_and_shape_from_every_format(name):
    image = read(FLIPPED[name](), grey_range=CT)
    slope, intercept = image.rescale
    np.testing.assert_array_equal(image.pixels * slope + intercept, VALUES[:, :, 1].T)
    assert (image.n_frames, image.pixel_aspect) == (2, 2.0)
    assert [edge * slope + intercept for edge in image.window] == list(CT)
    assert image.range_from is RangeFrom.IMPORTER


def test_of_a_volume_the_middle_slice_stands_for_all():
    image = read(nifti(), frame=None, grey_range=CT)
    assert (image.frame, image.n_frames) == (1, 2)
    with pytest.raises(UnsupportedFormatError, match="no frame 2; the file holds 2"):
        read(nifti(), frame=2)


def test_a_header_that_states_black_and_white_is_believed():
    image = read(nifti(cal_min=0.0, cal_max=80.0))
    slope, intercept = image.rescale
    assert [edge * slope + intercept for edge in image.window] == [0, 80]
    assert image.range_from is RangeFrom.FILE


def test_where_the_sides_are_not_known_it_is_said():
    data = bytearray(nifti())
    data[252:256] = bytes(4)  # qform_code and sform_code
    image = read(bytes(data), grey_range=CT)
    assert "left" in " ".join(map(str, image.notes))


def test_texts_of_a_header_are_left_behind():
    image = read(nifti(descrip=b"Doe^Jane"), grey_range=CT)
    assert "Doe" not in repr(image)


@pytest.mark.parametrize("name", ["NIfTI", "NRRD", "MetaImage"])
def test_truncated_volumes_are_refused(name):
    with pytest.raises(CorruptImageError):
        read(FLIPPED[name]()[:-10])


def test_pixels_in_another_file_are_refused():
    data = meta_image().replace(b"LOCAL", b"/etc/passwd")
    with pytest.raises(UnsupportedFormatError, match="another file"):
        read(data)


def test_a_confined_decoder_has_what_volumes_need():
    for name in ("NIfTI", "NRRD"):
        image = decoding.decode(FLIPPED[name](), identity_key=bytes(32), frame=1, grey_range=CT)
        assert image.pixels.shape == (3, 4)
    decoding.close()
