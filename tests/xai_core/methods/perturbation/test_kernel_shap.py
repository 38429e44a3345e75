import json
from itertools import permutations

import numpy as np
import pytest
import torch
from captum.attr import KernelShap
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from xai_core.errors import Cancelled, InputError
from xai_core.methods.perturbation.coalitions import Coalitions, fit
from xai_core.methods.perturbation.kernel_shap import kernel_shap
from xai_core.superpixels import grid_segments


class Game(nn.Module):
    """Scores (0, max(x0, x1) + x2 x3 + 2 x4 + ...) of the pixels of one row."""

    def forward(self, x):
        pixels = x.flatten(1)
        score = pixels[:, :2].amax(1) + pixels[:, 2] * pixels[:, 3] + 2 * pixels[:, 4:].sum(1)
        return torch.stack([torch.zeros_like(score), score], dim=1)


class Network(nn.Sequential):
    """A random network of one row of n pixels, far from additive."""

    def __init__(self, n):
        torch.manual_seed(n)
        super().__init__(nn.Flatten(), nn.Linear(n, 16), nn.ReLU(inplace=True), nn.Linear(16, 2))
        self.eval()


def row(*pixels):
    return torch.tensor([[[pixels]]])


def values_by_permutations(score, n):
    """Shapley's own definition: the mean rise over all orders in which regions can come in."""
    values = np.zeros(n)
    orders = list(permutations(range(n)))
    for order in orders:
        present = np.zeros(n, dtype=bool)
        for region in order:
            before = score(present)
            present[region] = True
            values[region] += (score(present) - before) / len(orders)
    return values


def test_shapley_values_of_a_game_done_by_hand():
    result = kernel_shap(
        Game().eval(), row(3.0, 1.0, 2.0, 5.0, 7.0), target=1, segments=grid_segments(1, 5, cell=1)
    )
    # max(3, 1): 1 shared by halves, 2 for the larger alone; 2 * 5 by halves; 2 * 7.
    expected = [2.5, 0.5, 5.0, 5.0, 14.0]
    assert result.measures["region_values"] == pytest.approx(expected, abs=1e-6)
    assert result.heat[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert result.measures["n_coalitions"] == 30
    assert result.measures["standard_error"] == 0.0
    assert result.measures["r_squared"] < 1


@pytest.mark.parametrize("n", [2, 3, 6])
def test_all_coalitions_give_shapleys_definition(n):
    model, image = Network(n), row(*torch.randn(n, generator=torch.Generator().manual_seed(1)))

    def score(present):
        with torch.no_grad():
            shown = torch.where(torch.from_numpy(present), image, -0.5)
            return float(model(shown)[0, 1])

    result = kernel_shap(
        model, image, target=1, segments=grid_segments(1, n, cell=1), baseline=-0.5
    )
    assert result.measures["region_values"] == pytest.approx(
        values_by_permutations(score, n), abs=1e-5
    )


@settings(max_examples=15)
@given(n=st.integers(2, 20), seed=st.integers(0, 2**16))
def test_drawn_values_sum_to_the_change_and_are_exact_for_additive_scores(n, seed):
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(n, 3)).eval()
    image = torch.randn(1, 1, 1, n, generator=generator)
    segments = torch.randperm(n, generator=generator).view(1, n)
    result = kernel_shap(model, image, target=2, segments=segments, n_samples=10 * n, seed=seed)
    expected = (model[1].weight[2].detach() * image[0, 0, 0])[segments[0].argsort()]
    values = torch.tensor(result.measures["region_values"])
    assert_close(values, expected, atol=1e-4, rtol=1e-3)
    assert float(values.sum()) == pytest.approx(result.score - result.baseline_score, abs=1e-4)
    assert result.measures["r_squared"] == pytest.approx(1, abs=1e-4)
    assert result.measures["standard_error"] < 1e-4


def test_drawn_values_agree_with_all_within_their_standard_error():
    n, model = 12, Network(12)
    image = torch.randn(1, 1, 1, n, generator=torch.Generator().manual_seed(3))
    segments = grid_segments(1, n, cell=1)

    def explain(n_samples, seed):
        result = kernel_shap(
            model, image, target=0, segments=segments, n_samples=n_samples, seed=seed
        )
        return (
            np.array(result.measures["region_values"]),
            np.array(result.measures["standard_errors"]),
        )

    exact, none = explain(2**n, 0)
    assert not none.any()
    drawn = [explain(200, seed) for seed in range(60)]
    values, errors = (np.array(each) for each in zip(*drawn, strict=True))
    spread = values.std(0, ddof=1)
    assert errors.mean() == pytest.approx(spread.mean(), rel=0.15)
    assert (np.abs(values.mean(0) - exact) < 4 * spread / np.sqrt(60)).all()
    assert not np.array_equal(values[0], values[1])
    assert np.array_equal(explain(200, 0)[0], values[0])


