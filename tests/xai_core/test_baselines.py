import pytest
import torch
from torch.testing import assert_close

from xai_core import baselines
from xai_core.errors import InputError

IMAGE = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", baselines.BY_NAME)
def test_every_baseline_is_a_picture_like_the_image(name):
    before = IMAGE.clone()
    made = baselines.BY_NAME[name](IMAGE)
    assert (made.shape, made.dtype) == (IMAGE.shape, IMAGE.dtype)
    assert 0 <= made.min() <= made.max() <= 1
    made.zero_()
    assert_close(IMAGE, before, rtol=0, atol=0)


def test_black_and_white_are_the_ends_of_the_range():
    assert_close(baselines.black(IMAGE), torch.zeros(3, 20, 30))
    assert_close(baselines.white(IMAGE), torch.ones(3, 20, 30))


def test_mean_is_taken_per_channel():
    image = torch.stack([torch.zeros(4, 4), torch.eye(4)])
    assert_close(baselines.mean(image)[:, 2, 3], torch.tensor([0.0, 0.25]))


def test_blur_spreads_a_point_into_a_gaussian():
    point = torch.zeros(1, 41, 41)
    point[0, 20, 20] = 1
    blurred = baselines.blurred(point, sigma=2.0)[0]
    assert_close(blurred.sum(), torch.tensor(1.0))
    assert_close(blurred[20, 24] / blurred[20, 20], torch.tensor(-16 / 8).exp())
    assert_close(blurred, blurred.T)


def test_blur_keeps_an_even_image():
    assert_close(baselines.blurred(torch.full((1, 5, 60), 0.3)), torch.full((1, 5, 60), 0.3))


def test_blur_refuses_a_width_of_nothing():
    with pytest.raises(InputError, match="sigma is 0 px"):
        baselines.blurred(IMAGE, sigma=0)


def test_noise_depends_on_the_seed_alone():
    assert_close(baselines.noise(IMAGE, seed=3), baselines.noise(1 - IMAGE, seed=3))
    assert not torch.equal(baselines.noise(IMAGE, seed=3), baselines.noise(IMAGE, seed=4))
