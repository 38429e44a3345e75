import json

import numpy as np
import pytest
import torch

from tests.maps import attribution
from tests.small_nets import Linear
from xai_core import integrated_gradients, occlusion
from xai_core.errors import Cancelled, MapError
from xai_core.measures.assess import assess
from xai_core.measures.trial import hold_trial
from xai_core.runtime.run import Run

SIDE = 32
MODEL = Linear(torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(1))).eval()
IMAGE = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2)) + 0.5
PARTS = (MODEL.weight.detach() * IMAGE[0, 0]).numpy()


@pytest.fixture(scope="module")
def trial():
    return hold_trial(MODEL, IMAGE, 0.0, target=1)


def test_exact_maps_of_a_linear_model_are_good(trial):
    gradients = integrated_gradients(MODEL, IMAGE, target=1)
    covered = occlusion(MODEL, IMAGE, target=1, window=2, stride=2)
    for map_, other in ((gradients, covered), (covered, gradients)):
        found = assess(map_, other, trial)
        assert (found["badge"], found["reasons"]) == ("good", [])
        assert found["agreement"]["with"] == other.method
        assert found["agreement"]["spearman"] == pytest.approx(1)
        assert found["infidelity"]["share"] == pytest.approx(0, abs=1e-6)
        assert found["faithfulness"]["gap"] > 0.5


def test_a_map_turned_round_is_poor(trial):
    found = assess(attribution(-PARTS), None, trial)
    assert found["badge"] == "poor"
    assert found["faithfulness"]["gap"] < -0.5
    assert "unrelated maps reach 0" in found["reasons"][0]


def test_a_map_alone_is_compared_with_none(trial):
    assert assess(attribution(PARTS), None, trial)["agreement"] is None


@pytest.mark.parametrize("value", [np.nan, 0.5])
def test_maps_that_say_nothing_cost_no_pass(trial, value):
    heat = np.full((SIDE, SIDE), value)
    passes = []
    found = assess(attribution(heat), None, trial, Run(progress=lambda *done: passes.append(done)))
    assert (found["badge"], len(found["reasons"])) == ("poor", 1)
    assert (found["faithfulness"], found["infidelity"], passes) == (None, None, [])


def test_an_image_that_scores_as_its_baseline_is_said():
    same = hold_trial(MODEL, IMAGE, IMAGE, target=1)
    found = assess(attribution(PARTS), None, same)
    assert (found["no_span"], found["badge"]) == (True, "caution")
    assert (found["faithfulness"], found["infidelity"]) == (None, None)


def test_the_trial_must_be_about_the_same_prediction(trial):
    with pytest.raises(MapError, match="logit of class 0; allowed here: logit of class 1"):
        assess(attribution(PARTS, target=0), None, trial)
    odds = hold_trial(MODEL, IMAGE, 0.0, target=1, output="log_odds")
    with pytest.raises(MapError, match="allowed here: log_odds"):
        assess(attribution(PARTS), None, odds)


def test_refuses_a_map_of_another_size(trial):
    with pytest.raises(MapError, match="allowed: finite and"):
        assess(attribution(PARTS[:16]), None, trial)


def test_a_cancel_is_heard(trial):
    with pytest.raises(Cancelled):
        assess(attribution(PARTS), None, trial, Run(cancelled=lambda: True))


def test_what_is_stored_with_a_map_is_json_safe_and_flat_in_its_keys(trial):
    found = assess(attribution(PARTS, delta=0.001), attribution(PARTS, method="rise"), trial)
    assert json.loads(json.dumps(found)) == found
    assert set(found) == {
        "flat",
        "nan",
        "no_span",
        "relative_delta",
        "corner_share",
        "border_share",
        "top_cell",
        "top_pixel",
        "saturated_share",
        "agreement",
        "faithfulness",
        "infidelity",
        "badge",
        "reasons",
    }
