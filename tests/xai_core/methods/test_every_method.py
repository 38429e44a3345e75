"""What every method promises, whatever it computes."""

import gc
import json
import random
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.every_method import WAYS, Way, picture
from tests.small_nets import side_by_side, state_of
from xai_core import running
from xai_core.errors import Cancelled, InputError, MemoryExhaustedError, ModelError, TargetError
from xai_core.glossary.entries import METHODS
from xai_core.running import explain_on_cpu_at_last

IMAGE = picture(1)

each_way = pytest.mark.parametrize("way", WAYS, ids=str)


@pytest.fixture(autouse=True, scope="module")
def _quick_collections() -> Iterator[None]:
    """Spare the garbage collector what there was before; it runs whenever memory is short."""
    gc.freeze()
    yield
    gc.unfreeze()


class BrokenError(RuntimeError):
    """What a model raises here."""


def test_every_method_of_the_glossary_is_tried():
    assert {way.key for way in WAYS} == set(METHODS)


@each_way
def test_a_map_names_its_method_its_output_and_its_device(way):
    found = way(way.model(), IMAGE)
    assert found.method == way.key
    assert found.params["output"] == "logit"
    assert found.device.startswith("cpu (")
    assert found.seconds > 0
    assert found.values.dtype is torch.float32
    assert found.values.shape[1:] == IMAGE.shape[2:]
    assert found.values.isfinite().all()
    assert found.values.abs().max() > 0
    assert not found.values.requires_grad
    assert not found.values.is_inference()


@each_way
def test_params_and_measures_are_json(way):
    found = way(way.model(), IMAGE)
    json.dumps([found.params, found.measures, found.notes], allow_nan=False)


