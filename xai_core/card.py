"""Model cards: what a model is, what it expects, what it is for. Needs no PyTorch to read."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from xai_core.errors import CardError

SHA256 = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_CLASSES = 100_000
IMAGENET = "imagenet"
IMAGENET_FILE = Path(__file__).with_name("imagenet.txt")


class ScoreType(StrEnum):
    """How logits become scores: one class out of many, or each class for itself."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"


@dataclass(frozen=True)
class Preprocessing:
    """From an image in [0, 1] to a model's input.

    Attributes:
        resize: Length in pixels that the shorter side is brought to; None leaves the size.
        crop: (height, width) in pixels cut from the centre; None leaves all of it.
        channels: 1 for grey, 3 for RGB.
        mean: Per channel, subtracted after scaling to `input_range`.
        std: Per channel, divided by.
        input_range: What 0 and 1 of the image are scaled to before mean and std.
    """

    resize: int | None = None
    crop: tuple[int, int] | None = None
    channels: int = 3
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    input_range: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class ModelCard:
    """Everything a site states about a model version.

    Attributes:
        name: Short name, letters, digits, dot, dash and underscore.
        version: Version, likewise; other weights need another version.
        architecture: Name on the allowlist, such as "torchvision/resnet50".
        weights: File name beside the card.
        weights_sha256: SHA-256 of that file.
        classes: Class names in the order of the model's outputs.
        scores: How logits become scores.
        preprocessing: From image to input.
        intended_use: What the model is for, in plain words.
        limits: What it is not for and where it fails, in plain words.
        evaluation: Free table of figures.
    """

    name: str
    version: str
    architecture: str
    weights: str
    weights_sha256: str
    classes: tuple[str, ...]
    scores: ScoreType = ScoreType.SOFTMAX
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    intended_use: str = ""
    limits: str = ""
    evaluation: dict[str, Any] = field(default_factory=dict)


REQUIRED = ("name", "version", "architecture", "weights", "weights_sha256", "classes")


