"""What a model says of an image."""

from dataclasses import dataclass

import torch
from torch import Tensor

from xai_core.card import ScoreType
from xai_core.errors import ModelError
from xai_core.models import LoadedModel
from xai_core.preprocessing import normalise


@dataclass(frozen=True)
class Prediction:
    """A score for every class, and the class with the highest.

    Attributes:
        scores: One a class, in [0, 1]; they sum to 1 for softmax, each stands alone for sigmoid.
        logits: One a class, before softmax or sigmoid.
        target: Index of the predicted class.
        label: Its name.
        classes: Every class's name.
    """

    scores: tuple[float, ...]
    logits: tuple[float, ...]
    target: int
    label: str
    classes: tuple[str, ...]

    @property
    def score(self) -> float:
        """The predicted class's score."""
        return self.scores[self.target]

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """Return the k classes with the highest scores, the highest first."""
        order = sorted(range(len(self.scores)), key=lambda i: -self.scores[i])
        return [(self.classes[i], self.scores[i]) for i in order[:k]]


def predict(model: LoadedModel, image: Tensor) -> Prediction:
    """Predict one image.

    Args:
        model: A loaded model.
        image: (1, C, H, W) in the unit range, as `preprocessing.to_input` returns it.

    Raises:
        ModelError: If the model's answer is not one finite number a class.
    """
    card = model.card
    with torch.inference_mode():
        output = model.module(normalise(image.to(model.device), card.preprocessing))
    if not isinstance(output, Tensor) or output.shape != (1, len(card.classes)):
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ModelError(f"{card.name} answers {got}; expected (1, {len(card.classes)})")
    logits = output[0].double().cpu()
    if not logits.isfinite().all():
        raise ModelError(f"{card.name} answers with values that are not finite numbers")
    scores = logits.softmax(0) if card.scores is ScoreType.SOFTMAX else logits.sigmoid()
    target = int(scores.argmax())
    return Prediction(
        scores=tuple(scores.tolist()),
        logits=tuple(logits.tolist()),
        target=target,
        label=card.classes[target],
        classes=card.classes,
    )