def _surroundings() -> dict[str, Any]:
    """Return the settings and generators that all code in the process shares."""
    modules, cudnn = torch.nn.modules.module, torch.backends.cudnn
    return {
        "cudnn": [cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32],
        "matmul": torch.get_float32_matmul_precision(),
        "mkldnn": torch.backends.mkldnn.enabled,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "autocast": [torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda")],
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "hooks": [len(modules._global_forward_hooks), len(modules._global_backward_hooks)],
        "call": nn.Module.__call__,
        "random": [
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist(),
        ],
    }


def _used_model(way: Way) -> nn.Module:
    """Return a model that bears marks of its owner: a gradient, a frozen parameter."""
    model = way.model()
    first, second, *_ = model.parameters()
    first.grad = torch.ones_like(first)
    second.requires_grad_(requires_grad=False)
    return model


@contextmanager
def _breaking(monkeypatch, is_broken: Callable[[int, Tensor], Exception | None]) -> Iterator[list]:
    """Let linear layers, of models and of their copies, fail; yield their calls."""
    own, calls = nn.Linear.forward, []

    def forward(self, x):
        calls.append(len(x))
        error = is_broken(len(calls), x)
        if error is not None:
            raise error
        return own(self, x)

    with monkeypatch.context() as patched:
        patched.setattr(nn.Linear, "forward", forward)
        yield calls


def _succeed(way: Way, model: nn.Module, monkeypatch) -> None:
    way(model, IMAGE)


def _cancel(way: Way, model: nn.Module, monkeypatch) -> None:
    asked = []

    def cancelled():
        asked.append(True)
        return len(asked) == 2 or len(asked) == n_parts

    reports = []
    way(model, IMAGE, progress=lambda *report: reports.append(report))
    n_parts = len(reports)
    with pytest.raises(Cancelled):
        way(model, IMAGE, cancelled=cancelled)


def _n_calls(way: Way, model: nn.Module, monkeypatch) -> int:
    """Return how often linear layers are called."""
    with _breaking(monkeypatch, lambda n_calls, x: None) as calls:
        way(model, IMAGE)
    return len(calls)


def _break(way: Way, model: nn.Module, monkeypatch, *, at_last: bool) -> None:
    n_calls = _n_calls(way, model, monkeypatch)
    first_bad = n_calls if at_last else min(2, n_calls)
    broken = BrokenError("the model is broken")
    with (
        _breaking(monkeypatch, lambda n_calls, x: broken if n_calls >= first_bad else None),
        pytest.raises((BrokenError, ModelError), match="broken"),
    ):
        way(model, IMAGE)


def _refuse(way: Way, model: nn.Module, monkeypatch) -> None:
    with pytest.raises(TargetError):
        way(model, IMAGE, target=99)
    with pytest.raises(InputError):
        way(model, IMAGE, output="certainty")
    with pytest.raises(InputError):
        way(model, IMAGE, chunk_size=0)


ENDS = {
    "success": _succeed,
    "cancel": _cancel,
    "error": lambda *given: _break(*given, at_last=False),
    "late-error": lambda *given: _break(*given, at_last=True),
    "refusal": _refuse,
}


@pytest.mark.parametrize("end", ENDS)
@each_way
def test_nothing_is_left_behind(way, end, monkeypatch):
    model = _used_model(way)
    model_before, around_before = state_of(model), _surroundings()
    attributes = [sorted(vars(module)) for module in model.modules()]
    ENDS[end](way, model, monkeypatch)
    assert state_of(model) == model_before
    assert _surroundings() == around_before
    assert [sorted(vars(module)) for module in model.modules()] == attributes


@each_way
def test_threads_share_a_model_and_get_what_they_get_alone(way):
    model = way.model()
    works = [
        lambda: way(model, picture(1), target=1).values,
        lambda: way(model, picture(2), target=3).values,
    ]
    alone = [work() for work in works]
    for found, expected in zip(side_by_side(*works, times=2), alone, strict=True):
        assert all(torch.equal(values, expected) for values in found)


def test_methods_in_threads_do_not_mix():
    """All methods at once on one model, also those that change what flows back."""
    model = WAYS[0].model()
    ways = [way for way in WAYS if way.model is WAYS[0].model]
    alone = [way(model, IMAGE).values for way in ways]
    works = [lambda way=way: way(model, IMAGE).values for way in ways]
    for found, expected in zip(side_by_side(*works, times=2), alone, strict=True):
        assert all(torch.equal(values, expected) for values in found)


@each_way
def test_a_map_can_be_repeated(way):
    model = way.model()
    first = way(model, IMAGE)
    torch.manual_seed(5)
    again = way(model, IMAGE)
    assert torch.equal(first.values, again.values)
    assert (first.params, first.measures) == (again.params, again.measures)


@pytest.mark.parametrize("way", [way for way in WAYS if way.is_seeded], ids=str)
def test_another_seed_is_another_map_and_is_recorded(way):
    model = way.model()
    maps = [way(model, IMAGE, seed=seed) for seed in (1, 2)]
    assert [found.params["seed"] for found in maps] == [1, 2]
    assert not torch.equal(maps[0].values, maps[1].values)


@each_way
def test_progress_rises_to_the_total(way):
    reports = []
    way(way.model(), IMAGE, progress=lambda *report: reports.append(report))
    done, totals = zip(*reports, strict=True)
    assert len(set(totals)) == 1
    assert all(a < b for a, b in pairwise(done))
    assert done[-1] <= totals[0]
    assert done[-1] == totals[0] or not way.is_whole


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=["no", "inference"])
@each_way
def test_the_callers_mode_changes_nothing(way, mode):
    model = way.model()
    expected = way(model, IMAGE)
    with mode():
        found = way(model, picture(1))
    assert torch.equal(found.values, expected.values)


