"""Reading weights without running anything: safetensors, or weights-only PyTorch files."""

import hashlib
import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from xai_core.errors import CheckpointError

WRAPPERS = ("state_dict", "model_state_dict", "model")
PREFIX = "module."
MAX_NAMED = 10
ZIP_MAGIC = b"PK\x03\x04"


def load_state_dict(
    source: Path | bytes, *, expected_sha256: str | None = None
) -> dict[str, Tensor]:
    """Return the tensors of a weights file, unwrapped and checked.

    Wrappers (`state_dict`, `model_state_dict`, `model`) are unpacked, the prefix `module.` dropped.

    Args:
        source: A file, or its bytes.
        expected_sha256: What the file must hash to; None accepts any.

    Raises:
        CheckpointError: If the hash differs, the file is damaged, holds code, or holds NaN.
    """
    data = _read(source)
    if expected_sha256 is not None:
        found = hashlib.sha256(data).hexdigest()
        if found != expected_sha256:
            raise CheckpointError(f"the weights hash to {found}; the card says {expected_sha256}")
    tensors = _unwrapped(_parsed(data))
    if broken := [n for n, t in tensors.items() if t.is_floating_point() and _is_broken(t)]:
        raise CheckpointError(f"weights that are NaN or infinite: {named(broken)}")
    return tensors


def named(keys: list[str]) -> str:
    """Return the first few keys as text, and how many more there are."""
    shown = ", ".join(keys[:MAX_NAMED])
    return shown if len(keys) <= MAX_NAMED else f"{shown} and {len(keys) - MAX_NAMED} more"


def _is_broken(tensor: Tensor) -> bool:
    return not bool(tensor.isfinite().all())


def _read(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        data = source
    else:
        try:
            data = source.read_bytes()
        except OSError as exc:
            raise CheckpointError(f"cannot read the weights {source}: {exc.strerror}") from exc
    if not data:
        raise CheckpointError("the weights file is empty")
    return data


def _parsed(data: bytes) -> object:
    if data[8:9] == b"{" and not data.startswith(ZIP_MAGIC):
        try:
            return safetensors.torch.load(data)
        except safetensors.SafetensorError as exc:
            raise CheckpointError(f"not a whole safetensors file: {exc}") from exc
    _refuse_programs(data)
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as exc:
        raise CheckpointError(
            "the file holds more than tensors, which could run code on loading: save the state "
            "dict alone, best as safetensors"
        ) from exc
    except Exception as exc:  # the unpickler fails in many ways on bytes that are no pickle
        raise CheckpointError("not a whole safetensors or PyTorch weights file") from exc


def _refuse_programs(data: bytes) -> None:
    """Refuse TorchScript and exported programs, which are code."""
    if not data.startswith(ZIP_MAGIC):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as exc:
        raise CheckpointError("the weights file is truncated or damaged") from exc
    if any(
        "/code/" in f"/{name}" or name.endswith(("constants.pkl", ".py", "archive_format"))
        for name in names
    ):
        raise CheckpointError(
            "this is a program (TorchScript or an exported model), which runs code on loading: "
            "save the state dict alone, best as safetensors"
        )


def _unwrapped(loaded: object) -> dict[str, Tensor]:
    while isinstance(loaded, Mapping):
        inner = next((loaded[k] for k in WRAPPERS if isinstance(loaded.get(k), Mapping)), None)
        if inner is None:
            break
        loaded = inner
    if not isinstance(loaded, Mapping) or not loaded:
        raise CheckpointError("the weights file holds no state dict")
    if odd := [str(k) for k, v in loaded.items() if not isinstance(v, Tensor)]:
        raise CheckpointError(f"entries that are not tensors: {named(odd)}")
    return {str(key).removeprefix(PREFIX): tensor for key, tensor in loaded.items()}
