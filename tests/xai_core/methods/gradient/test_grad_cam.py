import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from tests.small_families import family, swin, vit
from tests.small_nets import plain, residual, side_by_side, state_of
from xai_core.errors import InputError, ModelError
from xai_core.methods.gradient.grad_cam import grad_cam


def drawn(cells, like):
    return F.interpolate(cells, size=like.shape[2:], mode="bilinear", align_corners=False)[0]


def by_hand(model, image, target, layer, grid):
    """The paper's formula with hooks on the model itself; `grid` makes (N, C, h, w)."""
    kept = []
    handle = layer.register_forward_hook(lambda _layer, _inputs, output: kept.append(output))
    score = model(image)[0, target]
    handle.remove()
    (slopes,) = torch.autograd.grad(score, kept)
    values, slopes = grid(kept[0].detach()), grid(slopes)
    return (slopes.mean((2, 3), keepdim=True) * values).sum(1, keepdim=True)


def test_a_network_done_by_hand():
    # Two features, the pixel and twice its negative; the head weighs their means by 3 and 1.
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 1)
    ).eval()
    model[0].weight.data = torch.tensor([1.0, -2.0]).view(2, 1, 1, 1)
    model[3].weight.data = torch.tensor([[3.0, 1.0]])
    image = torch.tensor([[[[1.0, -2.0], [4.0, 0.0]]]])
    result = grad_cam(model, image, target=0)
    # The slope of the mean over four places: 3/4 - 2 * 1/4 of each pixel.
    assert_close(result.values, image[0] / 4)
    assert result.params == {"layer": "0", "rectify": False, "output": "logit"}
    assert result.measures == {"cells": [2, 2], "cell_px": [1.0, 1.0]}
    assert_close(grad_cam(model, image, target=0, rectify=True).values, image[0].relu() / 4)


@pytest.mark.parametrize(("network", "layer"), [(plain, "5"), (residual, "4")])
@pytest.mark.parametrize("name", [True, False])
def test_equals_captum_where_the_layer_is_named_or_found(network, layer, name):
    model, image = network(), torch.randn(1, 3, 24, 20)
    cells = LayerGradCam(model, model[int(layer)]).attribute(image, target=3).detach()
    result = grad_cam(model, image, target=3, layer=layer if name else None)
    assert result.params["layer"] == layer
    assert_close(result.values, drawn(cells, image))


def test_what_a_later_layer_writes_in_place_does_not_reach_the_map():
    model, image = plain(inplace=True), torch.randn(1, 3, 24, 20)
    same = plain(inplace=False)
    cells = LayerGradCam(same, same[4]).attribute(image, target=1).detach()
    assert_close(grad_cam(model, image, target=1, layer="4").values, drawn(cells, image))


@pytest.mark.parametrize(
    ("name", "layer", "cells"),
    [
        ("resnet", "layer4", [2, 2]),
        ("squeezenet", "classifier.2", [3, 3]),
        ("densenet", "features", [6, 6]),
        ("mobilenet_v3", "features", [2, 2]),
        ("shufflenet", "conv5", [2, 2]),
        ("convnext", "features", [4, 4]),
        ("vit", "encoder.layers.encoder_layer_1.ln_1", [4, 4]),
        ("swin", "permute", [5, 5]),
        ("swin_v2", "permute", [5, 5]),
        ("maxvit", "blocks.1", [8, 8]),
    ],
)
def test_the_last_layer_with_places_is_found(name, layer, cells):
    model, image = family(name)
    result = grad_cam(model, image, target=2)
    assert (result.params["layer"], result.measures["cells"]) == (layer, cells)
    assert result.values.shape == (1, *image.shape[2:])
    assert result.values.std() > 0


