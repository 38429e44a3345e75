import json

import numpy as np
import pytest
import torch
from torch import nn

from tests.small_nets import Linear, residual
from xai_core.errors import MapError
from xai_core.measures.faithfulness import Curve, Faithfulness, faithfulness, strongest_first
from xai_core.measures.trial import hold_trial

RNG = np.random.default_rng(0)


def four_pixels(*, n_steps=4, baseline=0.0):
    """Return a trial of scores that are sums of parts 4, 3, 2, 1 of four pixels."""
    image = torch.tensor([[[[4.0, 3.0], [2.0, 1.0]]]])
    model = Linear(torch.ones(2, 2)).eval()
    return hold_trial(model, image, baseline, target=1, n_steps=n_steps)


PARTS = np.array([[4.0, 3.0], [2.0, 1.0]])


def test_the_curves_of_four_pixels_by_hand():
    found = faithfulness(PARTS, four_pixels())
    assert found.deletion.shares == (0, 0.25, 0.5, 0.75, 1)
    np.testing.assert_allclose(found.deletion.scores, [1, 0.6, 0.3, 0.1, 0])
    np.testing.assert_allclose(found.insertion.scores, [0, 0.4, 0.7, 0.9, 1])
    assert found.deletion.auc == pytest.approx((0.5 + 0.6 + 0.3 + 0.1) / 4)
    assert found.insertion.auc == pytest.approx((0.4 + 0.7 + 0.9 + 0.5) / 4)
    assert found.gap == pytest.approx(0.25)


def test_the_reverse_order_has_the_reverse_gap():
    trial = four_pixels()
    assert faithfulness(-PARTS, trial).gap == pytest.approx(-0.25)


def test_an_order_and_its_reverse_are_each_others_curves_read_backwards():
    image = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    trial = hold_trial(residual(), image, 0.0, target=2, n_steps=8)
    heat = RNG.normal(size=(24, 24))
    found, reverse = faithfulness(heat, trial), faithfulness(-heat, trial)
    np.testing.assert_allclose(found.insertion.scores, reverse.deletion.scores[::-1], atol=1e-4)


def test_a_map_that_knows_nothing_has_no_gap_on_average():
    image = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    trial = hold_trial(residual(), image, 0.0, target=2, n_steps=6)
    gaps = [faithfulness(RNG.normal(size=(24, 24)), trial).gap for _ in range(60)]
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / 60**0.5


def test_the_random_curve_lies_between_deletion_and_insertion():
    found = faithfulness(PARTS, four_pixels())
    assert found.deletion.auc < found.random.auc < found.insertion.auc


def test_a_baseline_that_scores_higher_turns_the_ends_round():
    found = faithfulness(PARTS - 10, four_pixels(baseline=10.0))
    np.testing.assert_allclose(found.insertion.scores[::4], [0, -1])
    np.testing.assert_allclose(found.deletion.scores[::4], [-1, 0])
    assert found.gap == pytest.approx(0.25 * 10 / 30)


def test_a_score_without_span_has_no_curves():
    trial = hold_trial(residual(), torch.ones(1, 3, 24, 24), 1.0, target=2)
    assert faithfulness(RNG.normal(size=(24, 24)), trial) is None


def test_places_on_which_a_map_is_silent_are_in_no_order():
    image = torch.rand(1, 1, 16, 16)
    trial = hold_trial(Linear(torch.ones(16, 16)).eval(), image, 0.0, target=1)
    heat = np.zeros((16, 16))
    heat[15, 15] = 1
    order = strongest_first(heat, trial)
    assert order[0] == 255
    rows = order[1:] // 16
    assert abs(np.corrcoef(np.arange(255), rows)[0, 1]) < 0.2


@pytest.mark.parametrize("heat", [np.ones((2, 3)), np.full((2, 2), np.inf)])
def test_refuses_maps_that_do_not_fit(heat):
    with pytest.raises(MapError, match="allowed"):
        faithfulness(heat, four_pixels())


def test_a_gap_is_wide_only_beside_the_range_of_the_scores():
    shares = (0.0, 0.5, 1.0)
    far = Faithfulness(
        deletion=Curve(shares, (1.0, -1.0, 0.0)),
        insertion=Curve(shares, (0.0, 9.0, 1.0)),
        random=Curve(shares, (1.0, 5.0, 0.0)),
    )
    assert far.insertion.auc - far.deletion.auc == pytest.approx(5.0)
    assert far.gap == pytest.approx(0.5)


def test_the_area_of_a_curve_is_by_trapezoids():
    assert Curve((0.0, 0.5, 1.0), (1.0, 0.0, 1.0)).auc == 0.5


def test_what_is_stored_holds_areas_and_curves():
    stored = faithfulness(PARTS, four_pixels()).to_json()
    assert json.loads(json.dumps(stored)) == stored
    # The scores run from 0 to 1.
    assert stored["gap"] == pytest.approx(stored["insertion_auc"] - stored["deletion_auc"])
    assert len(stored["shares"]) == len(stored["random"]) == 5


def test_a_model_that_writes_into_its_input_spoils_nothing():
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(16, 2)).eval()
    image = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    before = image.clone()
    faithfulness(RNG.normal(size=(4, 4)), hold_trial(model, image, 0.0, target=0))
    assert torch.equal(image, before)
