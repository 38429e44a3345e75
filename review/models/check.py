"""Trying a model once before it may be used: `python -m review.models.check FOLDER`.

It runs as a process of its own, so that a broken or hostile file brings nothing else down, and the
web server never loads PyTorch. Once its own code is loaded it can reach the folder and nothing
else, in bounded memory. The folder holds `weights`, and

- `card.json`: the model is loaded and answers once, and `golden.npz`, if there, scores as the card
  says;
- `asked.json` instead: cards are proposed for the weights.

Prints a JSON object: its "error" is null if all is well, else "notes" or "proposals" are missing.
"""

import json
import os
import re
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imaging import confined
from review.models.plugins import register_architectures
from xai_core.errors import ModelError, XaiError
from xai_core.model.activation import activation_of
from xai_core.model.architectures import prepare
from xai_core.model.card import ModelCard, Output, card_from_json
from xai_core.model.faults import fault
from xai_core.model.golden import try_golden
from xai_core.model.loading import load_model, trial_shape
from xai_core.model.proposal import propose

MEMORY_BYTES = 1_500_000_000  # beside what PyTorch itself takes
MEMORY_PER_BYTE = 8  # of the weights: the file, its tensors, those of the model, the answer
MAX_SECONDS = 1_200  # of all processors together
MAX_FILES = 256
N_RANDOM = 2


def main() -> None:
    """Load the model, let it answer once, say what went wrong."""
    answer_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # packages and plugins print what they like
    folder = Path(sys.argv[1])
    try:
        said = _answer(folder)
    except XaiError as exc:
        said = {"error": str(exc)}
    except MemoryError:
        said = {"error": "the weights take far more memory than their file: damaged or hostile"}
    except (Exception, SystemExit) as exc:
        said = {"error": f"trying the model failed: {fault(exc)}"}
    json.dump({"error": None, **said}, answer_to)


def _answer(folder: Path) -> dict[str, Any]:
    weights, asked = folder / "weights", folder / "asked.json"
    if asked.exists():
        configs = json.loads(asked.read_text(encoding="utf-8"))
        _confine(weights)
        return {"proposals": propose(weights, **configs)}
    register_architectures()
    card = card_from_json(json.loads((folder / "card.json").read_text(encoding="utf-8")))
    prepare(card.architecture)
    _confine(weights)
    return {"notes": check(card, weights)}


def check(card: ModelCard, weights: Path) -> list[str]:
    """Load a model, let it answer, and score its golden image where that lies beside the weights.

    Returns:
        What of the weights was taken off, left out or converted.

    Raises:
        XaiError: If the model cannot be loaded, does not answer with finite logits, or scores its
            golden image otherwise than its card says.
    """
    model = load_model(card, weights)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(N_RANDOM, *trial_shape(card)[1:], generator=generator)
    model.logits(noise)
    if end := activation_of(model.module, noise):
        raise ModelError(
            f"{card.name} ends in a {end}: its answers are probabilities, and maps of them show "
            "next to nothing where the model is sure. Let it return the logits; or, if its last "
            f'layer is nn.{end.capitalize()}, say output = "{Output.PROBABILITIES}" in the card, '
            "and that layer is taken off"
        )
    golden = weights.with_name("golden.npz")
    if golden.exists():
        with np.load(golden, allow_pickle=False) as held:
            try_golden(model, held["unit"], pixel_aspect=float(held["pixel_aspect"]))
    return list(model.notes)


def _confine(weights: Path) -> None:
    status = Path("/proc/self/status").read_text()
    taken = re.search(r"^VmData:\s+(\d+) kB", status, re.MULTILINE)
    allowed = MEMORY_BYTES + MEMORY_PER_BYTE * weights.stat().st_size
    n_bytes = allowed + (int(taken[1]) * 1024 if taken else 0)
    resource.setrlimit(resource.RLIMIT_DATA, (n_bytes, n_bytes))
    confined.limit(max_seconds=MAX_SECONDS, max_files=MAX_FILES)
    confined.confine([weights.parent])


if __name__ == "__main__":
    main()
