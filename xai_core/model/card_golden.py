"""The part of a card by which wrong preprocessing is seen."""

from dataclasses import dataclass, field

from xai_core.model.card_checks import require, require_file_name, require_sha256


@dataclass(frozen=True)
class Golden:
    """An image whose scores are known: what shows that the preprocessing is right.

    Attributes:
        image: Name of its file, beside the card.
        image_sha256: Of that file.
        scores: What some classes score, by their names.
        tolerance: How far a score may be off.

    Raises:
        CardError: A value is not allowed.
    """

    image: str
    image_sha256: str
    scores: dict[str, float] = field(hash=False)
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        require_file_name("golden.image", self.image)
        require_sha256("golden.image_sha256", self.image_sha256)
        some = isinstance(self.scores, dict) and len(self.scores) > 0
        table = "a table of class names, each with a score from 0 to 1"
        require(some, "golden.scores", self.scores, table)
        for name, score in self.scores.items():
            within = type(score) in (int, float) and 0 <= score <= 1
            require(within, f"golden.scores.{name}", score, "a score from 0 to 1")
        near = type(self.tolerance) in (int, float) and 0 < self.tolerance <= 0.5
        require(near, "golden.tolerance", self.tolerance, "a number above 0, up to 0.5")
