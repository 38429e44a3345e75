import threading
from contextlib import nullcontext
from copy import deepcopy

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from xai_core import Cancelled, integrated_gradients, integrated_gradients_of
from xai_core.errors import InputError, ModelError, TargetError
from xai_core.graph.copies import prepared_copy
from xai_core.methods.gradient.quadrature import Quadrature, nodes_and_weights


class Linear(nn.Module):
    """Scores (0, <w, x>)."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        score = (x * self.weight).flatten(1).sum(1)
        return torch.stack([torch.zeros_like(score), score], dim=1)


class Quadratic(Linear):
    """Scores (0, <w, x^2>); its gradient is linear along every path."""

    def forward(self, x):
        return super().forward(x**2)


def convnet(*, inplace=True):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=inplace),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(inplace=inplace),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    ).eval()


def test_linear_model_gives_weight_times_difference():
    w, x, b = torch.randn(3, 3, 5, 7)
    result = integrated_gradients(Linear(w).eval(), x[None], target=1, baseline=b, n_steps=3)
    assert_close(result.values, w * (x - b))
    assert result.values.dtype == torch.float32


@pytest.mark.parametrize("rule", ["gausslegendre", "midpoint", "trapezoid"])
def test_quadratic_model_is_integrated_exactly_by_every_rule(rule):
    w, x, b = torch.randn(3, 3, 5, 7)
    result = integrated_gradients(
        Quadratic(w).eval(), x[None], target=1, baseline=b, n_steps=4, rule=rule
    )
    assert_close(result.values, w * (x**2 - b**2))
    assert result.relative_delta < 1e-5


def test_the_true_trapezoid_weights_sum_to_one():
    nodes, weights = nodes_and_weights(Quadrature.TRAPEZOID, 5)
    np.testing.assert_allclose(nodes, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(weights, [0.125, 0.25, 0.25, 0.25, 0.125])


@settings(max_examples=15)
@given(
    rule=st.sampled_from([("gausslegendre", "gausslegendre"), ("midpoint", "riemann_middle")]),
    n_steps=st.integers(2, 20),
    chunk_size=st.integers(1, 25),
    size=st.tuples(st.integers(9, 24), st.integers(9, 24)),
    target=st.integers(0, 4),
    seed=st.integers(0, 2**16),
)
def test_equals_captum(rule, n_steps, chunk_size, size, target, seed):
    ours, captums = rule
    model, generator = convnet(), torch.Generator().manual_seed(seed)
    image, baseline = torch.randn(2, 1, 3, *size, generator=generator)
    expected, delta = IntegratedGradients(model).attribute(
        image,
        baseline,
        target=target,
        n_steps=n_steps,
        method=captums,
        return_convergence_delta=True,
    )
    result = integrated_gradients(
        model,
        image,
        target=target,
        baseline=baseline,
        n_steps=n_steps,
        rule=ours,
        chunk_size=chunk_size,
    )
    limit = 1e-4 * float(expected.abs().max())
    assert_close(result.values, expected[0].float(), atol=limit, rtol=0)
    assert result.convergence_delta == pytest.approx(float(delta), abs=1e-5)


def test_values_sum_to_the_rise_of_the_score():
    model, image = convnet(), torch.randn(1, 3, 20, 20)
    result = integrated_gradients(model, image, target=2, n_steps=300)
    rise = float((model(image) - model(torch.zeros_like(image)))[0, 2].detach())
    assert result.score - result.baseline_score == pytest.approx(rise, abs=1e-6)
    assert float(result.values.sum()) == pytest.approx(rise, rel=0.02)
    assert result.relative_delta < 0.02


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_works_where_the_caller_forbids_gradients(mode):
    model = convnet()
    expected = integrated_gradients(model, torch.ones(1, 3, 16, 16), target=0, n_steps=4)
    with mode():
        result = integrated_gradients(model, torch.ones(1, 3, 16, 16), target=0, n_steps=4)
    assert_close(result.values, expected.values)


def state_of(model):
    return {
        "modes": [m.training for m in model.modules()],
        "frozen": [p.requires_grad for p in model.parameters()],
        "grads": [p.grad for p in model.parameters()],
        "hooks": [len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules()],
    }


@pytest.mark.parametrize("stop", [None, Cancelled, ZeroDivisionError])
def test_leaves_model_and_image_as_they_were(stop):
    def answer():
        if stop is ZeroDivisionError:
            raise stop
        return stop is Cancelled

    model, image = convnet(), torch.randn(1, 3, 16, 16)
    model[0].weight.requires_grad_(False)
    state, weights, pixels = state_of(model), deepcopy(model.state_dict()), image.clone()
    with pytest.raises(stop) if stop else nullcontext():
        integrated_gradients(model, image, target=0, n_steps=4, cancelled=answer)
    assert state_of(model) == state
    assert_close(model.state_dict(), weights, rtol=0, atol=0)
    assert_close(image, pixels, rtol=0, atol=0)


def test_a_cancel_between_chunks_stops_with_the_steps_done():
    seen = []
    with pytest.raises(Cancelled, match="after 4 of 10"):
        integrated_gradients(
            convnet(),
            torch.zeros(1, 3, 16, 16),
            target=0,
            n_steps=10,
            chunk_size=2,
            progress=lambda done, total: seen.append((done, total)),
            cancelled=lambda: len(seen) == 2,
        )
    assert seen == [(2, 10), (4, 10)]


def test_two_threads_share_a_model_without_mixing():
    model, images = convnet(), torch.randn(2, 1, 3, 24, 24)
    expected = [integrated_gradients(model, x, target=1, n_steps=20).values for x in images]
    results = [None, None]

    def explain(i):
        for _ in range(5):
            results[i] = integrated_gradients(model, images[i], target=1, n_steps=20).values

    threads = [threading.Thread(target=explain, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_close(results, expected)
    assert all(p.grad is None for p in model.parameters())


def test_a_model_may_write_into_its_input():
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(12, 2)).eval()
    image = torch.randn(1, 3, 2, 2)
    result = integrated_gradients(model, image, target=1)
    weight = model[2].weight[1].detach().view(3, 2, 2)
    assert_close(result.values, weight * image[0].clamp_min(0))


def test_no_more_points_are_passed_at_once_than_the_chunk_holds():
    model, sizes = convnet(), []
    model.register_forward_hook(lambda module, args, scores: sizes.append(len(args[0])))
    integrated_gradients(model, torch.randn(1, 3, 16, 16), target=0, n_steps=100, chunk_size=7)
    assert max(sizes) == 7


class Skip(nn.Module):
    """Reads the image twice, so that no stem can be taken off."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3, 5)

    def forward(self, x):
        return self.head((x + torch.relu(self.conv(x))).mean((2, 3)))