LAYOUTS = {
    "channels_last": lambda image: image.contiguous(memory_format=torch.channels_last),
    "strided": lambda image: image.repeat_interleave(2, 3)[..., ::2],
    "transposed": lambda image: image.transpose(2, 3).contiguous().transpose(2, 3),
    "expanded": lambda image: image[:, :1].expand(-1, 3, -1, -1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@each_way
def test_how_an_image_lies_in_memory_changes_nothing(way, layout):
    model, image = way.model(), LAYOUTS[layout](IMAGE)
    expected = way(model, image.contiguous())
    found = way(model, image)
    _assert_same_map(found.values, expected.values)


@each_way
def test_a_model_that_lies_channels_last_is_explained_alike(way):
    expected = way(way.model(), IMAGE)
    found = way(way.model().to(memory_format=torch.channels_last), IMAGE)
    _assert_same_map(found.values, expected.values)


@each_way
def test_a_model_in_double_precision_is_explained_alike(way):
    expected = way(way.model(), IMAGE)
    found = way(way.model().double(), IMAGE.double())
    assert found.values.dtype is torch.float32
    _assert_same_map(found.values, expected.values)


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "log_odds"])
@each_way
def test_another_output_is_another_map_and_is_recorded(way, output):
    model = way.model()
    found = way(model, IMAGE, output=output)
    assert found.params["output"] == output
    logits = model(IMAGE)
    score = {
        "softmax": logits.softmax(1)[0, 1],
        "sigmoid": logits[0, 1].sigmoid(),
        "log_odds": logits.softmax(1)[0, 1].logit(),
    }[output]
    assert found.score == pytest.approx(score.item(), rel=1e-4)
    same = torch.allclose(found.values, way(model, IMAGE).values)
    assert same is not way.asks_for_score


@each_way
def test_one_image_at_a_time_gives_the_same_map(way):
    model = way.model()
    _assert_same_map(way(model, IMAGE, chunk_size=1).values, way(model, IMAGE).values)


@each_way
def test_chunks_may_come_from_the_free_memory(way):
    model = way.model()
    _assert_same_map(way(model, IMAGE, chunk_size=None).values, way(model, IMAGE).values)


@each_way
def test_chunks_that_do_not_fit_are_halved(way, monkeypatch):
    model, full = way.model(), torch.OutOfMemoryError("CUDA out of memory")
    expected = way(model, IMAGE)
    with _breaking(monkeypatch, lambda _, x: full if len(x) > 2 else None):
        found = way(model, IMAGE)
    _assert_same_map(found.values, expected.values)


@each_way
def test_where_nothing_fits_the_cpu_takes_over(way, monkeypatch):
    model = way.model()
    expected = way(model, IMAGE)
    monkeypatch.setattr(running, "_device_of", lambda model, image: torch.device("cuda"))
    full, n_tries = torch.OutOfMemoryError("CUDA out of memory"), []

    def explain(given: nn.Module, image: Tensor, **options: Any):
        n_tries.append(given is model)
        with _breaking(monkeypatch, lambda *_: full) if given is model else nullcontext():
            return way(given, image, **options)

    found = explain_on_cpu_at_last(explain, model, IMAGE)
    assert n_tries == [True, False]
    assert torch.equal(found.values, expected.values)
    assert "Computed on the CPU" in found.notes[-1]


@each_way
def test_memory_that_never_suffices_is_said(way, monkeypatch):
    model, full = way.model(), torch.OutOfMemoryError("CUDA out of memory")
    first_bad = min(2, _n_calls(way, model, monkeypatch))
    with (
        _breaking(monkeypatch, lambda n_calls, _: full if n_calls >= first_bad else None),
        pytest.raises(MemoryExhaustedError),
    ):
        way(model, IMAGE)


def test_no_method_holds_on_to_a_model_or_an_image():
    held = []
    for way in WAYS:
        model, image = way.model(), IMAGE.clone()
        way(model, image)
        held += [weakref.ref(model), weakref.ref(image)]
    del model, image
    gc.collect()
    assert [ref() for ref in held] == [None] * len(held)


def _assert_same_map(found: Tensor, expected: Tensor) -> None:
    miss = float((found - expected).abs().max() / expected.abs().max())
    assert miss < 1e-4
