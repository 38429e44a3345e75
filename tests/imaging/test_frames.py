"""Every frame of a file from the decoding process, and where each stands."""

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames

from imaging.decode import decode, frames
from imaging.errors import CorruptImageError, TooLargeError
from imaging.limits import Limits
from tests import series
from tests.imaging.test_imaging_volumes import nifti

KEY = bytes(32)


def enhanced(n_frames: int) -> Dataset:
    """Return a file whose frames have positions of their own; the first alone has a window."""
    groups = []
    for n in range(n_frames):
        plane, orientation, window, group = (Dataset() for _ in range(4))
        plane.ImagePositionPatient = [0, 0, 2.5 * n]
        orientation.ImageOrientationPatient = series.AXIAL
        group.PlanePositionSequence, group.PlaneOrientationSequence = [plane], [orientation]
        if n == 0:
            window.WindowCenter, window.WindowWidth = 100, 50
            group.FrameVOILUTSequence = [window]
        groups.append(group)
    return series.cine(n_frames, Modality="CT", PerFrameFunctionalGroupsSequence=groups)


def test_the_middle_frame_comes_first_and_then_the_others_in_order():
    found = list(frames(series.written(series.cine(4)), identity_key=KEY))
    assert [image.frame for image in found] == [2, 0, 1, 3]
    assert {image.n_frames for image in found} == {4}
    for image in found:
        assert np.array_equal(image.pixels, series.grey(image.frame))


def test_what_is_said_of_one_frame_is_not_said_of_another():
    found = {image.frame: image for image in frames(series.written(enhanced(3)), identity_key=KEY)}
    assert [found[n].place.position_mm for n in range(3)] == [0, 2.5, 5]
    assert found[0].window != found[1].window == found[2].window


def test_who_stops_asking_leaves_the_decoder_ready_for_the_next():
    begun = frames(series.written(series.cine(6)), identity_key=KEY)
    next(begun)
    begun.close()
    assert decode(series.written(series.one_slice(1)), identity_key=KEY).n_frames == 1


def test_too_many_frames_are_refused_before_any_is_decoded():
    with pytest.raises(TooLargeError, match="holds 3 images"):
        next(frames(series.written(series.cine(3)), identity_key=KEY, limits=Limits(max_frames=2)))


def test_a_frame_that_cannot_be_read_ends_what_came_before_it():
    ds = series.transcoded(series.cine(3))
    first, second, _ = generate_frames(ds.PixelData, number_of_frames=3)
    ds.PixelData = encapsulate([first, second, bytes(64)])
    read = []
    with pytest.raises(CorruptImageError):
        read.extend(image.frame for image in frames(series.written(ds), identity_key=KEY))
    assert read == [1, 0]


def test_all_slices_of_a_volume_have_one_range():
    values = np.zeros((8, 8, 3), np.int16)
    values[0, 0, 1], values[1, 1, 1] = -30000, 30000
    found = list(frames(nifti(values), identity_key=KEY))
    assert [image.frame for image in found] == [1, 0, 2]
    assert len({(image.window, image.rescale, image.range_from) for image in found}) == 1


def test_slices_of_one_plane_are_one_stack_and_names_are_keyed():
    one, two = (decode(series.written(series.one_slice(n)), identity_key=KEY) for n in (1, 2))
    other = decode(series.written(series.one_slice(1)), identity_key=bytes(31) + b"1")
    assert one.identity.stack_key == two.identity.stack_key
    assert one.identity.instance_key != two.identity.instance_key
    assert one.identity.stack_key != other.identity.stack_key
    assert one.identity.acquired_on != other.identity.acquired_on


@pytest.mark.parametrize(
    "tags",
    [
        {"InstanceNumber": 19500101},
        {"ImagePositionPatient": [0, 0, 19500101]},
        {"ImageOrientationPatient": [1, 0, 0, 0, 1, 1950]},
    ],
)
def test_a_place_is_kept_as_numbers_that_can_be_true(tags):
    place = decode(series.written(series.one_slice(1, **tags)), identity_key=KEY).place
    assert None in (place.instance_number, place.position_mm)
    assert "1950" not in repr(place)
