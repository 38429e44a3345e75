import numpy as np
import pytest
import torch
from torch import nn

from tests.small_nets import Linear, residual, state_of
from xai_core.errors import Cancelled, InputError, ModelError, TargetError
from xai_core.measures.trial import hold_trial

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


def test_a_square_takes_from_a_linear_score_what_it_holds():
    trial = linear_trial(n_squares=20)
    expected = [PARTS[square].sum() for square in trial.squares]
    np.testing.assert_allclose(trial.falls, expected, atol=1e-5)


def test_squares_are_squares_of_many_sizes():
    squares = linear_trial(n_squares=40).squares
    heights, widths = squares.any(2).sum(1), squares.any(1).sum(1)
    np.testing.assert_array_equal(heights, widths)
    np.testing.assert_array_equal(squares.sum((1, 2)), heights**2)
    assert {1, 2, 3, 4} == set(heights.tolist())


def test_random_orders_take_on_average_an_equal_part_at_each_step():
    trial = linear_trial(n_steps=4, n_random=400)
    assert trial.counts == (16, 32, 48)
    expected = PARTS.sum() * np.array([0.75, 0.5, 0.25])
    np.testing.assert_allclose(trial.random_scores, expected, atol=0.05 * np.abs(PARTS).sum())


def test_the_same_seed_gives_the_same_trial():
    first, again, other = linear_trial(seed=3), linear_trial(seed=3), linear_trial(seed=4)
    np.testing.assert_array_equal(first.random_scores, again.random_scores)
    np.testing.assert_array_equal(first.squares, again.squares)
    assert not np.array_equal(first.squares, other.squares)


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
        n_squares=5,
        chunk_size=4,
        progress=lambda done, total: reports.append((done, total)),
    )
    assert reports == [(4, 16), (8, 16), (12, 16), (16, 16)]
    with pytest.raises(Cancelled):
        linear_trial(cancelled=lambda: True)


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
