"""Multi-head attention (Vaswani et al., NeurIPS 2017, section 3.2.2) taken apart.

`nn.MultiheadAttention` is one call of a traced graph; methods need what happens inside.
"""

from torch import Tensor, nn

from xai_core.errors import ModelError
from xai_core.methods.backward_rules import Call

_HARMLESS = {"need_weights", "average_attn_weights"}  # options that do not change the result
_N_INPUTS = 3  # query, key and value


def attention_layer(call: Call) -> nn.MultiheadAttention:
    """Return the layer that a call calls, if it can be taken apart.

    Raises:
        ModelError: It masks, adds tokens of its own, or projects keys and values otherwise.
    """
    layer = call.layer
    given = {name for name, value in call.kwargs.items() if not (value is None or value is False)}
    if (
        not isinstance(layer, nn.MultiheadAttention)
        or layer.in_proj_weight is None
        or layer.bias_k is not None
        or layer.add_zero_attn
        or len(call.args) != _N_INPUTS
        or not given <= _HARMLESS
    ):
        raise ModelError(f"{call.name} is not plain self-attention; allowed: no masks, one width")
    return layer


def projected(
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


def joined(layer: nn.MultiheadAttention, heads: Tensor) -> Tensor:
    """Return the layer's result from that of its heads, (N, heads, tokens, width)."""
    n, _, n_tokens, _ = heads.shape
    tokens = heads.transpose(1, 2).reshape(n, n_tokens, layer.embed_dim)
    result: Tensor = layer.out_proj(tokens if layer.batch_first else tokens.transpose(0, 1))
    return result


def _split(layer: nn.MultiheadAttention, x: Tensor) -> Tensor:
    x = x if layer.batch_first else x.transpose(0, 1)
    n, n_tokens, _ = x.shape
    return x.view(n, n_tokens, layer.num_heads, layer.head_dim).transpose(1, 2)
