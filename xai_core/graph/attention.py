"""Multi-head attention (Vaswani et al., NeurIPS 2017, section 3.2.2) taken apart.

`nn.MultiheadAttention` is one call of a traced graph; methods need what happens inside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from xai_core.errors import ModelError
from xai_core.graph.copies import prepared_copy, require_same_scores
from xai_core.graph.interpreter import Call, Interpreter, by_kind
from xai_core.scoring import TargetScore

_HARMLESS = {"need_weights", "average_attn_weights"}  # options that do not change the result
_N_INPUTS = 3  # query, key and value


def attention_layer(call: Call) -> nn.MultiheadAttention:
    """Return the layer that a call calls, if it can be taken apart.

    Raises:
        ModelError: It masks, adds tokens of its own, or projects keys and values otherwise.
    """
    if not is_plain(call.layer, call.args, call.kwargs):
        raise ModelError(f"{call.name} is not plain self-attention; allowed: no masks, one width")
    return call.layer


def is_plain(
    layer: object, args: Sequence[object], kwargs: Mapping[str, object]
) -> TypeGuard[nn.MultiheadAttention]:
    """Whether a call with these arguments is attention that can be taken apart."""
    given = {name for name, value in kwargs.items() if not (value is None or value is False)}
    return (
        isinstance(layer, nn.MultiheadAttention)
        and layer.in_proj_weight is not None
        and layer.bias_k is None
        and not layer.add_zero_attn
        and len(args) == _N_INPUTS
        and given <= _HARMLESS
    )


def project(
    layer: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return scaled queries, keys and values by head, (N, heads, tokens, width) each."""
    biases = [None] * _N_INPUTS if layer.in_proj_bias is None else layer.in_proj_bias.chunk(3)
    weights = layer.in_proj_weight.chunk(_N_INPUTS)
    q, k, v = (
        _split(layer, nn.functional.linear(x, weight, bias))
        for x, weight, bias in zip((query, key, value), weights, biases, strict=True)
    )
    return q * layer.head_dim**-0.5, k, v


def join_heads(layer: nn.MultiheadAttention, heads: Tensor) -> Tensor:
    """Return the layer's result from that of its heads, (N, heads, tokens, width)."""
    n, _, n_tokens, _ = heads.shape
    tokens = heads.transpose(1, 2).reshape(n, n_tokens, layer.embed_dim)
    result: Tensor = layer.out_proj(tokens if layer.batch_first else tokens.transpose(0, 1))
    return result


@dataclass(frozen=True)
class Attended:
    """What a vision transformer attended to.

    Attributes:
        layers: Each layer's weights, (1, heads, tokens, tokens): rows look at columns.
        score: F(image), (1,), which depends on the weights.
        grid: Rows and columns of patches.
    """

    layers: list[Tensor]
    score: Tensor
    grid: tuple[int, int]

    def patches(self, mixing: Tensor) -> Tensor:
        """Return what the class token has of each patch, (1, 1, h, w).

        Args:
            mixing: How much of each token is in each, (1, tokens, tokens).
        """
        return mixing[:, 0, 1:].reshape(1, 1, *self.grid)


def attend(score: TargetScore, image: Tensor) -> Attended:
    """Pass an image, (1, C, H, W), through a copy of torchvision's vision transformer.

    Raises:
        ModelError: It is another model, or cannot be traced.
    """
    model = score.model
    if not isinstance(model, VisionTransformer):
        kind = type(model).__name__
        raise ModelError(f"the model is a {kind}; allowed: torchvision's VisionTransformer")
    layers: list[Tensor] = []

    def keep(call: Call) -> tuple[Tensor, None]:
        layer = attention_layer(call)
        q, k, v = project(layer, *call.args)
        layers.append(weights := (q @ k.mT).softmax(-1))
        return join_heads(layer, weights @ v), None

    copied = Interpreter(prepared_copy(model), by_kind({nn.MultiheadAttention: keep}))
    scores = copied.scores(image.detach().requires_grad_())
    require_same_scores(score.clean_scores, scores)
    height, width = (side // model.patch_size for side in image.shape[2:])
    return Attended(layers, score.of(scores), (height, width))


def identity_like(mixing: Tensor) -> Tensor:
    """Return the mixing, (1, tokens, tokens), in which each token is itself."""
    return torch.eye(mixing.shape[-1], dtype=mixing.dtype, device=mixing.device)[None]


def _split(layer: nn.MultiheadAttention, x: Tensor) -> Tensor:
    x = x if layer.batch_first else x.transpose(0, 1)
    n, n_tokens, _ = x.shape
    return x.view(n, n_tokens, layer.num_heads, layer.head_dim).transpose(1, 2)
