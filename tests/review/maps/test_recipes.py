import pytest

import xai_core
from db.tables import Case, Model
from review.catalogue import OFFERED, PAIR, PRESETS, Stepping
from review.maps.recipes import Recipe, RecipeError, job_key, map_key
from tests import builders
from xai_core.baselines import BY_NAME
from xai_core.glossary.entries import METHODS
from xai_core.model.card import BASELINES


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


def test_jobs_and_maps_of_earlier_versions_keep_their_keys() -> None:
    case = Case(id=1, image_sha256="a" * 64, window_low=0.0, window_high=255.0)
    model = Model(id=1, weights_sha256="b" * 64, card={})
    old = Recipe("standard", "black", None, Stepping.FIXED)
    maps = [map_key(case, model, method, recipe=old, target=1) for method in PAIR]
    assert [job_key(case, model, old), *maps] == [
        "37ce0b28d4024104d53b8bfcfd6a253514e010815ef2e881290b9306944ece66",
        "41d7a1aa7fabab03f284b9796d1b2a4607609ac0bc94cd625e1a5135288206e4",
        "a5dd4864f6c88b60d8cae31376978703d15634c9ccce3f00e1256963079af219",
    ]


def test_a_job_of_an_earlier_version_is_read_as_what_it_meant() -> None:
    payload = {"case_id": 1, "model_id": 2, "preset": "quick", "baseline": None, "target": None}
    recipe = Recipe.from_json(payload)
    assert (recipe.stepping, recipe.methods) == (Stepping.FIXED, PAIR)
    assert recipe.to_json() == {"preset": "quick", "baseline": None, "target": None}


def test_adaptive_steps_concern_integrated_gradients_alone(workspace) -> None:
    fixed, adaptive = (
        Recipe(stepping=stepping) for stepping in (Stepping.FIXED, Stepping.ADAPTIVE)
    )
    with workspace.begin() as session:
        case, model = builders.case(session), builders.model(session)

        def keys(method: str) -> set[str]:
            return {
                map_key(case, model, method, recipe=recipe, target=0)
                for recipe in (fixed, adaptive)
            }

        assert len(keys("integrated_gradients")) == 2
        assert len(keys("occlusion")) == 1
    assert adaptive.has_made("occlusion", fixed.for_map("occlusion"))
    assert not adaptive.has_made("integrated_gradients", fixed.for_map("integrated_gradients"))


@pytest.mark.parametrize("method", PAIR)
def test_what_is_stored_with_a_map_is_its_recipe(method):
    recipe = Recipe("quick", "mean", 2, Stepping.ADAPTIVE, (method,))
    found = Recipe.of_map(method, recipe.for_map(method), target=2)
    assert found.for_map(method) == recipe.for_map(method)
    assert recipe.has_made(method, found.for_map(method))


def test_a_map_whose_recipe_nobody_recorded_is_no_recipes_map():
    assert not Recipe().has_made("occlusion", None)
    with pytest.raises(RecipeError, match="does not say with which preset"):
        Recipe.of_map("occlusion", None, target=0)


def test_every_method_on_offer_is_there_and_has_words() -> None:
    for method in OFFERED:
        assert callable(getattr(xai_core, method))
        assert METHODS[method].name


def test_effort_grows_with_the_preset() -> None:
    for offer in OFFERED.values():
        for numbers in offer.efforts.values():
            assert list(numbers.values()) == sorted(numbers.values())
