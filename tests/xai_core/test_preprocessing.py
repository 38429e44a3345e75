import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from xai_core.card import Preprocessing
from xai_core.errors import InputError
from xai_core.preprocessing import Geometry, normalise, to_input


def image(height: int, width: int, channels: int | None = 3) -> np.ndarray:
    shape = (height, width) if channels is None else (height, width, channels)
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize("size", [(48, 64), (65, 40), (31, 33), (64, 64)])
@pytest.mark.parametrize(("resize", "crop"), [(40, (32, 32)), (32, None), (None, (24, 30))])
def test_it_does_what_torchvision_does(size, resize, crop):
    source = image(*size)
    steps = [v2.Resize(resize, antialias=True)] if resize else []
    steps += [v2.CenterCrop(crop)] if crop else []
    expected = v2.Compose(steps)(torch.from_numpy(source).permute(2, 0, 1)[None])
    given, _ = to_input(source, Preprocessing(resize=resize, crop=crop))
    torch.testing.assert_close(given, expected.clamp(0, 1), atol=1e-6, rtol=0)


def test_the_geometry_is_what_the_input_shows():
    _, geometry = to_input(image(100, 200), Preprocessing(resize=50, crop=(50, 50)))
    assert geometry == Geometry(x=50.0, y=0.0, width=100.0, height=100.0)
    assert Geometry.from_json(geometry.to_json()) == geometry


def test_a_crop_larger_than_the_image_reaches_outside():
    given, geometry = to_input(image(10, 20), Preprocessing(crop=(16, 16)))
    assert given.shape == (1, 3, 16, 16)
    assert geometry == Geometry(x=2.0, y=-3.0, width=16.0, height=16.0)
    assert (given[..., :3, :] == 0).all()


def test_grey_becomes_three_channels_and_colour_one():
    grey, _ = to_input(image(8, 8, None), Preprocessing())
    assert torch.equal(grey[0, 0], grey[0, 2])
    red = np.zeros((8, 8, 3), np.float32)
    red[..., 0] = 1
    luma, _ = to_input(red, Preprocessing(channels=1, mean=(0.0,), std=(1.0,)))
    assert luma.unique().tolist() == pytest.approx([0.299])


def test_normalising_black_and_white():
    preprocessing = Preprocessing(
        channels=1, mean=(100.0,), std=(50.0,), input_range=(-50.0, 150.0)
    )
    ends = normalise(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2), preprocessing)
    assert ends.flatten().tolist() == [-3.0, 1.0]


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 4, 4), np.float32),
        np.full((4, 4), 2, np.float32),
        np.full((4, 4), np.nan, np.float32),
        np.zeros((0, 4), np.float32),
    ],
)
def test_what_is_no_unit_image_is_refused(bad):
    with pytest.raises(InputError):
        to_input(bad, Preprocessing())
