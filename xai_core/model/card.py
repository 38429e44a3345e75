"""Model cards: what a site states about a model, read from TOML or JSON and checked as a whole.

This module costs no PyTorch: the web process shows cards and never runs a model.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from re import fullmatch
from typing import Any

from xai_core.errors import CardError
from xai_core.model.card_checks import (
    SIZES,
    are_numbers,
    as_text,
    choice,
    is_size,
    is_text,
    known_keys,
    require,
    require_file_name,
    require_json,
)

Size = int | tuple[int, int]
"""Pixels: one side, or (height, width)."""

IMAGENET = "imagenet"
"""Stands for the 1000 classes of ImageNet as torchvision names and orders them."""

_IMAGENET_FILE = Path(__file__).with_name("imagenet.txt")
_LONGEST_CLASS = 128  # characters
_WORD = r"[A-Za-z0-9][A-Za-z0-9._+-]*"

BASELINES = ("black", "white", "mean", "blurred", "noise")
"""Names of the pictures that a map can compare an image with; see `xai_core.baselines`."""


class ScoreType(StrEnum):
    """How the model's logits become scores."""

    SOFTMAX = "softmax"
    """Exactly one class is right; scores add up to 1."""
    SIGMOID = "sigmoid"
    """Each class is a question of its own (multi-label)."""


class Interpolation(StrEnum):
    """How an image is resized, always antialiased."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


@dataclass(frozen=True)
class Preprocessing:
    """The way from an image in the unit range [0, 1] to the model's input.

    Attributes:
        channels: 1 (grey) or 3 (RGB).
        mean: Per channel, subtracted after the scaling to `input_range`.
        std: Per channel, divided by after that.
        resize: The shorter side, or (height, width) whatever the proportions; None keeps the size.
        crop: From the centre, padded with black where the image is smaller; None keeps it all.
        input_range: What 0 and 1 become before `mean` is subtracted.
        grey_range: Which values of a grey image of more than 8 bits are 0 and 1, in the unit of
            its file (HU, say); None is what the image itself shows as black and white.
        interpolation: Of the resizing.

    Raises:
        CardError: A value is not allowed.
    """

    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: Size | None = None
    crop: Size | None = None
    input_range: tuple[float, float] = (0.0, 1.0)
    interpolation: Interpolation = Interpolation.BILINEAR
    grey_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        known = type(self.channels) is int and self.channels in (1, 3)
        require(known, "preprocessing.channels", self.channels, "1 or 3")
        numbers = f"a list of {self.channels} finite numbers, one per channel"
        require(are_numbers(self.mean, self.channels), "preprocessing.mean", self.mean, numbers)
        positive = are_numbers(self.std, self.channels) and min(self.std) > 0
        require(positive, "preprocessing.std", self.std, f"{numbers}, each more than 0")
        for name, size in (("resize", self.resize), ("crop", self.crop)):
            require(size is None or is_size(size), f"preprocessing.{name}", size, SIZES)
        rising = are_numbers(self.input_range, 2) and self.input_range[0] < self.input_range[1]
        require(rising, "preprocessing.input_range", self.input_range, "[low, high], low < high")
        grey = self.grey_range
        rising = grey is None or (are_numbers(grey, 2) and grey[0] < grey[1])
        require(rising, "preprocessing.grey_range", grey, "[black, white], black < white")

    @property
    def input_size(self) -> tuple[int, int] | None:
        """(H, W) of the model's input, or None where it depends on the image."""
        if isinstance(self.crop, int):
            return self.crop, self.crop
        return self.crop or (self.resize if isinstance(self.resize, tuple) else None)


@dataclass(frozen=True)
class ModelCard:
    """One model version: what it is, what it was made for, and how to run it.

    Attributes:
        name: Names the model on the command line and in exports.
        version: Names the state of the model.
        architecture: "torchvision/resnet18", say, or a name that the site registered.
        weights: File name of the checkpoint beside the card.
        weights_sha256: Of that file.
        classes: Names in the order of the model's outputs.
        scores: How logits become scores.
        preprocessing: The way from an image to the model's input.
        intended_use: What the model was made for, in words.
        limits: What it must not be relied on for, in words.
        baseline: What its maps compare an image with unless somebody asks otherwise; one of
            `BASELINES`.
        synthetic: Whether it was trained on drawn images.
        thresholds: With sigmoid, the score from which each class is present, in the order of
            `classes`; empty is 0.5 for each (`xai_core.model.answer` reads them).
        evaluation: A free table of measured results.
        folder: Where the card's file lies; no part of the card.

    Raises:
        CardError: A value is not allowed.
    """

    name: str
    version: str
    architecture: str
    weights: str
    weights_sha256: str
    classes: tuple[str, ...]
    scores: ScoreType
    preprocessing: Preprocessing
    intended_use: str
    limits: str = ""
    baseline: str = "black"
    synthetic: bool = False
    thresholds: tuple[float, ...] = ()
    evaluation: dict[str, Any] = field(default_factory=dict, hash=False)
    folder: Path | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        _require_word("name", self.name, _WORD, 64, "chest-findings")
        _require_word("version", self.version, _WORD, 32, "2.1")
        path = f"{_WORD}(/{_WORD})+"
        _require_word("architecture", self.architecture, path, 64, "torchvision/resnet18")
        require_file_name("weights", self.weights)
        digest = self.weights_sha256
        is_hash = isinstance(digest, str) and fullmatch("[0-9a-f]{64}", digest)
        digits = "64 lowercase hexadecimal digits, as `sha256sum` prints them"
        require(bool(is_hash), "weights_sha256", digest, digits)
        _require_classes(self.classes, self.scores)
        _require_thresholds(self.thresholds, self.classes, self.scores)
        require(is_text(self.intended_use), "intended_use", self.intended_use, "a text")
        require(isinstance(self.limits, str), "limits", self.limits, "a text")
        require(self.baseline in BASELINES, "baseline", self.baseline, ", ".join(BASELINES))
        require(isinstance(self.synthetic, bool), "synthetic", self.synthetic, "true or false")
        require(isinstance(self.evaluation, dict), "evaluation", self.evaluation, "a table")
        require_json("evaluation", self.evaluation)

    @property
    def weights_path(self) -> Path:
        """The checkpoint beside the card's file.

        Raises:
            CardError: The card was not read from a file.
        """
        if self.folder is None:
            raise CardError("the card was not read from a file: its weights must be passed along")
        return self.folder / self.weights


