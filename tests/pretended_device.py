"""A device that is not there: its tensors lie on the CPU, but behave as a GPU's would.

What lies on it may not be mixed with what lies on the CPU, and is read only by way of a copy or
of single numbers, each of which makes the host wait and is counted.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only

DEVICE = torch.device("meta")  # the only one without a GPU that autograd runs on besides the CPU
_MAY_TAKE_BOTH = {torch.ops.aten.index, torch.ops.aten.index_put, torch.ops.aten.index_put_}


class MixedDevicesError(RuntimeError):
    """An operation takes tensors of both devices."""


class Away(torch.Tensor):
    """A tensor on the device that is not there."""

    @staticmethod
    def __new__(cls, here: Tensor) -> "Away":
        return torch.Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            layout=here.layout,
            device=DEVICE,
            requires_grad=here.requires_grad,
        )

    def __init__(self, here: Tensor) -> None:
        self.here = here.detach()

    def __repr__(self) -> str:
        return f"Away({self.here})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError("outside of `pretended`")


class _Pretending(TorchDispatchMode):
    """Runs what is asked of the device on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.n_reads = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        flat = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
        is_away = any(isinstance(t, Away) for t in flat)
        stray = [t for t in flat if not isinstance(t, Away) and t.dim() > 0]
        packet = func.overloadpacket
        asked = kwargs.get("device")
        goes_away = is_away if asked is None else torch.device(asked) == DEVICE
        is_copy = packet in {torch.ops.aten._to_copy, torch.ops.aten.copy_}
        if is_away and stray and not is_copy and packet not in _MAY_TAKE_BOTH:
            raise MixedDevicesError(f"{func} takes tensors of two devices")
        if not is_away and not goes_away:
            return func(*args, **kwargs)
        if (is_away and not goes_away) or packet is torch.ops.aten._local_scalar_dense:
            self.n_reads += 1
        if asked is not None:
            kwargs["device"] = "cpu"
        here_args, here_kwargs = tree_map_only(Away, lambda t: t.here, (args, kwargs))
        found = func(*here_args, **here_kwargs)
        if not goes_away:
            return found
        away = tree_map_only(Tensor, Away, found)
        return return_and_correct_aliasing(func, args, kwargs, away) if is_away else away


class _Making(TorchFunctionMode):
    """Makes tensors of plain numbers on the device; PyTorch itself would leave them empty."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.new_tensor and isinstance(args[0], Away):
            return torch.tensor(args[1], dtype=kwargs.get("dtype", args[0].dtype)).to(DEVICE)
        if func is torch.tensor and kwargs.get("device") == DEVICE:
            return torch.tensor(*args, **{**kwargs, "device": "cpu"}).to(DEVICE)
        if func is torch.Tensor.__getitem__ and isinstance(args[1], list):
            return args[0][torch.tensor(args[1])]
        if func is torch.Tensor.tolist and isinstance(args[0], Away):
            return args[0].cpu().tolist()
        return func(*args, **kwargs)


def _without_gradients(mode: bool = True) -> AbstractContextManager[None]:
    return torch.no_grad() if mode else nullcontext()


@contextmanager
def pretended() -> Iterator[_Pretending]:
    """Pretend that the device is there; yield what counts how often the host reads from it."""
    # Tensors made in inference mode cannot tell views from copies where they are not there.
    with (
        patch.object(torch, "inference_mode", _without_gradients),
        _Making(),
        _Pretending() as mode,
    ):
        yield mode


def moved(model: nn.Module) -> nn.Module:
    """Move a model's parameters and buffers to the device; inside `pretended`."""
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(Away(parameter.detach()))
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = Away(buffer)
    return model
