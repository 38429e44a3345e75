"""How a case is drawn and what a model is given of it."""

from typing import Any

import pytest

from db.tables import Case
from imaging.image import Curve, Shading
from review.state.shown import (
    drawn,
    given_to_model,
    shading_of,
    told_of_model,
    window_on_screen,
)

LUNG = {"preprocessing": {"grey_range": [-1350, 150]}}
PLAIN_CARD: dict[str, Any] = {"preprocessing": {}}


def case(**fields: Any) -> Case:
    known = {"window_low": 864.0, "window_high": 1263.0, "n_channels": 1, "bits": 12}
    known |= {"rescale_slope": 1.0, "rescale_intercept": -1024.0, "acquisition": {}}
    return Case(**(known | fields))


def test_a_case_of_an_earlier_version_is_drawn_and_given_as_before():
    old = case(acquisition={"body_part": "CHEST"})
    assert drawn(old) == {"pixel_aspect": 1.0}
    assert given_to_model(old, PLAIN_CARD) == ((864, 1263), Shading())
    assert window_on_screen(old, LUNG) == (864, 1263)


def test_a_model_is_given_the_range_of_its_card_in_the_file_s_unit():
    given, shading = given_to_model(case(), LUNG)
    assert given == (-326, 1174)
    assert shading == Shading()
    assert told_of_model(case(), LUNG) == [
        "the model was given -1350 as black and 150 as white, by its card"
    ]
    assert told_of_model(case(), PLAIN_CARD) == []


def test_a_turned_image_is_given_the_same_range():
    turned = case(rescale_slope=-1.0, rescale_intercept=3071.0)
    assert given_to_model(turned, LUNG)[0] == (2921, 4421)


@pytest.mark.parametrize(
    "fields", [{"bits": 8}, {"n_channels": 3}, {"acquisition": {"range_from": "table"}}]
)
def test_a_card_s_range_is_for_deep_grey_in_the_file_s_own_values(fields):
    assert given_to_model(case(**fields), LUNG)[0] == (864, 1263)


@pytest.mark.parametrize(
    ("said_by", "window"), [("container", (-326, 1174)), ("file", (864, 1263))]
)
def test_a_card_s_word_goes_before_the_container_s_and_not_the_file_s(said_by, window):
    assert window_on_screen(case(acquisition={"range_from": said_by}), LUNG) == window


def test_padding_stays_black_and_a_curve_is_the_window_s_own():
    kept = {"shading": {"curve": "sigmoid", "padding": [0, 3]}}
    padded = case(acquisition=kept)
    assert shading_of(padded) == Shading(Curve.SIGMOID, (0, 3))
    assert given_to_model(padded, LUNG)[1] == Shading(padding=(0, 3))
    assert drawn(padded) == {"curve": "sigmoid", "padding": (0, 3), "pixel_aspect": 1.0}
