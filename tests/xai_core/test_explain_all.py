from collections import Counter

import pytest
import torch

from tests.every_method import WAYS, picture
from tests.small_nets import residual
from xai_core import integrated_gradients, occlusion
from xai_core.errors import Cancelled, InputError, TargetError
from xai_core.graph import copies
from xai_core.graph.copies import fingerprint, prepared_copy
from xai_core.running import explain_all

IMAGES = [picture(seed) for seed in range(3)]
WINDOWS = {"window": 6, "stride": 3, "engine": "delta"}


@pytest.fixture
def hashed(monkeypatch):
    """Count how often each model is hashed."""
    counts = Counter()

    def counted(model):
        counts[id(model)] += 1
        return fingerprint(model)

    monkeypatch.setattr(copies, "fingerprint", counted)
    return counts


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_maps_equal_those_of_single_runs(way):
    model = way.model()
    alone = [way(model, image, target=2) for image in IMAGES[:2]]
    together = explain_all(way, model, IMAGES[:2], targets=2)
    for outcome, expected in zip(together, alone, strict=True):
        assert outcome.error is None
        assert torch.equal(outcome.attribution.values, expected.values)


def test_each_image_may_have_its_own_target_and_size():
    images = [IMAGES[0], torch.randn(1, 3, 32, 40)]
    found = list(explain_all(occlusion, residual(), images, targets=[1, 3], **WINDOWS))
    assert [outcome.attribution.target for outcome in found] == [1, 3]
    assert [outcome.attribution.heat.shape for outcome in found] == [(24, 24), (32, 40)]


def test_an_image_that_cannot_be_explained_does_not_stop_the_others():
    too_small = torch.randn(1, 3, 2, 2)
    images = [IMAGES[0], too_small, torch.full((1, 3, 24, 24), torch.nan), IMAGES[1], IMAGES[2]]
    found = list(
        explain_all(integrated_gradients, residual(), images, targets=[1, 1, 1, 99, 1], n_steps=4)
    )
    kinds = [RuntimeError, InputError, TargetError]
    assert all(isinstance(o.error, kind) for o, kind in zip(found[1:4], kinds, strict=True))
    assert all(outcome.attribution is None for outcome in found[1:4])
    assert found[0].attribution is not None
    assert found[4].attribution is not None


def test_progress_rises_over_all_images():
    reports = []
    images = [IMAGES[0], torch.full((1, 3, 24, 24), torch.nan), IMAGES[1]]
    list(
        explain_all(
            integrated_gradients,
            residual(),
            images,
            targets=1,
            n_steps=8,
            chunk_size=2,
            progress=lambda *report: reports.append(report),
        )
    )
    done, totals = zip(*reports, strict=True)
    assert set(totals) == {3000}
    assert list(done) == sorted(done)
    assert {250, 1000, 2000, 2250, 3000} <= set(done)


def test_a_cancel_leaves_what_was_made_before():
    asked, made = [], []

    def cancelled():
        asked.append(True)
        return len(asked) > 5

    with pytest.raises(Cancelled):
        made.extend(
            explain_all(
                integrated_gradients,
                residual(),
                IMAGES,
                targets=1,
                n_steps=8,
                chunk_size=2,
                cancelled=cancelled,
            )
        )
    assert len(made) == 1


def test_the_model_is_hashed_once_for_all_images(hashed):
    model = residual()
    list(explain_all(occlusion, model, IMAGES, targets=1, **WINDOWS))
    assert hashed == {id(model): 1}


def test_a_model_changed_afterwards_is_hashed_again(hashed):
    model = residual()
    outcomes = explain_all(occlusion, model, IMAGES, targets=1, **WINDOWS)
    next(outcomes)
    before = prepared_copy(model)
    model[0].weight.data.mul_(2)
    assert prepared_copy(model) is not before
    assert hashed == {id(model): 3}


def test_a_method_that_needs_no_copy_hashes_nothing(hashed):
    list(explain_all(integrated_gradients, residual(), IMAGES, targets=1, n_steps=2))
    assert not hashed


def test_as_many_targets_as_images_are_asked_for_at_once():
    with pytest.raises(InputError, match="targets are 2; allowed: one, or 3"):
        explain_all(occlusion, residual(), IMAGES, targets=[1, 2], **WINDOWS)


def test_no_images_are_no_outcomes():
    assert list(explain_all(occlusion, residual(), [], targets=1, **WINDOWS)) == []
