"""Graphs in which what is read of one token alone is computed for that token alone.

A vision transformer's scores are read from its class token. Behind the last attention, that token
is all that counts; attention itself needs the keys and values of all tokens, and one query.
"""

import operator

from torch import Tensor, fx, nn

from xai_core.graph.attention import is_plain
from xai_core.graph.tracing import module_of
from xai_core.incremental import pointwise
from xai_core.incremental.clean import CleanMaps
from xai_core.incremental.rules import RULES

_POINTWISE = frozenset(
    kind
    for kind, rule in RULES.items()
    if rule in {pointwise.elementwise, pointwise.rectifier, pointwise.add, pointwise.multiply}
)
_N_DIMS = 3  # of a map of tokens, (N, tokens, C)


def narrowed(traced: fx.GraphModule, maps: CleanMaps) -> tuple[fx.GraphModule, CleanMaps]:
    """Return a graph that gives the same scores, and what the clean image gives at its nodes.

    Args:
        traced: The model; the graph shares its layers and leaves it as it is.
        maps: What the clean image gives at its nodes.
    """
    tokens = _tokens_read(traced, maps)
    if not tokens:
        return traced, maps
    graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    graph.output(graph.graph_copy(traced.graph, copies))
    values = {copy: maps[node] for node, copy in copies.items()}
    values[graph.output_node()] = maps[traced.graph.output_node()]
    chosen: dict[tuple[fx.Node, int], fx.Node] = {}

    def one_of(source: fx.Node, token: int) -> fx.Node:
        """Return one token of a node that gives all, (N, 1, C)."""
        if (source, token) not in chosen:
            place = slice(None), slice(token, token + 1)
            with graph.inserting_after(copies[source]):
                node = graph.call_function(operator.getitem, (copies[source], place))
            chosen[source, token], values[node] = node, maps[source][place]
        return chosen[source, token]

    for node, token in tokens.items():
        is_attention = isinstance(module_of(traced, node), nn.MultiheadAttention)
        for place, source in enumerate(node.args[:1] if is_attention else node.args):
            if isinstance(source, fx.Node) and source not in tokens:
                copies[node].update_arg(place, one_of(source, token))
        if is_attention:
            continue
        values[copies[node]] = maps[node][:, token : token + 1]
        for user in node.users:
            if user not in tokens:
                copies[user].update_arg(1, (slice(None), 0))
    return fx.GraphModule(traced, graph), CleanMaps(graph, values, maps.dtype)


def _tokens_read(traced: fx.GraphModule, maps: CleanMaps) -> dict[fx.Node, int]:
    """Return the nodes that can be computed for one token alone, and for which."""
    tokens: dict[fx.Node, int] = {}
    for node in reversed(traced.graph.nodes):
        wanted = {_wanted(user, node, tokens, maps) for user in _readers(node)}
        token = wanted.pop() if len(wanted) == 1 else None
        if token is not None and _is_by_token(traced, node, maps):
            tokens[node] = token
    return tokens


def _readers(node: fx.Node) -> list[fx.Node]:
    """Return the users whose results are used."""
    return [user for user in node.users if user.users or user.op == "output"]


def _wanted(
    user: fx.Node, node: fx.Node, tokens: dict[fx.Node, int], maps: CleanMaps
) -> int | None:
    """Return which token of `node` is all that `user` reads of it, or None where it reads more."""
    if user in tokens:
        is_attention = isinstance(maps[user], tuple)
        return None if is_attention and node in user.args[1:] else tokens[user]
    if user.target is not operator.getitem or not isinstance(user.args[1], tuple):
        return None
    match user.args[1]:
        case (slice(start=None, stop=None, step=None), int(index)) if _is_tokens(maps[node]):
            return index % int(maps[node].shape[1])
    return None


def _is_by_token(traced: fx.GraphModule, node: fx.Node, maps: CleanMaps) -> bool:
    """Whether each token that a node gives comes from the same one of each of its arguments."""
    layer = module_of(traced, node)
    if isinstance(layer, nn.MultiheadAttention):
        return (
            layer.batch_first
            and _is_tokens(maps[node][0])
            and is_plain(layer, node.args, node.kwargs)
            and [reader.args[1] for reader in _readers(node)] == [0]
        )
    if node.target is operator.getitem and isinstance(source := node.args[0], fx.Node):
        is_result = isinstance(module_of(traced, source), nn.MultiheadAttention)
        return is_result and _is_by_token(traced, source, maps)
    kind = node.target if layer is None else type(layer)
    is_norm = isinstance(layer, nn.LayerNorm) and len(layer.normalized_shape) == 1
    sources = [maps[source] for source in node.all_input_nodes]
    return (
        (kind in _POINTWISE or type(layer) is nn.Linear or is_norm)
        and all(_is_tokens(value) for value in (maps[node], *sources))
        and all(source.shape[:2] == maps[node].shape[:2] for source in sources)
        and not any(isinstance(value, fx.Node) for value in node.kwargs.values())
    )


def _is_tokens(value: object) -> bool:
    return isinstance(value, Tensor) and value.dim() == _N_DIMS