def read_card(path: Path | str) -> ModelCard:
    """Read a model card from a TOML or JSON file; a class file is looked for beside it.

    Raises:
        CardError: The file cannot be read, or states something that is not allowed.
    """
    path = Path(path)
    return parse_card(_read(path), base=path.parent)


def parse_card(source: Mapping[str, Any] | bytes, *, base: Path | None = None) -> ModelCard:
    """Check a card's keys and values.

    Args:
        source: The card as TOML or JSON gives it, or the bytes of its file: JSON where they
            begin with a brace, else TOML.
        base: The folder in which files that the card names are found; None where there is none.

    Raises:
        CardError: A key is unknown or missing, or has a value that is not allowed.
    """
    values = _decoded(source) if isinstance(source, bytes) else source
    card = known_keys(values, ModelCard, key="the card")
    preprocessing = known_keys(card["preprocessing"], Preprocessing, key="preprocessing")
    chosen = preprocessing.get("interpolation", Interpolation.BILINEAR)
    preprocessing["interpolation"] = choice("preprocessing.interpolation", chosen, Interpolation)
    card["preprocessing"] = Preprocessing(**preprocessing)
    card["scores"] = choice("scores", card["scores"], ScoreType)
    if isinstance(card["classes"], str):
        card["classes"] = _listed_classes(card["classes"], base)
    return ModelCard(**card, folder=base)


def card_to_json(card: ModelCard) -> dict[str, Any]:
    """Return the card as JSON-safe values, with its classes written out."""
    values = asdict(card)
    del values["folder"]
    values["classes"] = list(card.classes)
    values["thresholds"] = list(card.thresholds)
    values["preprocessing"] = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values["preprocessing"].items()
    }
    return values


def card_from_json(values: Mapping[str, Any]) -> ModelCard:
    """Return the card that `card_to_json` wrote.

    Raises:
        CardError: The values are no card.
    """
    return parse_card(values)


def _require_word(key: str, value: object, pattern: str, n_letters: int, example: str) -> None:
    fits = isinstance(value, str) and len(value) <= n_letters and fullmatch(pattern, value)
    allowed = f"up to {n_letters} letters, digits and . _ + -, as in {example!r}"
    require(bool(fits), key, value, allowed)


def _require_classes(classes: tuple[str, ...], scores: ScoreType) -> None:
    fewest = 2 if scores is ScoreType.SOFTMAX else 1
    many = isinstance(classes, tuple) and len(classes) >= fewest
    enough = f"at least {fewest} names for {scores}: a list, {IMAGENET!r}, or a file of names"
    require(many, "classes", classes, enough)
    seen = set[str]()
    for index, name in enumerate(classes):
        printable = is_text(name) and name == name.strip() and name.isprintable()
        names = f"a printable text of up to {_LONGEST_CLASS} characters, without outer spaces"
        require(printable and len(name) <= _LONGEST_CLASS, f"classes[{index}]", name, names)
        require(name not in seen, f"classes[{index}]", name, "each name once")
        seen.add(name)


def _require_thresholds(
    thresholds: tuple[float, ...], classes: tuple[str, ...], scores: ScoreType
) -> None:
    if thresholds == ():
        return
    apart = "nothing for softmax, where exactly one class is right"
    require(scores is ScoreType.SIGMOID, "thresholds", thresholds, apart)
    within = are_numbers(thresholds, len(classes)) and all(0 < limit < 1 for limit in thresholds)
    numbers = f"a list of {len(classes)} numbers, one per class, each more than 0 and less than 1"
    require(within, "thresholds", thresholds, numbers)


def _listed_classes(source: str, base: Path | None) -> tuple[str, ...]:
    """Return the class names that `source` stands for: ImageNet's, or a file's, one a line."""
    if source == IMAGENET:
        return tuple(_IMAGENET_FILE.read_text(encoding="utf-8").splitlines())
    require_file_name("classes", source)
    if base is None:
        raise CardError(
            f"classes is the file {source!r}, but the card came alone; allowed: a list of names"
        )
    lines = as_text(_read(base / source), what=source).splitlines()
    return tuple(line.strip() for line in lines if line.strip())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise CardError(f"{path.name} cannot be read: {exc.strerror}") from exc


def _decoded(data: bytes) -> Any:
    text = as_text(data, what="the card")
    form, parse = ("JSON", json.loads) if text.lstrip().startswith("{") else ("TOML", tomllib.loads)
    try:
        return parse(text)
    except (ValueError, RecursionError) as exc:
        raise CardError(f"the card is no valid {form}: {exc}") from exc
