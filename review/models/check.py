"""Trying a model once before it may be used: `python -m review.models.check CARD WEIGHTS`.

It runs as a process of its own, so that a broken or hostile file brings nothing else down, and the
web server never loads PyTorch. Prints a JSON object whose "error" is null if all is well.
"""

import json
import sys
from pathlib import Path

import torch

from review.models.plugins import register_architectures
from xai_core.errors import XaiError
from xai_core.model.card import ModelCard, card_from_json
from xai_core.model.loading import load_model

TRIAL_SIDE_PX = 224


def main() -> None:
    """Load the model, let it answer once, say what went wrong."""
    card = card_from_json(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    error = None
    try:
        register_architectures()
        check(card, Path(sys.argv[2]))
    except XaiError as exc:
        error = str(exc)
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


if __name__ == "__main__":
    main()
