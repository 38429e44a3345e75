"""Models whose last layer makes probabilities of its logits, and how it is taken off.

A probability near 1 hardly moves, whatever is covered, and its slopes vanish: maps of it show next
to nothing where the model is sure. Maps are made of logits.
"""

from typing import Any

import torch
from torch import Tensor, nn

from xai_core.errors import ModelError

_ENDS = {"SoftmaxBackward0": "softmax", "SigmoidBackward0": "sigmoid"}
# Steps that move numbers and leave them as they are.
_MOVING = (
    "View",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Slice",
    "Alias",
    "Clone",
    "Select",
    "Permute",
)
_TOLERANCE = 1e-4


@torch.enable_grad()
def activation_of(module: nn.Module, batch: Tensor) -> str | None:
    """Return "softmax" or "sigmoid" where the model's answers come of one, else None.

    Args:
        module: (N, C, H, W) to (N, K).
        batch: Inputs of any kind, (N, C, H, W).
    """
    # Only the end of its graph is asked for: nothing is kept to go back through it.
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.new_empty(0), lambda t: t):
        answer = module(batch.detach().requires_grad_())
    step: Any = answer.grad_fn
    while step is not None and step.name().startswith(_MOVING) and step.next_functions:
        step = step.next_functions[0][0]
    if step is not None and step.name() in _ENDS:
        return _ENDS[step.name()]
    # However it was computed, what adds up to 1 for every image is no logits.
    sums = answer.detach().sum(1)
    is_share = answer.shape[1] > 1 and answer.min() >= 0 and (sums - 1).abs().max() < _TOLERANCE
    return "softmax" if is_share else None


def without_activation(module: nn.Module, batch: Tensor) -> nn.Module:
    """Return the model with its last layer, a softmax or sigmoid, taken off.

    Args:
        module: (N, C, H, W) to (N, K); changed in place.
        batch: An input, (N, C, H, W).

    Raises:
        ModelError: It does not end in such a layer.
    """
    last: list[tuple[nn.Module, Tensor]] = []
    layers = [m for m in module.modules() if isinstance(m, nn.Softmax | nn.Sigmoid)]
    hooks = [
        layer.register_forward_hook(lambda layer, _, answer: last.append((layer, answer)))
        for layer in layers
    ]
    try:
        with torch.no_grad():
            answer = module(batch)
    finally:
        for hook in hooks:
            hook.remove()
    ends = [layer for layer, given in last if given is answer]
    if not ends:
        raise ModelError(
            'output is "probabilities", but the model does not end in a layer nn.Softmax or '
            "nn.Sigmoid that could be taken off: let its code return the logits"
        )
    if ends[-1] is module:
        return nn.Identity()
    for parent in module.modules():
        for name, child in parent.named_children():
            if child is ends[-1]:
                setattr(parent, name, nn.Identity())
    return module
