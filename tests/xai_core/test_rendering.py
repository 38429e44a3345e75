from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from xai_core.errors import InputError, MapError
from xai_core.rendering import (
    colourise,
    contrast_lut,
    diverging_lut,
    heat_png,
    overlay_png,
    symmetric_limit,
)

# Viénot, Brettel & Mollon 1999: what a deuteranope sees, on linear RGB.
DEUTERANOPIA = np.array([[0.2928, 0.7072, 0.0], [0.2928, 0.7072, 0.0], [-0.0223, 0.0223, 1.0]])


def linear(rgb):
    return (rgb / 255.0) ** 2.2


def luminance(rgb):
    return linear(rgb) @ [0.2126, 0.7152, 0.0722]


def picture(png):
    return np.array(Image.open(BytesIO(png)).convert("RGB"))


@pytest.fixture(params=[diverging_lut, contrast_lut])
def lut(request):
    return request.param()


def test_zero_is_neutral_and_both_arms_darken_steadily(lut):
    assert lut.shape == (256, 3)
    assert lut.dtype == np.uint8
    assert len(set(lut[128].tolist())) == 1
    light = luminance(lut)
    assert (np.diff(light[1:129]) > 0).all()
    assert (np.diff(light[128:]) < 0).all()


def test_the_ends_stay_apart_for_a_deuteranope(lut):
    against, support = (DEUTERANOPIA @ linear(colour) for colour in lut[[1, 255]])
    assert np.abs(against - support).max() > 0.2


def test_what_sets_maps_against_each_other_has_colours_of_its_own():
    apart = np.abs(diverging_lut()[[1, 255], None].astype(int) - contrast_lut()[[1, 255]])
    assert apart.max(axis=2).min() > 80


def test_values_are_scaled_around_zero():
    lut = diverging_lut()
    colours = colourise(np.array([[-9.0, -1.0, 0.0, 1.0, 9.0]]), limit=1.0)
    np.testing.assert_array_equal(colours[0], lut[[1, 1, 128, 255, 255]])


def test_limit_is_a_percentile_of_the_magnitude():
    heat = np.append(np.linspace(-1, 1, 999), 500.0).reshape(10, 100)
    assert symmetric_limit(heat) == pytest.approx(0.996, abs=0.005)


def test_a_lone_value_sets_the_limit():
    heat = np.zeros((100, 100))
    heat[3, 3] = -2.0
    assert symmetric_limit(heat) == 2.0


@pytest.mark.parametrize("heat", [np.zeros((4, 4)), np.full((4, 4), np.nan)])
def test_maps_without_meaning_are_not_drawn(heat):
    for draw in (heat_png, lambda h: overlay_png(np.zeros((4, 4), np.uint8), h)):
        with pytest.raises(MapError):
            draw(heat)


def test_overlay_colours_support_orange_and_leaves_the_rest():
    image, heat = np.full((40, 60), 90, np.uint8), np.zeros((20, 30))
    heat[:10, :10], heat[10:, 20:] = 1.0, -1.0
    drawn = picture(overlay_png(image, heat, opacity=1.0))
    np.testing.assert_array_equal(drawn[5, 5], diverging_lut()[255])
    np.testing.assert_array_equal(drawn[35, 55], diverging_lut()[1])
    np.testing.assert_array_equal(drawn[5, 55], [90, 90, 90])


def test_overlay_places_the_map_in_its_box():
    image, heat = np.zeros((40, 60, 3), np.uint8), np.array([[1.0, -1.0]])
    drawn = picture(overlay_png(image, heat, box=(20, 10, 40, 30), opacity=1.0))[:40]
    assert drawn[10:30, 20:40].any(axis=2).all()
    drawn[10:30, 20:40] = 0
    assert not drawn.any()


def test_overlay_refuses_what_is_no_8_bit_picture():
    with pytest.raises(InputError, match="image is float64"):
        overlay_png(np.zeros((4, 4)), np.eye(4))


def test_heat_png_shows_every_pixel_and_a_bar():
    drawn = picture(heat_png(np.eye(7)))
    assert drawn.shape == (224 + 28, 224, 3)
    np.testing.assert_array_equal(drawn[16, 16], diverging_lut()[255])