@pytest.mark.parametrize("make", [convnet, Skip])
@pytest.mark.parametrize("rule", ["gausslegendre", "adaptive"])
def test_a_prepared_copy_gives_the_same_map(make, rule):
    torch.manual_seed(0)
    model, image = make().double().eval(), torch.randn(1, 3, 19, 19, dtype=torch.float64)
    baseline = torch.randn(1, 3, 19, 19, dtype=torch.float64)  # an even one has ties to break
    arguments = {"target": 1, "rule": rule, "n_steps": 40, "baseline": baseline}
    whole = integrated_gradients(model, image, engine="model", **arguments)
    copied = integrated_gradients(model, image, engine="prepared", **arguments)
    assert_close(copied.values, whole.values)


@pytest.mark.parametrize("rule", ["gausslegendre", "chord", "adaptive"])
@pytest.mark.parametrize("output", ["logit", "softmax"])
def test_several_targets_in_one_pass_equal_single_runs(rule, output):
    model, image = convnet().double(), torch.randn(1, 3, 19, 19, dtype=torch.float64)
    # Too few points for any rise: the adaptive rule stops at the same panels for all.
    options = {"n_steps": 17, "rule": rule, "output": output, "tolerance": 1e-6, "chunk_size": 6}
    singles = [integrated_gradients(model, image, target=t, **options) for t in (4, 0, 2)]
    together = integrated_gradients_of(model, image, targets=[4, 0, 2], **options)
    for single, one in zip(singles, together, strict=True):
        assert_close(one.values, single.values)
        assert one.target == single.target
        assert one.params == single.params
        assert one.convergence_delta == pytest.approx(single.convergence_delta, abs=1e-6)


def test_several_targets_share_the_forward_passes():
    model, sizes = convnet(), []
    model.register_forward_hook(lambda module, args, scores: sizes.append(len(args[0])))
    integrated_gradients_of(model, IMAGE, targets=[0, 1, 2], n_steps=20, chunk_size=5)
    assert sizes.count(5) == 4


def test_no_target_is_refused():
    with pytest.raises(InputError, match="targets is empty; allowed: one class index or more"):
        integrated_gradients_of(convnet(), torch.zeros(1, 3, 16, 16), targets=[])


