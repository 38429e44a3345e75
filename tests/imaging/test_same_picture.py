"""Equal pictures, equal answers: one picture in every encoding is the same greys and scores."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.child import decode_here
from imaging.encode import to_unit
from imaging.errors import UnsupportedFormatError
from imaging.image import DecodedImage
from imaging.limits import Limits
from models import train_demo
from models.phantoms.patient import Finding
from models.phantoms.phantom import draw_phantom
from tests.imaging.every_encoding import EIGHT_BITS, ENCODINGS, TOP
from xai_core.model.card import read_card
from xai_core.model.loading import load_model
from xai_core.model.prediction import predict
from xai_core.model.preprocessing import to_input

CARD = Path(train_demo.__file__).with_name("phantom-a.toml")


def read(data: bytes, **how) -> DecodedImage:
    return decode_here(data, limits=Limits(), identity_key=bytes(32), **how)


def greys(image: DecodedImage) -> np.ndarray:
    return to_unit(image.pixels, image.window, image.shading)


def picture(seed: int, top: int = TOP) -> np.ndarray:
    """Values that use a part of what they could, half of it or more, differently each time."""
    draw = np.random.default_rng(seed)
    low = draw.integers(0, top // 2)
    high = draw.integers(low + top // 2, top + 1)
    return draw.integers(low, high + 1, (39, 48)).astype(np.uint16 if top > 255 else np.uint8)


@pytest.fixture(scope="module")
def scores():
    model = load_model(read_card(CARD))

    def of(image: DecodedImage) -> np.ndarray:
        unit, _ = to_input(greys(image), model.card.preprocessing, pixel_aspect=image.pixel_aspect)
        return np.asarray(predict(model, unit).scores)

    return of


@pytest.fixture(scope="module")
def phantom() -> np.ndarray:
    drawn = draw_phantom(7_003, finding=Finding.NODULE, bits=12)
    return np.rint(drawn.shown * 3800 + 40).astype(np.uint16)


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_phantom_gets_the_same_scores_in_every_encoding(name, phantom, scores):
    data, how = ENCODINGS[name](phantom)
    plain, _ = ENCODINGS["MONOCHROME2"](phantom)
    np.testing.assert_allclose(scores(read(data, **how)), scores(read(plain)), atol=1e-3)


@pytest.mark.parametrize("name", ENCODINGS)
@settings(max_examples=4, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_greys_are_those_of_the_values_whatever_else_is_in_the_picture(name, seed):
    values = picture(seed)
    data, how = ENCODINGS[name](values)
    image = read(data, **how)
    np.testing.assert_allclose(greys(image), values / TOP, atol=1.01 / TOP)


@pytest.mark.parametrize("name", EIGHT_BITS)
@settings(max_examples=3, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_eight_bits_are_the_same_greys_in_every_encoding(name, seed):
    values = picture(seed, 255)
    shown = greys(read(EIGHT_BITS[name](values)))
    if shown.ndim == 3:
        shown = shown.mean(axis=2)
    np.testing.assert_allclose(shown, values / 255, atol=1e-5)


@pytest.mark.parametrize("name", ["PNG", "PNG, stated", "TIFF", "TIFF, signed", "no window"])
def test_one_brighter_pixel_changes_no_other(name):
    values = picture(1) * 3 // 4
    brighter = values.copy()
    brighter[3, 4] = values.max() + 1
    before, after = (
        greys(read(data, **how)) for data, how in map(ENCODINGS[name], (values, brighter))
    )
    assert (before != after).sum() == 1


@pytest.mark.parametrize("name", ["PNG", "TIFF", "JPEG 2000"])
def test_what_uses_a_few_of_its_bits_is_taken_in_once_its_range_is_stated(name):
    values = np.random.default_rng(1).integers(0, 200, (39, 48)).astype(np.uint16)
    data, how = ENCODINGS[name](values)
    assert how == {}
    with pytest.raises(UnsupportedFormatError, match=r"state which values are black and white"):
        read(data)
    stated = greys(read(data, grey_range=(0, float(TOP))))
    assert (stated.max() <= 1.0, stated.min()) == (True, 0.0)