def read_card(path: Path) -> ModelCard:
    """Read a card from a TOML or JSON file; its class file is looked for beside it.

    Raises:
        CardError: If the file cannot be read or a key is missing, unknown or makes no sense.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise CardError(f"cannot read the card {path}: {exc.strerror}") from exc
    return parse_card(data, folder=path.parent)


def parse_card(data: bytes, *, folder: Path | None = None) -> ModelCard:
    """Read a card from the bytes of a TOML or JSON file.

    Args:
        data: UTF-8 text; JSON if it begins with a brace, else TOML.
        folder: Where a class file that the card names lies; None allows no such file.

    Raises:
        CardError: As `read_card`.
    """
    try:
        text = data.decode("utf-8-sig")
        mapping = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except ValueError as exc:
        raise CardError(f"the card is neither TOML nor JSON: {exc}") from exc
    if not isinstance(mapping, dict):
        raise CardError("the card must be a table of keys and values")
    return _card(mapping, folder)


def card_to_json(card: ModelCard) -> dict[str, Any]:
    """Return a JSON-safe mapping that `card_from_json` reads back to an equal card."""
    mapping: dict[str, Any] = json.loads(json.dumps(asdict(card)))
    return mapping


def card_from_json(mapping: Mapping[str, Any]) -> ModelCard:
    """Read what `card_to_json` wrote."""
    return _card(mapping, None)


def _card(mapping: Mapping[str, Any], folder: Path | None) -> ModelCard:
    _known_keys(mapping, ModelCard, "the card")
    if missing := [key for key in REQUIRED if key not in mapping]:
        raise CardError(f"the card lacks {', '.join(missing)}")
    return ModelCard(
        name=_matching(mapping, "name", NAME, "letters, digits, '.', '-', '_'"),
        version=_matching(mapping, "version", NAME, "letters, digits, '.', '-', '_'"),
        architecture=_text(mapping, "architecture"),
        weights=_file_name(mapping, "weights"),
        weights_sha256=_matching(mapping, "weights_sha256", SHA256, "64 lower-case hex digits"),
        classes=_classes(mapping["classes"], folder),
        scores=_scores(mapping.get("scores", ScoreType.SOFTMAX)),
        preprocessing=_preprocessing(_table(mapping, "preprocessing")),
        intended_use=_text(mapping, "intended_use", ""),
        limits=_text(mapping, "limits", ""),
        evaluation=dict(_table(mapping, "evaluation")),
    )


def _known_keys(mapping: Mapping[str, Any], kind: type, where: str) -> None:
    known = [f.name for f in fields(kind)]
    for key in mapping:
        if key not in known:
            close = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
            raise CardError(f"{where} has an unknown key {key!r}{hint}")


def _text(mapping: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = mapping.get(key, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise CardError(f"{key} is {value!r}; it must be text")
    return value.strip()


def _matching(mapping: Mapping[str, Any], key: str, pattern: re.Pattern[str], say: str) -> str:
    value = _text(mapping, key)
    if not pattern.fullmatch(value):
        raise CardError(f"{key} is {value!r}; allowed: {say}")
    return value


def _file_name(mapping: Mapping[str, Any], key: str) -> str:
    value = _text(mapping, key)
    if value != Path(value).name or value in {".", ".."}:
        raise CardError(f"{key} is {value!r}; it must be the name of a file beside the card")
    return value


def _table(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = mapping.get(key, {})
    if not isinstance(value, Mapping):
        raise CardError(f"{key} is {value!r}; it must be a table")
    return value


def _scores(value: object) -> ScoreType:
    if value not in list(ScoreType):
        raise CardError(f"scores is {value!r}; allowed: {', '.join(ScoreType)}")
    return ScoreType(str(value))


def _classes(value: object, folder: Path | None) -> tuple[str, ...]:
    names = _named_classes(value, folder) if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(
        isinstance(name, str) and name.strip() for name in names
    ):
        raise CardError("classes must be a list of names, 'imagenet', or a file of names")
    if not 2 <= len(names) <= MAX_CLASSES:
        raise CardError(f"classes has {len(names)} names; allowed: 2 to {MAX_CLASSES:,}")
    return tuple(name.strip() for name in names)


def _named_classes(value: str, folder: Path | None) -> list[str]:
    if value == IMAGENET:
        return IMAGENET_FILE.read_text(encoding="utf-8").splitlines()
    if folder is None or value != Path(value).name:
        raise CardError(
            f"classes is {value!r}; allowed: a list of names, 'imagenet', or the name of a "
            "file beside the card"
        )
    try:
        return (folder / value).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise CardError(f"cannot read the class file {value!r}: {exc}") from exc


def _preprocessing(mapping: Mapping[str, Any]) -> Preprocessing:
    _known_keys(mapping, Preprocessing, "preprocessing")
    channels = mapping.get("channels", 3)
    if channels not in (1, 3):
        raise CardError(f"preprocessing.channels is {channels!r}; allowed: 1, 3")
    std = _numbers(mapping, "std", (1.0,) * channels, channels)
    if min(std) <= 0:
        raise CardError(f"preprocessing.std is {list(std)}; each must be above 0")
    low, high = _numbers(mapping, "input_range", (0.0, 1.0), 2)
    if low >= high:
        raise CardError(f"preprocessing.input_range is [{low}, {high}]; the first must be lower")
    resize = mapping.get("resize")
    return Preprocessing(
        resize=None if resize is None else _length("resize", resize),
        crop=_crop(mapping.get("crop")),
        channels=channels,
        mean=_numbers(mapping, "mean", (0.0,) * channels, channels),
        std=std,
        input_range=(low, high),
    )


def _crop(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    sides = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(sides) != 2:
        raise CardError(f"preprocessing.crop is {value!r}; allowed: a length, or height and width")
    return _length("crop", sides[0]), _length("crop", sides[1])


def _length(key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 8 <= value <= 8192:
        raise CardError(f"preprocessing.{key} is {value!r}; allowed: 8 to 8192 pixels")
    return value


def _numbers(
    mapping: Mapping[str, Any], key: str, default: tuple[float, ...], n: int
) -> tuple[float, ...]:
    value = mapping.get(key, default)
    values = list(value) if isinstance(value, list | tuple) else [value]
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not numeric or len(values) != n or not all(abs(v) < 1e6 for v in values):
        raise CardError(f"preprocessing.{key} is {value!r}; it must be {n} finite numbers")
    return tuple(float(v) for v in values)
