import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close
from torchvision.transforms import v2

from xai_core.errors import InputError
from xai_core.model.card import Interpolation, Preprocessing
from xai_core.model.preprocessing import Geometry, normalise, to_input


def wanted(*, channels=3, **changes):
    return Preprocessing(
        channels=channels, mean=(0.0,) * channels, std=(1.0,) * channels, **changes
    )


def picture(height, width, channels=3):
    shape = (height, width) if channels is None else (height, width, channels)
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize("size", [(48, 64), (65, 40), (31, 33), (64, 64), (7, 90)])
@pytest.mark.parametrize(
    ("resize", "crop"), [(40, 32), (32, None), ((30, 50), None), (None, (24, 30)), (20, (35, 24))]
)
@pytest.mark.parametrize("interpolation", Interpolation)
def test_resizing_and_cropping_are_torchvisions(size, resize, crop, interpolation):
    unit = picture(*size)
    steps = [v2.Resize(resize, v2.InterpolationMode(interpolation))] if resize else []
    steps += [v2.CenterCrop(crop)] if crop else []
    expected = torch.from_numpy(unit).permute(2, 0, 1)[None]
    for step in steps:
        expected = step(expected).clamp(0, 1)
    given, _ = to_input(unit, wanted(resize=resize, crop=crop, interpolation=interpolation))
    assert_close(given, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("interpolation", Interpolation)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_8_bit_image_comes_out_as_from_pillow(mode, interpolation):
    pixels = np.rint(255 * picture(90, 120, 3 if mode == "RGB" else None)).astype(np.uint8)
    resize = v2.Resize(48, v2.InterpolationMode(interpolation))
    transform = v2.Compose([resize, v2.CenterCrop(40), v2.PILToTensor()])
    expected = transform(Image.fromarray(pixels)).expand(1, 3, -1, -1).int()
    unit = pixels.astype(np.float32) / 255
    given, _ = to_input(unit, wanted(resize=48, crop=40, interpolation=interpolation))
    levels = (255 * given).round().int()
    assert_close(given, levels / 255)
    assert (levels - expected).abs().max() <= 1
    assert (levels == expected).float().mean() > 0.95


@pytest.mark.parametrize(
    ("changes", "geometry"),
    [
        ({}, Geometry(0, 0, 200, 100)),
        ({"resize": 50}, Geometry(0, 0, 200, 100)),
        ({"resize": (64, 64)}, Geometry(0, 0, 200, 100)),
        ({"resize": 50, "crop": 50}, Geometry(50, 0, 100, 100)),
        ({"resize": 50, "crop": 40}, Geometry(60, 10, 80, 80)),
        ({"resize": (100, 50), "crop": (100, 25)}, Geometry(48, 0, 100, 100)),
        ({"crop": (120, 100)}, Geometry(50, -10, 100, 120)),
    ],
)
def test_the_geometry_is_where_the_input_lies_on_the_image(changes, geometry):
    _, given = to_input(picture(100, 200), wanted(**changes))
    assert given == geometry
    assert Geometry.from_json(given.to_json()) == given


def test_what_the_geometry_frames_is_what_the_input_shows():
    unit = np.zeros((100, 200), np.float32)
    unit[20:30, 120:140] = 1
    given, geometry = to_input(unit, wanted(channels=1, resize=50, crop=40))
    rows, columns = torch.where(given[0, 0] > 0.5)
    scale = geometry.width / given.shape[3]
    assert geometry.y + scale * rows.min() == 20
    assert geometry.x + scale * columns.min() == 120
    assert geometry.x + scale * (columns.max() + 1) == 140


def test_a_crop_larger_than_the_image_is_padded_with_black():
    given, _ = to_input(np.ones((10, 20), np.float32), wanted(channels=1, crop=16))
    assert given.shape == (1, 1, 16, 16)
    assert_close(given[0, 0].mean(1), torch.tensor([0.0] * 3 + [1.0] * 10 + [0.0] * 3))


def test_grey_is_repeated_and_colour_becomes_luma():
    grey, _ = to_input(picture(8, 9, None), wanted())
    assert_close(grey[0, 0], grey[0, 2])
    primaries = np.eye(3, dtype=np.float32)[None]
    luma, _ = to_input(primaries, wanted(channels=1))
    assert_close(luma, torch.tensor([[[[0.299, 0.587, 0.114]]]]))


def test_the_image_given_is_left_alone():
    unit = picture(8, 8, None)
    unit.setflags(write=False)
    given, _ = to_input(unit, wanted(channels=1))
    given.zero_()
    assert unit.max() > 0


def test_black_and_white_are_normalised_as_the_card_says():
    preprocessing = Preprocessing(
        channels=1, mean=(100.0,), std=(50.0,), input_range=(-50.0, 150.0)
    )
    ends = normalise(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2), preprocessing)
    assert ends.flatten().tolist() == [-3.0, 1.0]


def test_each_channel_has_its_own_mean_and_deviation():
    preprocessing = Preprocessing(channels=3, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))
    assert normalise(torch.ones(3, 1, 1), preprocessing).flatten().tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        (np.zeros((4, 4, 4), np.float32), r"shape \(4, 4, 4\); allowed: \(H, W\) or"),
        (np.zeros(4, np.float32), "shape"),
        (np.zeros((1, 1, 4, 3), np.float32), "shape"),
        (np.zeros((0, 4), np.float32), "shape"),
        (np.full((4, 4), 2, np.float32), "holds 2.0 to 2.0; allowed: 0 to 1"),
        (np.full((4, 4), -0.1, np.float32), "allowed: 0 to 1"),
        (np.full((4, 4), np.nan, np.float32), "allowed: 0 to 1"),
        (np.zeros((1, 20_000), np.float32), "20000 x 1 px resizes to 5120000 x 256 px"),
    ],
)
def test_what_is_no_unit_image_is_refused(unit, message):
    with pytest.raises(InputError, match=message):
        to_input(unit, wanted(resize=256))


@pytest.mark.parametrize("aspect", [2.0, 0.5])
@pytest.mark.parametrize("changes", [{"resize": 40, "crop": 40}, {"resize": None, "crop": 60}])
def test_pixels_that_are_not_square_are_given_in_their_true_shape(aspect, changes):
    true = np.outer(np.linspace(0, 1, 120), np.linspace(1, 0, 160)).astype(np.float32)
    squashed = true[::2] if aspect == 2 else true[:, ::2]
    card = wanted(channels=1, interpolation=Interpolation.BILINEAR, **changes)
    expected, place = to_input(true, card)
    given, geometry = to_input(squashed, card, pixel_aspect=aspect)
    assert given.shape == expected.shape
    assert (given - expected).abs().mean() < 0.02
    tall, wide = (0.5, 1) if aspect == 2 else (1, 0.5)
    assert geometry == Geometry(
        place.x * wide, place.y * tall, place.width * wide, place.height * tall
    )
