"""Swin's window attention (arXiv:2103.14030, arXiv:2111.09883), opened up.

torchvision writes it as one function of many steps, which a traced graph holds as one call.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from xai_core.methods.relevance import multipliers

_Arguments = tuple[Any, ...]
_Options = dict[str, Any]


def lined(attend: Callable[..., Tensor], args: _Arguments, args0: _Arguments) -> Tensor:
    """Return attend(*args) with DeepLIFT's multipliers for its slopes.

    It is run on the baseline first, and what enters its functions of several values is kept.

    Args:
        attend: The attention; which steps it takes depends on shapes alone.
        args: Its arguments on the image's run.
        args0: The same on the baseline's.
    """
    with _Recording() as baseline, torch.no_grad():
        attend(*args0)
    with _Replaying(baseline.inputs):
        return attend(*args)


def with_fixed_weights(attend: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return attend(x), in which autograd takes the attention's weights for constants."""
    with _Fixing():
        return attend(x)


class _Recording(TorchFunctionMode):
    """Keeps what enters the functions that have a rule."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[_Arguments] = []

    def __torch_function__(
        self, func: Any, types: Any, args: _Arguments = (), kwargs: _Options | None = None
    ) -> Any:
        if func in _RULES:
            self.inputs.append(args)
        return func(*args, **(kwargs or {}))


class _Replaying(TorchFunctionMode):
    """Puts the rules in the place of the functions."""

    def __init__(self, inputs0: list[_Arguments]) -> None:
        super().__init__()
        self._inputs0 = iter(inputs0)

    def __torch_function__(
        self, func: Any, types: Any, args: _Arguments = (), kwargs: _Options | None = None
    ) -> Any:
        if func in _RULES:
            return _RULES[func](args, next(self._inputs0), kwargs or {})
        return func(*args, **(kwargs or {}))


class _Fixing(TorchFunctionMode):
    """Cuts what the softmax gives off its inputs."""

    def __torch_function__(
        self, func: Any, types: Any, args: _Arguments = (), kwargs: _Options | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        return result.detach() if func is F.softmax else result


def _product(args: _Arguments, args0: _Arguments, _options: _Options) -> Tensor:
    return multipliers.product(torch.matmul, args[0], args0[0], args[1], args0[1])


def _softmax(args: _Arguments, args0: _Arguments, options: _Options) -> Tensor:
    return multipliers.softmax(args[0], args0[0], options["dim"])


def _direction(args: _Arguments, args0: _Arguments, options: _Options) -> Tensor:
    return multipliers.direction(args[0], args0[0], options["dim"])


_RULES: dict[object, Callable[[_Arguments, _Arguments, _Options], Tensor]] = {
    **dict.fromkeys((torch.matmul, Tensor.matmul, Tensor.__matmul__), _product),
    F.softmax: _softmax,
    F.normalize: _direction,
}
