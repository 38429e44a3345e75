import pytest
import torch
from torch import Tensor

from review.trusting import assess
from xai_core.attribution import Attribution

SIDE = 32
GENERATOR = torch.Generator().manual_seed(0)
NOISE = torch.randn(1, SIDE, SIDE, generator=GENERATOR)


def gradients(values: Tensor = NOISE, *, delta: float = 0.0, span: float = 1.0) -> Attribution:
    return Attribution(
        values=values,
        target=0,
        method="integrated_gradients",
        params={},
        seconds=0.1,
        device="cpu",
        score=span,
        baseline_score=0.0,
        convergence_delta=delta,
    )


def occluded(values: Tensor = NOISE) -> Attribution:
    return Attribution(
        values=values,
        target=0,
        method="occlusion",
        params={},
        seconds=0.1,
        device="cpu",
        score=1.0,
    )


def test_maps_that_agree_and_add_up_are_good() -> None:
    found = assess(gradients(), occluded())
    assert (found["badge"], found["reasons"]) == ("good", [])
    assert found["agreement"]["with"] == "occlusion"
    assert found["agreement"]["spearman"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("delta", "badge"), [(0.01, "good"), (0.1, "caution"), (-0.1, "caution"), (0.5, "poor")]
)
def test_a_sum_that_misses_counts_against_the_map(delta: float, badge: str) -> None:
    found = assess(gradients(delta=delta), occluded())
    assert found["badge"] == badge
    assert found["relative_delta"] == pytest.approx(abs(delta))


def test_a_map_without_anything_to_add_up_to_says_so() -> None:
    found = assess(gradients(span=0.0), occluded())
    assert found["relative_delta"] is None
    assert "proves nothing" in found["reasons"][0]


def test_maps_that_contradict_each_other_say_so() -> None:
    found = assess(occluded(-NOISE), gradients())
    assert found["badge"] == "poor"
    assert "rank correlation is -1.00" in found["reasons"][0]


def test_attribution_in_a_corner_asks_for_caution() -> None:
    values = torch.zeros(1, SIDE, SIDE)
    values[0, :4, :4] = 1
    found = assess(gradients(values), occluded(values))
    assert (found["badge"], found["corner_share"]) == ("caution", 1.0)
    assert "100% of what speaks for the class lies in the corners." in found["reasons"]


def test_a_marker_is_seen_through_noise_all_over_the_map() -> None:
    values = NOISE.clone()
    values[0, 2:6, 2:6] += 12
    found = assess(gradients(values), occluded(values))
    assert found["corner_share"] > 0.33
    assert assess(gradients(), occluded())["corner_share"] < 0.25


def test_a_flat_map_is_poor_and_compared_with_nothing() -> None:
    found = assess(gradients(), occluded(torch.zeros(1, SIDE, SIDE)))
    assert found["agreement"] is None
    flat = assess(occluded(torch.zeros(1, SIDE, SIDE)), gradients())
    assert (flat["flat"], flat["badge"], flat["corner_share"]) == (True, "poor", 0.0)


def test_a_map_with_nan_is_poor_and_measured_no_further() -> None:
    values = NOISE.clone()
    values[0, 0, 0] = float("nan")
    found = assess(gradients(values, delta=float("nan")), occluded())
    assert (found["nan"], found["badge"], found["relative_delta"]) == (True, "poor", None)
