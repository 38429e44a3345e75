import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from torchvision import models

from tests.small_families import vit
from tests.small_nets import plain, side_by_side, state_of
from xai_core.errors import ModelError, TargetError
from xai_core.methods.attention.attention_rollout import attention_rollout
from xai_core.methods.attention.gradient_rollout import gradient_rollout

ROLLOUTS = [attention_rollout, gradient_rollout]


def image_of(seed=0, size=32):
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


def passed_by_hand(model, image):
    """Return the class scores and the weights of each attention, (heads, tokens, tokens)."""
    kept = []
    tokens = model._process_input(image)[0]
    x = torch.cat([model.class_token[0], tokens]) + model.encoder.pos_embedding[0]
    for block in model.encoder.layers:
        layer, y = block.self_attention, block.ln_1(x)
        projected = F.linear(y, layer.in_proj_weight, layer.in_proj_bias).chunk(3, dim=-1)
        q, k, v = (each.unflatten(-1, (layer.num_heads, -1)).movedim(1, 0) for each in projected)
        kept.append((q @ k.transpose(1, 2) / layer.head_dim**0.5).softmax(-1))
        x = x + layer.out_proj((kept[-1] @ v).movedim(0, 1).flatten(1))
        x = x + block.mlp(block.ln_2(x))
    return model.heads(model.encoder.ln(x)[:1]), kept


def drawn(patches, size=32):
    cells = patches.view(1, 1, 4, 4)
    return F.interpolate(cells, size=size, mode="bilinear", align_corners=False)[0]


def test_attention_that_is_the_same_everywhere_done_by_hand():
    model = vit(n_layers=3)
    for block in model.encoder.layers:
        block.self_attention.in_proj_weight.data.zero_()
    result = attention_rollout(model, image_of(), target=0)
    # Three times half is kept; the rest is spread over 16 patches and the class token.
    share = (1 - 0.5**3) / 17
    assert_close(result.values, torch.full((1, 32, 32), share))
    assert result.measures["class_token_share"] == pytest.approx(0.5**3 + share)


def test_attention_rollout_equals_the_papers_product():
    model, image = vit(), image_of()
    first, second = (weights.mean(0).detach() for weights in passed_by_hand(model, image)[1])
    eye = torch.eye(17)
    expected = ((second / 2 + eye / 2) @ (first / 2 + eye / 2))[0]
    result = attention_rollout(model, image, target=1)
    assert_close(result.values, drawn(expected[1:]))
    assert result.measures == {
        "cells": [4, 4],
        "cell_px": [8.0, 8.0],
        "class_token_share": pytest.approx(float(expected[0])),
    }


@pytest.mark.parametrize("target", [0, 3])
def test_gradient_rollout_equals_the_papers_sum(target):
    model, image = vit(), image_of()
    scores, kept = passed_by_hand(model, image)
    slopes = torch.autograd.grad(scores[0, target], kept)
    first, second = (
        (weights * slope).clamp_min(0).mean(0).detach()
        for weights, slope in zip(kept, slopes, strict=True)
    )
    expected = (first + second + second @ first)[0, 1:]
    result = gradient_rollout(model, image, target=target)
    assert_close(result.values, drawn(expected))
    assert result.score == pytest.approx(scores[0, target].item(), rel=1e-5)


def test_attention_rollout_is_the_same_for_every_class_and_says_so():
    model, image = vit(), image_of()
    maps = [attention_rollout(model, image, target=target) for target in (0, 3)]
    assert torch.equal(maps[0].values, maps[1].values)
    assert any("same for every class" in note for note in maps[0].notes)
    maps = [gradient_rollout(model, image, target=target) for target in (0, 3)]
    assert not torch.equal(maps[0].values, maps[1].values)


def test_a_probabilitys_gradient_rollout_is_another():
    model, image = vit(n_layers=1), image_of()
    logit, sigmoid = (
        gradient_rollout(model, image, target=1, output=output) for output in ("logit", "sigmoid")
    )
    slope = sigmoid.score * (1 - sigmoid.score)
    assert_close(sigmoid.values, slope * logit.values)
    assert sigmoid.params == {"output": "sigmoid"}


@pytest.mark.parametrize("rollout", ROLLOUTS)
def test_nothing_is_left_on_the_model_and_threads_do_not_mix(rollout):
    model, images = vit(), [image_of(1), image_of(2)]
    before = state_of(model)
    expected = [rollout(model, image, target=1).values for image in images]
    works = [lambda image=image: rollout(model, image, target=1).values for image in images]
    for results, values in zip(side_by_side(*works), expected, strict=True):
        assert all(torch.equal(result, values) for result in results)
    assert state_of(model) == before


@pytest.mark.parametrize("rollout", ROLLOUTS)
def test_a_convolutional_stem_is_a_finer_way_to_the_same_patches(rollout):
    torch.manual_seed(0)
    stem = [models.vision_transformer.ConvStemConfig(8, 3, 2) for _ in range(3)]
    sizes = {"image_size": 32, "patch_size": 8, "hidden_dim": 16, "mlp_dim": 32}
    model = models.VisionTransformer(**sizes, num_layers=1, num_heads=2, conv_stem_configs=stem)
    torch.nn.init.normal_(model.heads.head.weight)
    result = rollout(model.eval(), image_of(), target=1)
    assert result.measures["cells"] == [4, 4]
    assert result.values.std() > 0


@pytest.mark.parametrize("rollout", ROLLOUTS)
def test_other_models_are_refused(rollout):
    with pytest.raises(ModelError, match="is a Sequential; allowed: torchvision's VisionTransf"):
        rollout(plain(), torch.randn(1, 3, 24, 24), target=0)
    with pytest.raises(TargetError):
        rollout(vit(), image_of(), target=5)
