"""Checkpoints: tensors out of a file that nobody vouches for, without running anything in it."""

import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from xai_core.errors import CheckpointError

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_DEEPEST_WRAPPING = 4  # a pickle may hold itself
_PARALLEL_PREFIX = "module."  # of torch.nn.DataParallel
_MOST_NAMED = 10
_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
# What torch.save writes, below the archive's own folder; anything else is a program's.
_WEIGHTS_MEMBER = re.compile(r"[^/]+/(data\.pkl|byteorder|version|data/[^/]+|\.\w+(/\w+)?)")
_ADVICE = "save the state dict alone, best as safetensors"


def load_state_dict(source: Path | bytes, *, expected_sha256: str) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name, on the CPU, floating-point ones as float32.

    safetensors and PyTorch's `.pt`/`.pth` are read. The wrappers `state_dict`,
    `model_state_dict` and `model` are unpacked and the prefix `module.` is taken off.

    Args:
        source: The file, or its bytes.
        expected_sha256: What the file hashes to, in lowercase hexadecimal digits.

    Raises:
        CheckpointError: The file is missing, another one, damaged, a program, or holds weights
            that are NaN or infinite.
    """
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise CheckpointError("the weights file is empty")
    found = hashlib.sha256(data).hexdigest()
    if found != expected_sha256:
        raise CheckpointError(f"the weights have SHA-256 {found}; the card says {expected_sha256}")
    state = _without_prefix(_unwrapped(_parsed(data)))
    for name, tensor in state.items():
        _require_plain(name, tensor, n_bytes_in_file=len(data))
    state = {k: t.float() if t.is_floating_point() else t for k, t in state.items()}
    if broken := [name for name, tensor in state.items() if not tensor.isfinite().all()]:
        raise CheckpointError(f"weights are NaN or infinite in {named(sorted(broken))}")
    return state


def named(items: Sequence[str]) -> str:
    """Return the first few items as text, and how many more there are."""
    shown, n_more = ", ".join(items[:_MOST_NAMED]), len(items) - _MOST_NAMED
    return f"{shown} and {n_more} more" if n_more > 0 else shown


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise CheckpointError(f"{path.name} cannot be read: {exc.strerror}") from exc


def _parsed(data: bytes) -> Any:
    # The header of safetensors begins at byte 8; its length before it may look like anything.
    if data[8:9] == b"{":
        try:
            return safetensors.torch.load(data)
        except SafetensorError as exc:
            raise CheckpointError(f"the safetensors file is damaged: {exc}") from exc
    if data.startswith(_ZIP):
        _require_weights_archive(data)
    elif not data.startswith(_PICKLE):
        raise CheckpointError("the weights file is neither safetensors nor PyTorch's")
    try:
        return torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    # Hostile bytes fail in more ways than PyTorch documents: EOFError, KeyError, struct.error, ...
    except Exception as exc:
        if found := re.search(r"GLOBAL ([\w.]{0,99}\w)", str(exc)):
            raise CheckpointError(
                f"the weights file holds {found[1]}, which runs code; allowed: tensors. {_ADVICE}"
            ) from exc
        raise CheckpointError(f"the weights file is damaged: {type(exc).__name__}") from exc


def _require_weights_archive(data: bytes) -> None:
    """Check, without unpacking it, that an archive is what torch.save writes and no bomb."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as exc:
        raise CheckpointError("the weights file is truncated or damaged") from exc
    odd = [m.filename for m in members if not _WEIGHTS_MEMBER.fullmatch(m.filename)]
    if odd:
        raise CheckpointError(
            f"the weights file holds {named(odd)}: TorchScript, exported programs and other "
            f"archives may run code; {_ADVICE}"
        )
    if sum(m.file_size for m in members) > len(data):
        raise CheckpointError("the weights file unpacks to more than its own size")


def _unwrapped(loaded: Any) -> dict[str, Tensor]:
    for _ in range(_DEEPEST_WRAPPING):
        if not isinstance(loaded, Mapping):
            break
        inner = (loaded[key] for key in _WRAPPERS if isinstance(loaded.get(key), Mapping))
        loaded = next(inner, loaded)
    if not isinstance(loaded, Mapping) or not loaded:
        raise CheckpointError(f"the weights file holds no state dict; {_ADVICE}")
    odd = [str(k) for k, v in loaded.items() if not (isinstance(k, str) and isinstance(v, Tensor))]
    if odd:
        raise CheckpointError(
            f"the weights file holds {named(odd)} beside tensors; "
            f"allowed: a state dict, alone or under {', '.join(_WRAPPERS)}"
        )
    return dict(loaded)


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    if not all(name.startswith(_PARALLEL_PREFIX) for name in state):
        return state
    return {name.removeprefix(_PARALLEL_PREFIX): tensor for name, tensor in state.items()}


def _require_plain(name: str, tensor: Tensor, *, n_bytes_in_file: int) -> None:
    """Refuse tensors whose values cannot be read off, or are more than the file holds."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        kind = "quantized" if tensor.is_quantized else f"{tensor.layout} on {tensor.device}"
        raise CheckpointError(f"{name} is {kind}; allowed: a dense tensor with values")
    if (n_bytes := tensor.numel() * tensor.element_size()) > n_bytes_in_file:
        raise CheckpointError(
            f"{name} is {tuple(tensor.shape)}, {n_bytes} bytes, in a file of {n_bytes_in_file}"
        )
