import io

import numpy as np
import pytest
from PIL import Image

from db.errors import ArtifactError, NotFoundError
from review.cases import pixels
from review.maps.drawn import DrawnMap
from tests import builders
from tests.builders import OPERATOR


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    "image",
    [
        np.array([[0, 255], [1, 254], [2, 3]], np.uint8),
        np.array([[0, 65535], [256, 1]], np.uint16),
        np.arange(18, dtype=np.uint8).reshape(2, 3, 3),
    ],
    ids=["grey 8", "grey 16", "RGB"],
)
def test_an_image_comes_back_as_its_little_endian_pixels(workspace, image):
    with workspace.begin() as session:
        sha256 = builders.artifact(session, workspace.artifacts, png(image))
        case = builders.case(session, image_sha256=sha256)
    assert pixels.image_sha256(workspace, case.id, by=OPERATOR) == sha256
    little_endian = image.astype(image.dtype.newbyteorder("<"))
    assert pixels.raw_image(workspace, sha256) == little_endian.tobytes()


def test_a_map_is_summed_over_its_channels(workspace):
    values = np.array([[[1.0, -2.0]], [[0.5, 0.25]], [[0.0, 1.0]]], np.float32)
    with workspace.begin() as session:
        sha256 = builders.artifact(session, workspace.artifacts, npy(values))
    drawn = DrawnMap(sha256, channels_share=False)
    assert pixels.raw_map(workspace, drawn) == np.array([[1.5, -0.75]], "<f4").tobytes()


@pytest.mark.parametrize(("channels_share", "drawn"), [(True, 0.5), (False, 1.5)])
def test_equal_channels_are_one_map_only_where_they_share_its_value(
    workspace, channels_share, drawn
):
    """The slopes of a model that averages its channels are equal too, and add up."""
    values = np.full((3, 1, 2), 0.5, np.float32)
    with workspace.begin() as session:
        stored = builders.explanation(
            session,
            builders.prediction(session, builders.case(session), builders.model(session)),
            artifact_sha256=builders.artifact(session, workspace.artifacts, npy(values)),
            channels_share=channels_share,
        )
    found = pixels.drawn_map(workspace, stored.id, by=OPERATOR)
    assert pixels.raw_map(workspace, found) == np.full((1, 2), drawn, "<f4").tobytes()


def test_the_browser_keeps_summed_and_shared_maps_apart():
    assert str(DrawnMap("a", channels_share=True)) != str(DrawnMap("a", channels_share=False))


@pytest.mark.parametrize("find", [pixels.image_sha256, pixels.drawn_map, pixels.thumbnail_sha256])
def test_what_does_not_exist_is_not_found(workspace, find):
    with pytest.raises(NotFoundError):
        find(workspace, 1, by=OPERATOR)


def test_a_case_without_a_thumbnail_has_none(workspace):
    with workspace.begin() as session:
        case = builders.case(session)
    with pytest.raises(NotFoundError, match="thumbnail"):
        pixels.thumbnail_sha256(workspace, case.id, by=OPERATOR)


def test_an_altered_image_is_not_served(workspace):
    with workspace.begin() as session:
        sha256 = builders.artifact(session, workspace.artifacts, png(np.zeros((4, 4), np.uint8)))
    workspace.artifacts.path(sha256).write_bytes(png(np.ones((4, 4), np.uint8)))
    with pytest.raises(ArtifactError, match="damaged"):
        pixels.raw_image(workspace, sha256)
