"""How layers are run on dense values b + d, where there is a faster way than their own."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from xai_core.graph.attention import is_plain
from xai_core.incremental.call import DeltaCall

_N_DIMS = 3  # of tokens, (N, tokens, C)


def run_dense(call: DeltaCall) -> Any:
    """Run a call whose arguments are values."""
    layer, weights = call.layer, call.weights
    if isinstance(layer, nn.MultiheadAttention) and is_plain(layer, call.args, call.kwargs):
        is_batch = layer.batch_first and call.args[0].dim() == _N_DIMS
        return (_attend(call, layer, *call.args), None) if is_batch else call.run()
    if len(call.args) == 1 and type(layer) is nn.Linear:
        return weights.multiply(layer.weight, *call.args, bias=layer.bias)
    if len(call.args) == 1 and type(layer) is nn.Conv2d and layer.padding_mode == "zeros":
        match layer.padding:
            case (int(rows), int(columns)):
                return weights.convolve(
                    call.node, layer, *call.args, padding=(rows, columns), bias=layer.bias
                )
    return call.run()


def _attend(
    call: DeltaCall, layer: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor
) -> Tensor:
    """Return the layer's result, (N, queries, C); what reads the same is projected as one."""
    weight, bias, width = layer.in_proj_weight, layer.in_proj_bias, layer.embed_dim

    def heads(values: Tensor, first: int, n: int) -> list[Tensor]:
        """Return `n` projections, the layer's `first` and those after it, by head."""
        outputs = slice(first * width, (first + n) * width)
        found = call.weights.multiply(weight, values, bias=bias, outputs=outputs)
        split = found.view(*values.shape[:2], n, layer.num_heads, layer.head_dim)
        return list(split.permute(2, 0, 3, 1, 4))

    if query is key is value:
        q, k, v = heads(query, 0, 3)
    elif key is value:
        (q,), (k, v) = heads(query, 0, 1), heads(key, 1, 2)
    else:
        (q,), (k,), (v,) = heads(query, 0, 1), heads(key, 1, 1), heads(value, 2, 1)
    found = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(query.shape)
    out = layer.out_proj
    return call.weights.multiply(out.weight, found, bias=out.bias)
