"""The delta engine against full passes, in double precision where both are all but exact."""

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from xai_core import occlusion
from xai_core.errors import ModelError
from xai_core.graph.copies import prepared_copy
from xai_core.incremental.engine import DeltaEngine
from xai_core.incremental.perturbations import WindowPerturbations, WindowTile
from xai_core.incremental.windows import Windows


def head(channels):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3))


def calibrated(model, size):
    """Make activations sane: biases and scales as if trained, batch norms fit for the image."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1 or parameter.shape[1:] == (1, 1):
                parameter.add_(0.2 * torch.randn_like(parameter))
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
    if norms:
        with torch.no_grad():
            model.train()(smooth(size).repeat(2, 1, 1, 1) * torch.tensor([1, -1]).view(2, 1, 1, 1))
    return model.eval()


def smooth(size):
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(1, 3, 8, 8, generator=generator)
    return F.interpolate(coarse, size=size, mode="bicubic")


def assert_engines_agree(model, image, *, rtol, **arguments):
    target = int(model(image).argmax())
    dense = occlusion(model, image, target=target, engine="dense", **arguments)
    delta = occlusion(model, image, target=target, engine="delta", **arguments)
    assert (dense.params["engine"], delta.params["engine"]) == ("dense", "delta")
    limit = float(dense.values.abs().max())
    assert_close(delta.values, dense.values, rtol=0, atol=rtol * limit + 1e-12)
    return limit


@settings(max_examples=25)
@given(data=st.data())
def test_any_stack_of_layers_and_any_windows(data):
    torch.manual_seed(data.draw(st.integers(0, 2**16)))
    height, width = data.draw(st.integers(24, 40)), data.draw(st.integers(24, 40))
    layers = []
    for _ in range(data.draw(st.integers(1, 4))):
        kernel = data.draw(st.sampled_from([1, 2, 3, (3, 1), 5]))
        stride = data.draw(st.sampled_from([1, 1, 2, (2, 1)]))
        padding = data.draw(st.sampled_from([0, 1, (1, 0)])) if kernel not in (1, 2) else 0
        kind = data.draw(st.sampled_from(["conv", "depthwise", "dilated", "max", "mean"]))
        match kind:
            case "conv":
                layers += [nn.Conv2d(4, 4, kernel, stride, padding), nn.ReLU(inplace=True)]
            case "depthwise":
                layers += [nn.Conv2d(4, 4, kernel, stride, padding, groups=4), nn.GELU()]
            case "dilated":
                layers += [nn.Conv2d(4, 4, 3, 1, 2, dilation=2), nn.BatchNorm2d(4), nn.SiLU()]
            case "max":
                layers += [nn.MaxPool2d(3, stride, 1, ceil_mode=data.draw(st.booleans()))]
            case "mean":
                layers += [nn.AvgPool2d(3, stride, 1, count_include_pad=data.draw(st.booleans()))]
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), *layers, head(4)).double().eval()
    window = data.draw(st.integers(3, 12)), data.draw(st.integers(3, 12))
    stride = tuple(data.draw(st.integers(2, size)) for size in window)
    assert_engines_agree(
        model,
        torch.randn(1, 3, height, width, dtype=torch.float64),
        window=window,
        stride=stride,
        baseline=torch.randn(3, 1, 1, dtype=torch.float64),
        chunk_size=data.draw(st.sampled_from([1, 9, 64])),
        rtol=1e-6,  # the map is given in single precision
    )


class Block(nn.Module):
    """A convolution before and a head behind what is tried."""

    def __init__(self, middle, channels=4):
        super().__init__()
        self.first, self.middle = nn.Conv2d(3, 4, 3, padding=1), middle
        self.conv, self.head = nn.Conv2d(4, 4, 3, stride=2), head(channels)
        self.bias = nn.Parameter(torch.randn(4, 1, 1))
        self.uneven = nn.Parameter(torch.randn(4, 32, 32))
        self.norm, self.dense = nn.LayerNorm(4), nn.Linear(4, 4)

    def forward(self, x):
        return self.head(self.middle(self, self.first(x)))


def shuffle(block, x):
    n, c, h, w = x.size()
    x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(x.size(0), -1, h, w)
    return x.view(n, c, h, w).relu()


def channels_last_block(block, x):
    y = block.dense(block.norm(x.permute(0, 2, 3, 1)))
    return x + F.gelu(y).permute(0, 3, 1, 2) * block.bias


def channel_affine(block, x):
    first = torch.unsqueeze(x[:, 0], 1) * 2 + 0.5
    return torch.cat([first, 1 - x[:, 1].unsqueeze(1), x.chunk(2, dim=1)[1]], 1)


def squeeze_excite(block, x):
    return x * torch.sigmoid(F.adaptive_avg_pool2d(x, 1))


def two_receptive_fields(block, x):
    return F.relu(block.conv(x), inplace=True) + F.max_pool2d(x, 3, 2) - x[:, :, 1:-1:2, 1:-1:2]


def read_then_written(block, x):
    y = x * 1
    z = torch.relu(y)
    y += block.bias
    y -= F.gelu(x)
    y *= 2
    y /= block.bias.abs() + 1
    return y + z


MIDDLES = {
    "channel shuffle": (shuffle, 4),
    "channels last": (channels_last_block, 4),
    "channel arithmetic": (channel_affine, 4),
    "squeeze and excite": (squeeze_excite, 4),
    "residual of different widths": (two_receptive_fields, 4),
    "doubled": (lambda block, x: torch.relu(x + x) * x / (x * x + 1), 4),
    "constants": (lambda block, x: (block.bias + x * 3).clamp(min=-1) * block.bias, 4),
    "constants that differ by place": (lambda block, x: x * block.uneven + block.uneven, 4),
    "flat": (lambda block, x: block.uneven[None] * x.flatten(2).softmax(-1).view_as(x), 4),
    "transposed places": (lambda block, x: block.conv(x.transpose(2, 3)), 4),
    "joined branches": (lambda block, x: torch.cat([x, F.pad(block.conv(x), (9, 8, 9, 8))], 1), 8),
    "read, then written in place": (read_then_written, 4),
    "same convolution twice": (lambda block, x: block.conv(F.relu(block.conv(x))), 4),
}


@pytest.mark.parametrize("name", MIDDLES)
def test_operations(name):
    torch.manual_seed(0)
    model = Block(*MIDDLES[name]).double().eval()
    image = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    assert assert_engines_agree(model, image, window=(6, 5), stride=(5, 3), rtol=1e-6) > 0


FAMILIES = [
    *("resnet18", "squeezenet1_1", "densenet121", "shufflenet_v2_x0_5", "mobilenet_v3_small"),
    *("googlenet", "regnet_x_400mf", "convnext_tiny", "swin_t"),
]


def family(name, size):
    torch.manual_seed(0)
    options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    model = getattr(torchvision.models, name)(weights=None, num_classes=4, **options)
    return calibrated(model, size)


@pytest.mark.parametrize("name", FAMILIES)
def test_torchvision_families(name):
    model, image = family(name, 64).double(), smooth(64).double()
    assert assert_engines_agree(model, image, window=(16, 11), stride=(16, 11), rtol=1e-6) > 0


def test_windows_that_strides_skip():
    torch.manual_seed(0)
    skipping = nn.Sequential(nn.MaxPool2d(1, (2, 1)), nn.MaxPool2d(1, (4, 1)), nn.Conv2d(3, 4, 1))
    model = nn.Sequential(skipping, head(4)).double().eval()
    image = torch.randn(1, 3, 24, 24, dtype=torch.float64)
    assert assert_engines_agree(model, image, window=(3, 5), stride=(1, 3), rtol=1e-6) > 0


def test_single_precision_loses_nothing_that_shows():
    model, image = family("resnet18", 96), smooth(96)
    assert assert_engines_agree(model, image, window=16, stride=12, rtol=1e-4) > 0


def test_a_transformer_goes_dense_after_its_patches():
    torch.manual_seed(0)
    model = torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    ).eval()
    nn.init.normal_(model.heads.head.weight)
    assert_engines_agree(model, smooth(32), window=8, stride=6, rtol=1e-4)


class Branching(nn.Module):
    """Scores that depend on a value the tracer cannot know."""

    def forward(self, x):
        scores = x.mean((2, 3))
        return scores if scores.sum() > 0 else -scores


def test_a_model_that_cannot_be_traced_is_passed_densely_and_the_result_says_so():
    image = smooth(20)
    arguments = {"target": 1, "window": 4, "stride": 4}
    with pytest.raises(ModelError, match="cannot be traced"):
        occlusion(Branching().eval(), image, engine="delta", **arguments)
    result = occlusion(Branching().eval(), image, **arguments)
    assert result.params["engine"] == "dense"
    assert "cannot be traced" in result.notes[0]


class Remembering(nn.Module):
    """Computes something else when it is traced than when it is called."""

    def forward(self, x):
        factor = 2 if isinstance(x, torch.fx.Proxy) else 1
        return factor * x.mean((2, 3))


def test_a_graph_that_differs_from_its_model_is_found_out():
    with pytest.raises(ModelError, match="misses the model's own by"):
        occlusion(Remembering().eval(), smooth(20), target=1, window=4, stride=4, engine="delta")


class WrittenUnderAnotherName(nn.Module):
    """Reads what was written in place by the name that it had before."""

    def forward(self, x):
        y = x * 1
        before = y
        y += 1
        return (torch.relu(before) * y).mean((2, 3))


def test_what_is_read_after_it_was_written_in_place_is_found_out():
    model, arguments = WrittenUnderAnotherName().eval(), {"target": 1, "window": 4, "stride": 4}
    with pytest.raises(ModelError, match="misses the model's own by"):
        occlusion(model, smooth(20), engine="delta", **arguments)
    found = occlusion(model, smooth(20), **arguments)
    dense = occlusion(model, smooth(20), engine="dense", **arguments)
    assert found.params["engine"] == "dense"
    assert_close(found.values, dense.values, rtol=0, atol=0)


def test_multiplications_are_those_of_the_pixels_that_a_window_reaches_and_of_no_whole_values():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(2, 5, 3, padding=1, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 3),
    ).eval()
    image = torch.randn(1, 1, 20, 20)
    windows = Windows.over(20, 20, window=4, stride=4)
    traced = prepared_copy(model, image)
    with torch.inference_mode():
        engine = DeltaEngine(traced, WindowPerturbations(image, torch.zeros_like(image), windows))
        found = engine.multiplications(WindowTile(np.array([2]), np.array([1, 2])))
    assert list(found.values()) == [2 * n for n in (6 * 6 * 2 * 9, 8 * 8 * 5 * 2 * 9)]
