"""Trying a model once before it may be used: `python -m review.models.check CARD WEIGHTS`.

It runs as a process of its own, so that a broken or hostile file brings nothing else down, and the
web server never loads PyTorch. Once its own code is loaded it can reach the two files and nothing
else, in bounded memory. Prints a JSON object whose "error" is null if all is well.
"""

import json
import re
import resource
import sys
from pathlib import Path

import torch

from imaging import confined
from review.models.plugins import register_architectures
from xai_core.errors import XaiError
from xai_core.model.card import ModelCard, card_from_json
from xai_core.model.loading import load_model

TRIAL_SIDE_PX = 224
MEMORY_BYTES = 1_500_000_000  # beside what PyTorch itself takes
MEMORY_PER_BYTE = 8  # of the weights: the file, its tensors, those of the model, the answer
MAX_SECONDS = 1_200  # of all processors together
MAX_FILES = 256


def main() -> None:
    """Load the model, let it answer once, say what went wrong."""
    card = card_from_json(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    weights = Path(sys.argv[2])
    error = None
    try:
        register_architectures()
        _confine(weights)
        check(card, weights)
    except XaiError as exc:
        error = str(exc)
    except MemoryError:
        error = "the weights take far more memory than their file: they are damaged or hostile"
    json.dump({"error": error}, sys.stdout)


def check(card: ModelCard, weights: Path) -> None:
    """Load a model, which lets it answer once where its input has a fixed size, or else do that.

    Raises:
        XaiError: If the model cannot be loaded or does not answer with finite scores.
    """
    model = load_model(card, weights)
    if card.preprocessing.input_size is None:
        shape = (1, card.preprocessing.channels, TRIAL_SIDE_PX, TRIAL_SIDE_PX)
        model.logits(torch.zeros(shape))


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
