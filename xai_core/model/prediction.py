"""What a model says of an image."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.special import entr

from xai_core.errors import InputError
from xai_core.model.answer import Answer, read_answer, thresholds_of
from xai_core.model.card import ScoreType
from xai_core.model.loading import LoadedModel
from xai_core.model.preprocessing import normalise


@dataclass(frozen=True)
class Prediction:
    """A score for every class, in the order of the model card.

    Attributes:
        classes: Their names.
        logits: Before softmax or sigmoid.
        scores: In [0, 1]; with softmax they add up to 1, with sigmoid each stands for itself.
        entropy: How undecided the scores are, from 0 (certain) to 1 (they say nothing).
        answer: What they say by the card.
    """

    classes: tuple[str, ...]
    logits: tuple[float, ...]
    scores: tuple[float, ...]
    entropy: float
    answer: Answer

    @property
    def target(self) -> int:
        """Index of the class that maps explain unless asked otherwise."""
        return self.answer.target

    @property
    def label(self) -> str:
        """Its name; what the model answers is `answer.label`."""
        return self.classes[self.target]

    @property
    def score(self) -> float:
        """Its score."""
        return self.scores[self.target]

    @property
    def margin(self) -> float | None:
        """How far the highest score lies above the next; None where there is one class only."""
        best = self.top(2)
        return best[0][2] - best[1][2] if len(best) == 2 else None

    def top(self, k: int = 5) -> list[tuple[int, str, float]]:
        """Return index, name and score of the k classes with the highest scores."""
        return [(i, self.classes[i], self.scores[i]) for i in self._order()[:k]]

    def to_json(self, *, k: int = 5) -> dict[str, Any]:
        """Return a JSON-safe summary with the k highest scores."""
        return {
            "answer": self.answer.label,
            "certainty": self.answer.certainty,
            "target": self.target,
            "label": self.label,
            "score": self.score,
            "margin": self.margin,
            "entropy": self.entropy,
            "top": [{"target": i, "label": name, "score": s} for i, name, s in self.top(k)],
        }

    def _order(self) -> list[int]:
        # Logits tell classes apart whose scores round to the same number.
        return sorted(range(len(self.logits)), key=lambda i: -self.logits[i])


def predict(model: LoadedModel, unit_input: Tensor) -> Prediction:
    """Predict one image.

    Args:
        model: As `load_model` returns it.
        unit_input: (1, C, H, W) in the unit range, as `to_input` returns it.

    Raises:
        InputError: The input is not one image with the card's channels.
        ModelError: The model cannot take it, or does not answer with finite numbers.

    Example:
        >>> from xai_core.model.card import ModelCard, Preprocessing
        >>> grey = Preprocessing(channels=1, mean=(0.5,), std=(0.25,))
        >>> files = {"architecture": "site/net", "weights": "net.pth", "weights_sha256": "0" * 64}
        >>> gives = {"classes": ("none", "nodule", "mass"), "scores": ScoreType.SOFTMAX}
        >>> card = ModelCard("net", "1", **files, **gives, preprocessing=grey, intended_use="trial")
        >>> prediction = predict(LoadedModel(card, model, image.device), image)
        >>> prediction.label in card.classes, round(sum(prediction.scores), 6)
        (True, 1.0)
    """
    card = model.card
    n_channels = card.preprocessing.channels
    if unit_input.dim() != 4 or unit_input.shape[:2] != (1, n_channels):
        got = tuple(unit_input.shape)
        raise InputError(f"input has shape {got}; allowed: (1, {n_channels}, H, W)")
    logits = model.logits(normalise(unit_input, card.preprocessing))[0].double().cpu()
    if card.scores is ScoreType.SOFTMAX:
        scores = logits.softmax(0)
        entropy = entr(scores).sum() / math.log(len(scores))
    else:
        scores = logits.sigmoid()
        entropy = (entr(scores) + entr(1 - scores)).mean() / math.log(2)
    answer = read_answer(
        scores.tolist(),
        classes=card.classes,
        thresholds=thresholds_of(vars(card)),
        # Logits tell classes apart whose scores round to the same number.
        among_equals=int(logits.argmax()),
    )
    return Prediction(
        classes=card.classes,
        logits=tuple(logits.tolist()),
        scores=tuple(scores.tolist()),
        entropy=float(entropy),
        answer=answer,
    )