def test_a_layer_that_part_of_the_image_passes_by_is_not_taken():
    class Skipping(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            x = self.first(x)
            return self.head((x + self.second(x)).mean((2, 3)))

    image = torch.randn(1, 3, 9, 9)
    assert grad_cam(Skipping().eval(), image, target=0).params["layer"] == "first"


def test_the_layer_of_a_model_that_asks_for_values_is_found():
    class Asking(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.bright, self.dark = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            return self.head((self.bright if x.mean() > 0 else self.dark)(x).mean((2, 3)))

    for value, layer in ((1.0, "bright"), (-1.0, "dark")):
        image = torch.full((1, 3, 9, 9), value)
        assert grad_cam(Asking().eval(), image, target=0).params["layer"] == layer


@pytest.mark.parametrize("layer", ["encoder.layers.encoder_layer_0", None])
def test_a_vits_patches_are_laid_out_without_the_class_token(layer):
    model, image = vit(), torch.randn(1, 3, 32, 32)
    watched = model.encoder.layers[0] if layer else model.encoder.layers[1].ln_1
    cells = by_hand(
        model, image, 1, watched, lambda x: x[:, 1:].reshape(1, 4, 4, 16).permute(0, 3, 1, 2)
    )
    assert_close(grad_cam(model, image, target=1, layer=layer).values, drawn(cells, image))


def test_a_swins_maps_have_their_channels_last():
    model, image = swin(), torch.randn(1, 3, 36, 36)
    cells = by_hand(model, image, 1, model.features[1], lambda x: x.permute(0, 3, 1, 2))
    result = grad_cam(model, image, target=1, layer="features.1")
    assert_close(result.values, drawn(cells, image))
    assert result.measures["cells"] == [9, 9]


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "log_odds"])
def test_the_output_is_recorded_and_explained(output):
    model, image = plain(), torch.randn(1, 3, 24, 20)
    result = grad_cam(model, image, target=3, output=output)
    scale = {"softmax": 1, "sigmoid": result.score * (1 - result.score), "log_odds": 1}[output]
    assert result.params["output"] == output
    if output == "sigmoid":
        assert_close(result.values, scale * grad_cam(model, image, target=3).values)


def test_nothing_is_left_on_the_model_and_threads_do_not_mix():
    model, images = residual(), torch.randn(2, 1, 3, 24, 20)
    before = state_of(model)
    expected = [grad_cam(model, image, target=1).values for image in images]
    works = [lambda image=image: grad_cam(model, image, target=1).values for image in images]
    for results, values in zip(side_by_side(*works), expected, strict=True):
        assert len(results) == 4
        assert all(torch.equal(result, values) for result in results)
    assert state_of(model) == before


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        ("nothing", InputError, r"layer is 'nothing'; allowed: a name from model.named_modules"),
        ("avgpool", ModelError, r"layer avgpool gives \(1, 5, 1, 1\), in which the places"),
        ("head", ModelError, r"layer head gives \(1, 5\)"),
        ("relu", InputError, "layer relu is called 2 times; allowed: once"),
        ("unused", InputError, "layer unused is called 0 times"),
        ("attention", ModelError, "layer attention gives a tuple; allowed: a tensor"),
        ("tokens", ModelError, r"layer tokens gives \(1, 36, 5\)"),
    ],
)
def test_layers_without_places_are_refused(layer, error, message):
    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu = nn.Conv2d(3, 5, 3), nn.ReLU(inplace=True)
            self.tokens, self.unused = nn.LayerNorm(5), nn.Identity()
            self.attention = nn.MultiheadAttention(5, 1, batch_first=True)
            self.avgpool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(5, 5)

        def forward(self, x):
            x = self.relu(self.conv(x))
            x = self.relu(x - 0.1)
            tokens = self.tokens(x.flatten(2).transpose(1, 2))
            mixed = self.attention(tokens, tokens, tokens)[0].mean(1)
            return self.head(self.avgpool(x).flatten(1)) + mixed

    with pytest.raises(error, match=message):
        grad_cam(Layers().eval(), torch.randn(1, 3, 8, 8), target=0, layer=layer)


def test_a_model_without_places_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()
    with pytest.raises(ModelError, match="no layer's output has places"):
        grad_cam(model, torch.randn(1, 3, 2, 2), target=0)


def test_a_model_that_cannot_be_copied_is_refused():
    model = plain()
    model.made = model[0].weight * 2  # not a leaf
    with pytest.raises(ModelError, match="the model cannot be copied"):
        grad_cam(model, torch.randn(1, 3, 24, 20), target=0)
