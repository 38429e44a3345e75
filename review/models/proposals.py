"""Proposing a card for a checkpoint that has none; a person fills in what no file says."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from review.models import trial
from review.models.trial import ModelImportError
from review.policy import Action, Actor, insist
from review.workspace import Workspace

CONFIGS = {"config.json": "config", "preprocessor_config.json": "preprocessor"}
"""What may lie beside a checkpoint of transformers or timm, and what it is to a proposal."""

_ENDINGS = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")


@dataclass(frozen=True)
class Proposal:
    """A card as far as files tell it; see `xai_core.model.proposal.Proposal`."""

    architecture: str
    n_classes: int
    channels: int
    prefixes: tuple[str, ...]
    config: dict[str, Any]
    preprocessing: dict[str, Any]
    classes: tuple[str, ...]
    scores: str | None
    thresholds: tuple[float, ...]
    notes: tuple[str, ...]

    def card(self, weights_name: str, weights: bytes) -> dict[str, Any]:
        """Return the card's keys and values; what no file says is left empty."""
        stem = re.sub(r"[^A-Za-z0-9._-]", "-", Path(weights_name).stem)
        card: dict[str, Any] = {
            "name": stem.lstrip("._-")[:64] or "model",
            "version": "1",
            "architecture": self.architecture,
            "weights": weights_name,
            "weights_sha256": sha256(weights).hexdigest(),
            "classes": list(self.classes) or self.n_classes,
            "scores": self.scores or "",
            "thresholds": list(self.thresholds),
            "intended_use": "",
            "limits": "",
            "weights_prefix": self.prefixes[0] if len(self.prefixes) > 1 else None,
            "preprocessing": self.preprocessing,
            "config": self.config,
        }
        return {key: value for key, value in card.items() if value not in (None, [], {})}


def propose(
    ws: Workspace, weights: bytes, configs: Mapping[str, bytes], *, by: Actor
) -> tuple[Proposal, ...]:
    """Return what a checkpoint may be, what is likeliest first; it is read in a trial's process.

    Args:
        ws: The installation.
        weights: The checkpoint.
        configs: Files beside it by their names; those of `CONFIGS` count.
        by: Who asks.

    Raises:
        ModelImportError: If a file cannot be read, or nothing that is known fits.
    """
    with ws.read() as session:
        insist(session, by, Action.PROPOSE_MODELS)
    read = {CONFIGS[name]: _json(name, configs[name]) for name in CONFIGS if name in configs}
    return tuple(Proposal(**_frozen(found)) for found in trial.proposed(weights, read))


def _frozen(found: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(value) if isinstance(value, list) else value for k, value in found.items()}


def files_of(path: Path) -> tuple[Path, dict[str, bytes]]:
    """Return a checkpoint, given or the only one of a folder, and the configs that lie beside it.

    Raises:
        ModelImportError: If there is none, or several.
    """
    if path.is_dir():
        every = sorted(p for p in path.iterdir() if p.suffix in _ENDINGS)
        found = [p for p in every if p.suffix == ".safetensors"] or every
        if len(found) != 1:
            listed = ", ".join(p.name for p in found) or "none"
            raise ModelImportError(f"{path.name} holds these checkpoints: {listed}; name one")
        path = found[0]
    beside = {name: path.with_name(name) for name in CONFIGS}
    return path, {name: file.read_bytes() for name, file in beside.items() if file.is_file()}


def as_toml(card: Mapping[str, Any], notes: tuple[str, ...] = ()) -> str:
    """Return a card as its file, with notes as comments at its head."""
    lines = [f"# {' '.join(note.split())}" for note in notes]
    return "\n".join([*lines, *_lines(card, ())]) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    for key, value in table.items():
        if key not in tables:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in tables.items():
        yield f"\n[{'.'.join(map(_key, (*path, key)))}]"
        yield from _lines(value, (*path, key))


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)


def _value(value: Any) -> str:
    """Return a value; TOML writes texts, numbers and lists of them as JSON does."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(k)} = {_value(v)}' for k, v in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _json(name: str, data: bytes) -> Any:
    try:
        read = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise ModelImportError(f"{name} is no valid JSON") from exc
    if not isinstance(read, dict):
        raise ModelImportError(f"{name} is no JSON object")
    return read