def test_equals_captums_in_expectation():
    n, model = 5, Network(5)
    image = torch.randn(1, 1, 1, n, generator=torch.Generator().manual_seed(5))
    segments = grid_segments(1, n, cell=1)
    torch.manual_seed(0)
    theirs = torch.stack(
        [
            KernelShap(model).attribute(
                image, target=1, feature_mask=segments[None, None], n_samples=150
            )[0, 0, 0]
            for _ in range(12)
        ]
    )
    ours = kernel_shap(model, image, target=1, segments=segments).heat[0]
    assert ((theirs.mean(0) - ours).abs() < 4 * theirs.std(0, correction=1) / 12**0.5 + 1e-3).all()


def test_pairs_have_less_spread_than_captums_draws():
    n, model = 8, Network(8)
    image = torch.randn(1, 1, 1, n, generator=torch.Generator().manual_seed(5))
    segments = grid_segments(1, n, cell=1)
    torch.manual_seed(0)
    theirs, ours = (
        torch.stack([draw(seed) for seed in range(12)]).std(0).mean()
        for draw in (
            lambda _: KernelShap(model).attribute(
                image, target=1, feature_mask=segments[None, None], n_samples=100
            )[0, 0, 0],
            lambda seed: kernel_shap(
                model, image, target=1, segments=segments, n_samples=100, seed=seed
            ).heat[0],
        )
    )
    assert ours < 0.7 * theirs


@given(n=st.integers(2, 10))
@settings(max_examples=9)
def test_all_coalitions_are_there_once_with_shapleys_weights(n):
    coalitions = Coalitions.of(n, n_samples=2**n, seed=0)
    members = {tuple(member) for member in coalitions.members.tolist()}
    assert len(members) == len(coalitions.members) == 2**n - 2
    assert coalitions.is_complete
    sizes = coalitions.members.sum(1)
    by_size = [np.tile(coalitions.weights, 2)[sizes == k].sum() for k in range(1, n)]
    expected = [1 / (k * (n - k)) for k in range(1, n)]
    assert by_size / np.sum(by_size) == pytest.approx(np.array(expected) / np.sum(expected))


def test_drawn_sizes_follow_shapleys_kernel():
    n = 6
    coalitions = Coalitions.of(n, n_samples=60, seed=2)
    assert not coalitions.is_complete
    assert coalitions.present.shape == (30, n)
    many = Coalitions._drawn(n, 40_000, torch.Generator().manual_seed(0))
    sizes = np.bincount(many.present.sum(1), minlength=n)[1:n] / 40_000
    expected = np.array([1 / (k * (n - k)) for k in range(1, n)])
    assert sizes == pytest.approx(expected / expected.sum(), abs=0.01)
    assert many.present.mean(0) == pytest.approx(np.full(n, 0.5), abs=0.01)


def test_a_score_that_never_changes_has_no_r_squared():
    coalitions = Coalitions.of(4, n_samples=99, seed=0)
    fitted = fit(coalitions, np.full(14, 2.0), empty=2.0, full=2.0)
    assert fitted.r_squared is None
    assert not fitted.values.any()


def test_the_record_is_json_and_chunks_do_not_matter():
    n, model = 6, Network(6)
    image = torch.randn(1, 1, 1, n, generator=torch.Generator().manual_seed(5))
    options = {"target": 1, "segments": grid_segments(1, n, cell=1), "n_samples": 20}
    seen = []
    result = kernel_shap(
        model,
        image,
        chunk_size=7,
        progress=lambda done, total: seen.append((done, total)),
        **options,
    )
    assert seen == [(7, 20), (14, 20), (20, 20)]
    assert_close(result.values, kernel_shap(model, image, chunk_size=1, **options).values)
    json.dumps([result.params, result.measures])
    with pytest.raises(Cancelled):
        kernel_shap(model, image, cancelled=lambda: True, **options)


def test_too_few_samples_or_regions_are_refused():
    image = torch.zeros(1, 1, 1, 8)
    with pytest.raises(InputError, match="n_samples is 15; allowed for 8 regions: 16 or more"):
        kernel_shap(Network(8), image, target=0, segments=grid_segments(1, 8, cell=1), n_samples=15)
    with pytest.raises(InputError, match=r"n_samples is 99.5"):
        Coalitions.of(8, n_samples=99.5, seed=0)
    with pytest.raises(InputError, match="1 region"):
        kernel_shap(Network(8), image, target=0, segments=grid_segments(1, 8, cell=8))
    same = Coalitions(np.tile([[True, True, False]], (9, 1)), np.full(9, 1 / 9), is_complete=False)
    with pytest.raises(InputError, match="too few to tell 3 regions apart"):
        fit(same, np.zeros(18), empty=0.0, full=0.0)