def test_a_multi_label_head_is_explained_before_and_after_its_sigmoid():
    model, image = nn.Sequential(convnet(), nn.Sigmoid()).eval(), torch.randn(1, 3, 16, 16)
    given = integrated_gradients(model, image, target=2, n_steps=30)
    asked = integrated_gradients(model[0], image, target=2, n_steps=30, output="sigmoid")
    assert_close(given.values, asked.values)
    assert given.score == pytest.approx(asked.score)


def test_a_shared_copy_stays_as_it_is():
    model, image = convnet(), torch.randn(1, 3, 16, 16)
    before = prepared_copy(model)(image)
    integrated_gradients(model, image, target=2, n_steps=3, engine="prepared")
    assert_close(prepared_copy(model)(image), before, rtol=0, atol=0)


def test_says_why_a_copy_cannot_be_had():
    model = convnet()
    model.register_forward_hook(lambda *_: None)
    with pytest.raises(ModelError, match="carries forward hooks"):
        integrated_gradients(model, torch.zeros(1, 3, 16, 16), target=0, engine="prepared")


def test_double_precision_is_kept_through_the_pass():
    w, x = torch.randn(2, 1, 4, 4, dtype=torch.float64)
    result = integrated_gradients(Linear(w).double().eval(), x[None], target=1)
    assert result.values.dtype == torch.float32
    assert abs(result.convergence_delta) < 1e-6


def test_params_repeat_the_computation():
    model, image = convnet(), torch.randn(1, 3, 16, 16)
    first = integrated_gradients(model, image, target=1, baseline=0.5, n_steps=7, rule="midpoint")
    assert first.params == {
        "baseline": 0.5,
        "n_steps": 7,
        "rule": "midpoint",
        "engine": "model",
        "output": "logit",
    }
    again = integrated_gradients(model, image, target=1, **first.params)
    assert_close(again.values, first.values)


IMAGE = torch.zeros(1, 3, 16, 16)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"target": 5}, TargetError, "target is 5; allowed: an integer from 0 to 4"),
        ({"target": -1}, TargetError, "from 0 to 4"),
        ({"target": 1.0}, TargetError, "target is 1.0"),
        ({"target": True}, TargetError, "target is True"),
        ({"n_steps": 0}, InputError, "n_steps is 0; allowed for gausslegendre: 1 or more"),
        ({"n_steps": 2.5}, InputError, "n_steps is 2.5"),
        ({"n_steps": 1, "rule": "trapezoid"}, InputError, "2 or more"),
        ({"rule": "simpson"}, InputError, "trapezoid, chord, adaptive"),
        ({"engine": "fast"}, InputError, "engine is 'fast'; allowed: model, prepared"),
        ({"engine": "model", "rule": "chord"}, InputError, "allowed for chord: prepared"),
        ({"n_steps": 0, "rule": "chord"}, InputError, "n_steps is 0; allowed for chord: 1 or more"),
        ({"chunk_size": 0}, InputError, "chunk_size is 0; allowed: 1 or more"),
        ({"baseline": torch.zeros(3, 8, 8)}, InputError, "broadcasts to"),
        ({"baseline": float("nan")}, InputError, "baseline holds NaN"),
        ({"image": IMAGE[0]}, InputError, r"image has shape \(3, 16, 16\); allowed: \(1, C"),
        ({"image": IMAGE.repeat(2, 1, 1, 1)}, InputError, r"shape \(2, 3, 16, 16\)"),
        ({"image": IMAGE.int()}, InputError, "image is torch.int32"),
        ({"image": IMAGE.double()}, InputError, "the model's floating torch.float32"),
        ({"image": IMAGE / 0}, InputError, "image holds 768 values that are NaN"),
        ({"image": IMAGE.numpy()}, InputError, "image is a ndarray"),
        ({"model": convnet().train()}, ModelError, "call model.eval"),
        ({"model": nn.Conv2d(3, 1, 3).eval()}, ModelError, r"returned \(1, 1, 14, 14\)"),
    ],
)
def test_says_what_it_got_and_what_is_allowed(change, error, message):
    arguments = {"model": convnet(), "image": IMAGE, "target": 0} | change
    with pytest.raises(error, match=message):
        integrated_gradients(**arguments)


def test_one_layer_in_train_mode_is_named():
    model = convnet()
    model[1].train()
    with pytest.raises(ModelError, match="1 is in train mode"):
        integrated_gradients(model, IMAGE, target=0)
