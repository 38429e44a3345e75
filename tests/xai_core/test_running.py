import time

import pytest
import torch
from torch import nn

from tests.every_method import WAYS, picture
from xai_core import Attribution, integrated_gradients, occlusion
from xai_core import running as module
from xai_core.errors import Cancelled, MemoryExhaustedError, TargetError
from xai_core.running import estimate, explain_on_cpu_at_last

IMAGE = torch.rand(1, 3, 64, 64)


def _model():
    layers = [nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2)).eval()


class Clock:
    """Time that passes only when a method says so."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def _method(clock, *, setup_seconds, first_seconds, chunk_seconds, n_chunks):
    def explain(model, image, *, target, progress, cancelled):
        clock.now += setup_seconds
        for n_done in range(n_chunks):
            if cancelled():
                raise Cancelled("cancelled")
            clock.now += chunk_seconds if n_done else first_seconds
            progress(8 * (n_done + 1), 8 * n_chunks)

    return explain


@pytest.mark.parametrize("n_chunks", [1, 2, 3, 200])
def test_time_is_extrapolated_from_the_chunks_of_a_second_but_the_first(clock, n_chunks):
    method = _method(
        clock, setup_seconds=3, first_seconds=0.5, chunk_seconds=0.25, n_chunks=n_chunks
    )
    found = estimate(method, _model(), IMAGE, target=0)
    assert found.seconds == pytest.approx(3.5 + 0.25 * (n_chunks - 1))
    assert clock.now == 3.5 + 0.25 * (min(n_chunks, 3) - 1)


def test_a_chunk_that_takes_long_is_enough(clock):
    method = _method(clock, setup_seconds=3, first_seconds=20, chunk_seconds=18, n_chunks=9)
    found = estimate(method, _model(), IMAGE, target=0)
    assert clock.now == 23
    assert found.seconds == pytest.approx(3 + 9 * 20)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_method_takes_between_half_and_twice_its_estimate(way, clock, monkeypatch):
    """Time here is what passes through linear layers, a tenth of a second for each image."""
    own = nn.Linear.forward

    def slow(layer, x):
        clock.now += 0.1 * len(x)
        return own(layer, x)

    monkeypatch.setattr(nn.Linear, "forward", slow)
    model, image = way.model(), picture(1)
    found, started = estimate(way, model, image), clock.now
    way(model, image)
    actual = clock.now - started
    assert actual < 2 * found.seconds
    assert found.seconds < 2 * actual or not way.is_whole


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (integrated_gradients, {"n_steps": 64, "chunk_size": 8}),
        (occlusion, {"window": 8, "stride": 4, "engine": "dense", "chunk_size": 8}),
        (occlusion, {"window": 8, "stride": 4, "engine": "delta", "chunk_size": 64}),
    ],
    ids=["integrated_gradients", "dense", "delta"],
)
def test_an_estimate_stops_a_method_between_chunks(method, options, monkeypatch):
    monkeypatch.setattr(module, "_ENOUGH_SECONDS", 0)
    calls = []

    def counted(model, image, *, progress, cancelled, **options):
        def report(n_done, n_total):
            calls.append((n_done, n_total))
            progress(n_done, n_total)

        return method(model, image, progress=report, cancelled=cancelled, **options)

    found = estimate(counted, _model(), IMAGE, target=1, **options)
    assert found.seconds > 0
    assert len(calls) == 1
    assert calls[-1][0] < calls[-1][1]


def test_memory_is_measured_within_a_factor_of_two():
    n_bytes = 256 * 2**20

    def explain(model, image, *, target, progress, cancelled):
        held = torch.ones(n_bytes // 4)
        time.sleep(0.05)
        return float(held[0])

    found = estimate(explain, _model(), IMAGE, target=0)
    assert n_bytes / 2 < found.peak_bytes < 2 * n_bytes


def test_what_the_method_refuses_is_refused():
    with pytest.raises(TargetError):
        estimate(integrated_gradients, _model(), IMAGE, target=7)


def test_a_gpu_that_is_too_small_hands_over_to_the_cpu(monkeypatch):
    devices = iter([torch.device("cuda")])
    monkeypatch.setattr(module, "_device_of", lambda model, image: next(devices))
    model, calls = _model(), []

    def explain(given, image, **options):
        calls.append(given)
        if given is model:
            raise MemoryExhaustedError("not even a single image fits into memory")
        return integrated_gradients(given, image, **options)

    found = explain_on_cpu_at_last(explain, model, IMAGE, target=1, baseline=torch.zeros(1))
    expected = integrated_gradients(model, IMAGE, target=1)
    assert isinstance(found, Attribution)
    assert calls[0] is model
    torch.testing.assert_close(found.values, expected.values)
    assert "Computed on the CPU" in found.notes[-1]


def test_a_cpu_that_is_too_small_says_so():
    def explain(model, image, **options):
        raise MemoryExhaustedError("not even a single image fits into memory")

    with pytest.raises(MemoryExhaustedError):
        explain_on_cpu_at_last(explain, _model(), IMAGE, target=1)


def test_the_copy_on_the_cpu_takes_no_memory_where_the_model_is(monkeypatch):
    model = _model()
    model[0].weight.requires_grad_(requires_grad=False)
    model[2].bias = model[0].bias

    def duplicate(self, memo):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(nn.Parameter, "__deepcopy__", duplicate)
    copied = module._on_cpu(model)
    torch.testing.assert_close(copied(IMAGE), model(IMAGE))
    assert copied[2].bias is copied[0].bias
    assert not copied[0].weight.requires_grad
    assert copied[0].weight is not model[0].weight
