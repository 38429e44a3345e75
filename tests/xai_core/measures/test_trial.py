import numpy as np
import pytest
import torch
from torch import nn

from tests.small_nets import Linear, residual, state_of
from xai_core.errors import Cancelled, InputError, ModelError, TargetError
from xai_core.measures.trial import hold_trial
from xai_core.runtime.run import Run

SIDE = 8
WEIGHT = torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(1))
IMAGE = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2)) + 0.5
PARTS = (WEIGHT * IMAGE[0, 0]).numpy().astype(np.float64)  # of F(image), by pixel


def linear_trial(**options):
    return hold_trial(Linear(WEIGHT).eval(), IMAGE, 0.0, target=1, **options)


def test_the_ends_are_the_image_and_the_baseline():
    trial = linear_trial()
    assert trial.f_image == pytest.approx(PARTS.sum(), rel=1e-5)
    assert (trial.f_baseline, trial.span) == (0.0, trial.f_image)


def test_a_region_takes_from_a_linear_score_what_it_holds():
    trial = linear_trial()
    expected = [PARTS[region].sum() for region in trial.regions]
    np.testing.assert_allclose(trial.drops, expected, atol=1e-5)


@pytest.mark.parametrize("side", [8, 16])
def test_regions_are_the_image_s_quarters_and_its_ninths(side):
    image = torch.rand(1, 1, side, side)
    regions = hold_trial(Linear(torch.ones(side, side)).eval(), image, 0.0, target=1).regions
    for parts in (regions[:4], regions[4:]):
        np.testing.assert_array_equal(parts.sum(0), 1)
    assert {int(region.sum()) for region in regions[:4]} == {(side // 2) ** 2}
    lengths = {(int(r.any(1).sum()), int(r.any(0).sum())) for r in regions[4:]}
    assert max(max(each) for each in lengths) - min(min(each) for each in lengths) == 1


def test_an_image_of_few_pixels_has_a_trial_too():
    trial = hold_trial(
        Linear(torch.ones(2, 2)).eval(), torch.ones(1, 1, 2, 2), 0.0, target=1, n_steps=2
    )
    np.testing.assert_allclose(trial.drops, trial.regions.sum((1, 2)))


def test_random_orders_take_on_average_an_equal_part_at_each_step():
    trial = linear_trial(n_steps=4, n_random=400)
    assert trial.counts == (16, 32, 48)
    expected = PARTS.sum() * np.array([0.75, 0.5, 0.25])
    np.testing.assert_allclose(trial.random_scores, expected, atol=0.05 * np.abs(PARTS).sum())


def test_the_same_seed_gives_the_same_trial():
    first, again, other = linear_trial(seed=3), linear_trial(seed=3), linear_trial(seed=4)
    np.testing.assert_array_equal(first.random_scores, again.random_scores)
    assert not np.array_equal(first.random_scores, other.random_scores)


def test_a_span_of_rounding_alone_is_none():
    trial = hold_trial(Linear(WEIGHT).eval(), IMAGE, IMAGE * (1 + 1e-7), target=1)
    assert trial.span == 0


def test_a_model_that_cannot_be_traced_is_asked_itself():
    class Branching(Linear):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else super().forward(2 * x)

    trial = hold_trial(Branching(WEIGHT).eval(), IMAGE, 0.0, target=1)
    assert trial.f_image == pytest.approx(PARTS.sum(), rel=1e-5)


def test_the_prepared_copy_answers_as_the_model_does():
    model = residual()
    image = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    trial = hold_trial(model, image, 0.0, target=2)
    with torch.no_grad():
        expected = model(torch.cat([image, torch.zeros_like(image)]))[:, 2]
    np.testing.assert_allclose([trial.f_image, trial.f_baseline], expected, rtol=1e-5)


def test_the_model_is_left_as_it_was():
    model = residual()
    before = state_of(model)
    hold_trial(model, torch.rand(1, 3, 24, 24), 0.0, target=2)
    assert state_of(model) == before


def test_progress_counts_passes_and_a_cancel_is_heard():
    reports = []
    linear_trial(
        n_steps=4,
        n_random=3,
        run=Run(chunk_size=8, progress=lambda *done: reports.append(done)),
    )
    assert reports == [(8, 24), (16, 24), (24, 24)]
    with pytest.raises(Cancelled):
        linear_trial(run=Run(cancelled=lambda: True))


@pytest.mark.parametrize("options", [{"n_steps": 1}, {"n_steps": 65}, {"n_random": 0}])
def test_refuses_numbers_that_make_no_curve(options):
    with pytest.raises(InputError, match="allowed"):
        linear_trial(**options)


def test_refuses_what_cannot_be_explained():
    model = Linear(WEIGHT).eval()
    with pytest.raises(TargetError):
        hold_trial(model, IMAGE, 0.0, target=2)
    with pytest.raises(ModelError, match="train mode"):
        hold_trial(nn.Sequential(Linear(WEIGHT)).train(), IMAGE, 0.0, target=1)
    with pytest.raises(InputError, match="baseline"):
        hold_trial(model, IMAGE, torch.zeros(3, 9, 9), target=1)
