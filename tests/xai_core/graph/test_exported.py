"""Models that torch.fx cannot trace: torch.export makes their copies, or full passes do without."""

import threading

import pytest
import torch
from captum.attr import Occlusion
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from xai_core import deeplift, guided_backprop, lrp, occlusion
from xai_core.errors import NotCopiedError, UntraceableError
from xai_core.graph.copies import PreparedModels, note_of
from xai_core.graph.exported import export
from xai_core.graph.tracing import NormRelu, prepare

ROUNDED_VALUES = 2e-6  # of the map's maximum: Captum adds up in single precision


class BySize(nn.Module):
    """Branches on sizes, loops over them, and takes arguments of any number."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.relu, self.pool = nn.ReLU(inplace=True), nn.MaxPool2d(2, ceil_mode=True)
        self.mix = nn.Conv2d(8, 8, (3, 1), padding="same", groups=2)
        self.bend, self.gate = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1)
        self.flat_norm, self.head = nn.BatchNorm1d(8 * 4), nn.Linear(8 * 4, 3)

    def forward(self, *images):
        x = images[0]
        if x.shape[-1] % 2 == 1:
            x = F.pad(x, (0, 1, 0, 0))
        x = self.pool(self.relu(self.norm(self.stem(x))))
        while x.shape[-2] > 8:
            x = F.avg_pool2d(x, 2)
        y = self.mix(x)
        y += x
        y = F.relu(self.bend(y)) * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(y, 1)))
        y = torch.cat([y[:, :4], F.relu(y[:, 4:])], 1)
        y = F.interpolate(y, scale_factor=2, mode="bilinear")
        return self.head(self.flat_norm(F.adaptive_avg_pool2d(y, 2).reshape(y.shape[0], -1)))


class ByValue(nn.Module):
    def forward(self, x):
        scores = x.mean((2, 3))
        return scores if scores.sum() > 0 else -scores


class InPlace(nn.Module):
    """Writes to a part of what it has computed."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        x = self.conv(x)
        x[:, 1:3].relu_()
        return self.head(x.mean((2, 3)))


def of(kind):
    torch.manual_seed(0)
    model = kind()
    for norm in (layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    return model.double().eval()


def images(n, height=20, width=17):
    generator = torch.Generator().manual_seed(n)
    return torch.randn(n, 3, height, width, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="module")
def by_size():
    return of(BySize)


@pytest.fixture(scope="module")
def copied(by_size):
    return export(by_size, images(1))


@pytest.mark.parametrize("kind", [BySize, InPlace])
def test_a_model_that_only_export_can_trace_equals_captum_by_differences(kind):
    model, image = of(kind), images(1)
    with pytest.raises(UntraceableError):
        prepare(model)
    expected = Occlusion(lambda x: model(x.clone())).attribute(
        image,
        sliding_window_shapes=(3, 5, 4),
        strides=(3, 3, 2),
        baselines=0.3,
        target=1,
        perturbations_per_eval=16,
    )
    result = occlusion(model, image, target=1, window=(5, 4), stride=(3, 2), baseline=0.3)
    assert result.params["engine"] == "delta"
    assert len(result.notes) == 1
    assert result.notes[0].startswith("Traced by torch.export, for the model ")
    limit = ROUNDED_VALUES * float(expected.abs().max())
    assert_close(result.values, expected[0].float(), atol=limit, rtol=0)


def test_says_of_a_model_that_neither_can_trace_why():
    result = occlusion(of(ByValue), images(1), target=1, window=4, stride=4)
    assert result.params["engine"] == "dense"
    assert "the model cannot be traced: " in result.notes[0]
    assert "the model cannot be exported: " in result.notes[0]


@pytest.mark.parametrize("n_images", [1, 2, 5])
def test_a_copy_takes_any_number_of_images(by_size, copied, n_images):
    with torch.no_grad():
        assert_close(copied(images(n_images)), by_size(images(n_images)))


def test_a_copy_has_the_layers_that_rules_know(copied):
    kinds = [type(layer) for layer in copied.modules()]
    assert kinds.count(nn.Conv2d) == 3
    assert (kinds.count(NormRelu), kinds.count(nn.BatchNorm2d)) == (1, 1)  # the other is folded
    assert nn.Linear in kinds
    assert not any("aten" in str(node.target) for node in copied.graph.nodes)


def test_a_copy_is_frozen_and_leaves_the_model_alone(by_size, copied):
    assert not any(p.requires_grad for p in copied.parameters())
    assert all(p.requires_grad for p in by_size.parameters())
    assert by_size.relu.inplace
    own = {value.data_ptr() for value in by_size.state_dict().values()}
    assert not own & {value.data_ptr() for value in copied.state_dict().values()}


@pytest.mark.parametrize("method", [guided_backprop, deeplift, lrp])
def test_methods_with_rules_of_their_own_take_the_copy(by_size, method):
    assert method(by_size, images(1), target=1).values.abs().max() > 0


def test_a_model_with_hooks_is_not_exported():
    model = of(InPlace)
    model.conv.register_forward_hook(lambda *_: None)
    with pytest.raises(NotCopiedError, match="hooks"):
        export(model, images(1))


def test_a_copy_is_kept_for_each_size_and_so_is_a_failure():
    models, model = PreparedModels(), of(InPlace)
    first = models.of(model, images(1))
    assert models.of(model, images(1)) is first
    other = models.of(model, images(1, width=9))
    assert other is not first
    assert models.of(model, images(1)) is first
    assert "torch.export" in note_of(other)
    failing = of(ByValue)
    for _ in range(2):
        with pytest.raises(UntraceableError, match="cannot be exported"):
            models.of(failing, images(1))
    assert len(models) == 3


def test_models_can_be_called_while_another_is_exported():
    model, errors, stop = of(InPlace), [], threading.Event()
    expected = model(images(1))

    def call():
        try:
            while not stop.is_set():
                assert torch.equal(model(images(1)), expected)
        except Exception as exc:
            errors.append(exc)

    thread = threading.Thread(target=call)
    thread.start()
    for _ in range(2):
        export(model, images(1))
    stop.set()
    thread.join()
    assert errors == []
