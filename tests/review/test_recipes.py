import pytest

from review.recipes import PRESETS, Recipe, map_key
from tests import builders
from xai_core.baselines import BY_NAME
from xai_core.card import BASELINES


@pytest.mark.parametrize(
    ("preset", "window_px", "stride_px"),
    [("quick", 16, 16), ("standard", 16, 8), ("publication", 16, 4)],
)
def test_the_window_follows_the_input_and_the_stride_the_preset(
    preset: str, window_px: int, stride_px: int
) -> None:
    effort = PRESETS[preset]
    assert effort.window_px(224, 224) == window_px
    assert effort.stride_px(window_px) == stride_px


def test_even_the_smallest_input_has_a_window() -> None:
    effort = PRESETS["publication"]
    assert (effort.window_px(8, 8), effort.stride_px(1)) == (1, 1)


def test_every_baseline_of_the_core_can_be_asked_for() -> None:
    assert tuple(BY_NAME) == BASELINES


def test_a_recipe_survives_the_job_table() -> None:
    recipe = Recipe("quick", "noise", 3)
    assert Recipe.from_json({"case_id": 1, **recipe.to_json()}) == recipe


def test_a_key_says_what_a_map_depends_on(workspace) -> None:
    with workspace.begin() as session:
        case, model = builders.case(session), builders.model(session)
        recipe = Recipe()

        def key(method: str = "occlusion", target: int = 0, **changes: str) -> str:
            changed = Recipe(**{**recipe.to_json(), **changes})
            return map_key(case, model, method, recipe=changed, target=target)

        keys = [key(), key("integrated_gradients"), key(target=1), key(baseline="white")]
        keys += [key(preset="quick")]
        case.window_high += 1
        keys += [key()]
        model.card = model.card | {"preprocessing": {"resize": 8}}
        keys += [key()]
    assert len(set(keys)) == len(keys)


def test_the_card_chooses_the_baseline_unless_somebody_does() -> None:
    assert Recipe().for_card({"baseline": "blurred"}).baseline_name == "blurred"
    assert Recipe(baseline="white").for_card({"baseline": "blurred"}).baseline_name == "white"
    assert Recipe().for_card({}).baseline_name == "black"
