"""Occlusion of random small networks under random windows, against Captum's."""

import pytest
import torch
from captum.attr import Occlusion
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from xai_core import occlusion

C = 4
N_CLASSES = 3
ROUNDED_VALUES = 2e-6  # of the map's maximum: Captum adds up in single precision


class SqueezeAndExcitation(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Conv2d(C, C, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc(F.adaptive_avg_pool2d(x, 1)))


class Residual(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.conv, self.relu = conv, nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.conv(x)
        y += x
        return self.relu(y)


class Concatenation(nn.Module):
    """Two branches of different reach, and a convolution that reads both."""

    def __init__(self, conv):
        super().__init__()
        self.conv, self.down = conv, nn.Conv2d(2 * C, C, 1)

    def forward(self, x):
        return self.down(torch.cat([self.conv(x), x], 1))


class Flat(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.pool, self.fc = nn.AdaptiveAvgPool2d(size), nn.Linear(C * size[0] * size[1], N_CLASSES)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(x), 1))


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def convolutions(draw):
    """Any kernel, stride, padding and groups; strides may be larger than kernels."""
    options = {"groups": draw(st.sampled_from([1, 2, C])), "bias": draw(st.booleans())}
    kernel, dilation = draw(pairs(1, 4)), draw(pairs(1, 2))
    if draw(st.booleans()):
        options["padding"] = "same"
    else:
        options["padding"] = draw(st.sampled_from([0, 1, (1, 0), (0, 2), (3, 1)]))
        options["stride"] = draw(pairs(1, 3))
    modes = ["zeros", "zeros", "zeros", "reflect", "replicate", "circular"]
    if options["padding"] != (3, 1):
        options["padding_mode"] = draw(st.sampled_from(modes))
    return nn.Conv2d(C, C, kernel, dilation=dilation, **options)


@st.composite
def convolutions_of_the_same_size(draw):
    options = {"dilation": draw(pairs(1, 2)), "groups": draw(st.sampled_from([1, 2, C]))}
    return nn.Conv2d(C, C, draw(pairs(1, 4)), padding="same", **options)


@st.composite
def max_poolings(draw):
    kernel = draw(pairs(1, 4))
    padding = tuple(draw(st.integers(0, size // 2)) for size in kernel)
    options = {"dilation": draw(pairs(1, 2)), "ceil_mode": draw(st.booleans())}
    return nn.MaxPool2d(kernel, draw(pairs(1, 4)), padding, **options)


@st.composite
def average_poolings(draw):
    kernel = draw(pairs(1, 4))
    padding = tuple(draw(st.integers(0, size // 2)) for size in kernel)
    return nn.AvgPool2d(
        *(kernel, draw(pairs(1, 4)), padding, draw(st.booleans()), draw(st.booleans())),
        divisor_override=draw(st.sampled_from([None, None, 3])),
    )


def layers():
    """Layers that take and give `C` channels."""
    return st.one_of(
        convolutions(),
        st.builds(nn.Sequential, convolutions(), st.builds(norm), st.builds(relu)),
        st.builds(nn.Sequential, st.builds(norm), st.builds(relu)),
        st.sampled_from([nn.ReLU, nn.GELU, nn.Hardswish, SqueezeAndExcitation]).map(lambda k: k()),
        max_poolings(),
        average_poolings(),
        pairs(2, 7).map(nn.AdaptiveAvgPool2d),
        pairs(2, 7).map(nn.AdaptiveMaxPool2d),
        st.builds(Residual, convolutions_of_the_same_size()),
        st.builds(Concatenation, convolutions_of_the_same_size()),
        st.sampled_from(["nearest", "bilinear"]).map(
            lambda mode: nn.Upsample(scale_factor=2, mode=mode)
        ),
    )


def relu():
    return nn.ReLU(inplace=True)


def norm():
    made = nn.BatchNorm2d(C)
    nn.init.normal_(made.weight)
    nn.init.normal_(made.bias)
    nn.init.normal_(made.running_mean)
    nn.init.uniform_(made.running_var, 0.5, 2)
    return made


@st.composite
def networks(draw):
    """A network that gives scores for the images it is drawn with."""
    torch.manual_seed(draw(st.integers(0, 2**16)))
    image = torch.randn(1, 3, *draw(pairs(13, 24)), dtype=torch.float64)
    chosen = [nn.Conv2d(3, C, 3, padding=1)]
    x = chosen[0].double()(image)
    for _ in range(draw(st.integers(1, 6))):
        layer = draw(layers()).double().eval()
        try:
            with torch.no_grad():
                y = layer(x.clone())
        except RuntimeError:
            continue  # the map is too small for it
        if y.numel() and y.isfinite().all():  # pooling over padding alone gives infinity
            chosen, x = [*chosen, layer], y
    head = Flat(draw(pairs(1, 3)))
    return nn.Sequential(*chosen, head).double().eval(), image


def geometry(draw, size):
    window = draw(st.integers(2, size // 2))
    return window, draw(st.integers(max(1, window // 2), window))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@settings(max_examples=60)
@given(drawn=networks(), data=st.data())
def test_equals_captum(drawn, data):
    model, image = drawn
    window, stride = zip(*(geometry(data.draw, size) for size in image.shape[2:]), strict=True)
    kinds = [torch.tensor(0.3), torch.randn(3, 1, 1), torch.randn(image.shape)]
    baseline = data.draw(st.sampled_from(kinds)).double()
    target = data.draw(st.integers(0, N_CLASSES - 1))
    expected = Occlusion(lambda x: model(x.clone())).attribute(
        image,
        sliding_window_shapes=(3, *window),
        strides=(3, *stride),
        baselines=baseline.expand_as(image),
        target=target,
        perturbations_per_eval=64,
    )
    result = occlusion(
        *(model, image),
        target=target,
        window=window,
        stride=stride,
        baseline=baseline,
        engine="delta",
    )
    limit = float(expected.abs().max())
    # Sums of terms of either sign cancel where the map is all but nothing.
    atol = ROUNDED_VALUES * limit + 1e-12
    assert_close(result.values, expected[0].float(), atol=atol, rtol=0)
