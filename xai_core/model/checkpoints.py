"""Checkpoints: tensors out of a file that nobody vouches for, without running anything in it."""

import hashlib
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from xai_core.errors import CheckpointError
from xai_core.model.prefixes import named, part_of

_DEEPEST_WRAPPING = 4
_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
# What torch.save writes, below the archive's own folder; anything else is a program's.
_WEIGHTS_MEMBER = re.compile(r"[^/]+/(data\.pkl|byteorder|version|data/[^/]+|\.\w+(/\w+)?)")
_ADVICE = "save the state dict alone, best as safetensors"


@dataclass(frozen=True)
class Weights:
    """The tensors of a checkpoint that belong to one model.

    Attributes:
        tensors: By the model's own names, on the CPU; floating-point ones are float32.
        prefix: With what their names begin in the file, keys around them joined by dots.
        notes: What was taken off, left out or converted, in words.
    """

    tensors: dict[str, Tensor]
    prefix: str
    notes: tuple[str, ...]


def read_tensors(source: Path | bytes, *, expected_sha256: str | None = None) -> dict[str, Tensor]:
    """Return every tensor of a checkpoint, the keys around it joined by dots.

    safetensors and PyTorch's `.pt`/`.pth` are read. What is no tensor is left out.

    Args:
        source: The file, or its bytes.
        expected_sha256: What the file hashes to, in lowercase hexadecimal digits.

    Raises:
        CheckpointError: The file is missing, another one, damaged, a program, or holds none.
    """
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise CheckpointError("the weights file is empty")
    if expected_sha256 is not None:
        found = hashlib.sha256(data).hexdigest()
        if found != expected_sha256:
            raise CheckpointError(
                f"the weights have SHA-256 {found}; the card says {expected_sha256}"
            )
    loaded = _parsed(data)
    tensors = dict(_flat(loaded, "", 0)) if isinstance(loaded, Mapping) else {}
    if not tensors:
        raise CheckpointError(f"the weights file holds no state dict; {_ADVICE}")
    for name, tensor in tensors.items():
        _require_plain(name, tensor, n_bytes_in_file=len(data))
    return tensors


def weights_of(
    tensors: Mapping[str, Tensor], names: Collection[str], *, prefix: str | None = None
) -> Weights:
    """Return the tensors that belong to a model, whatever their names begin with.

    Args:
        tensors: As `read_tensors` returns them.
        names: The model's own.
        prefix: With what the names begin; None finds it.

    Raises:
        CheckpointError: Several sets fit, none begins so, or weights are NaN or infinite.
    """
    part = part_of(tensors, names, prefix=prefix)
    notes = []
    if part.prefix:
        notes.append(f"names of the weights begin with {part.prefix!r}, which was taken off")
    if part.n_others:
        notes.append(f"{part.n_others} other tensors of the file were left out")
    narrow = {str(t.dtype).removeprefix("torch.") for t in part.tensors.values() if _is_other(t)}
    if narrow:
        notes.append(f"weights are {' and '.join(sorted(narrow))}; they are used as float32")
    state = {k: t.float() if t.is_floating_point() else t for k, t in part.tensors.items()}
    if broken := [name for name, tensor in state.items() if not tensor.isfinite().all()]:
        raise CheckpointError(f"weights are NaN or infinite in {named(sorted(broken))}")
    return Weights(state, part.prefix, tuple(notes))


def _is_other(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.dtype is not torch.float32


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


def _flat(loaded: Mapping[Any, Any], prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of nested mappings; a pickle may hold itself, so not without end."""
    for key, value in loaded.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{key}", value
        elif isinstance(value, Mapping) and depth < _DEEPEST_WRAPPING:
            yield from _flat(value, f"{prefix}{key}.", depth + 1)


def _require_plain(name: str, tensor: Tensor, *, n_bytes_in_file: int) -> None:
    """Refuse tensors whose values cannot be read off, or are more than the file holds."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        kind = "quantized" if tensor.is_quantized else f"{tensor.layout} on {tensor.device}"
        raise CheckpointError(f"{name} is {kind}; allowed: a dense tensor with values")
    if (n_bytes := tensor.numel() * tensor.element_size()) > n_bytes_in_file:
        raise CheckpointError(
            f"{name} is {tuple(tensor.shape)}, {n_bytes} bytes, in a file of {n_bytes_in_file}"
        )
