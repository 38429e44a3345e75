"""What files beside a checkpoint, its package or custom say of how images reach a model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xai_core.model.packages import PACKAGES

_RESAMPLING = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers
_CUSTOM = "preprocessing is what is usual for {}, and read from no file: compare it with training"
# Of a transformers config: what a card says itself, or what is none of its business.
_APART = {"id2label", "label2id", "architectures", "transformers_version", "problem_type", "dtype"}
_APART |= {"torch_dtype", "num_channels", "num_labels", "auto_map", "model_type"}


@dataclass(frozen=True)
class Stated:
    """What is known of a model beside its weights.

    Attributes:
        architecture: As a card names it; None where nothing says it.
        config: As a card states it.
        preprocessing: As a card states it, but for the channels.
        classes: Their names; empty where they have none.
        scores: "softmax", "sigmoid", or None.
        notes: Where that comes from, in words.
    """

    architecture: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    preprocessing: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    scores: str | None = None
    notes: tuple[str, ...] = ()


def stated(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Stated:
    """Read a `config.json` of transformers or timm, and a `preprocessor_config.json`."""
    if isinstance(kind := config.get("model_type"), str):
        multi = config.get("problem_type") == "multi_label_classification"
        single = config.get("problem_type") == "single_label_classification"
        kept = {k: v for k, v in config.items() if k not in _APART and v is not None}
        return Stated(
            architecture=f"transformers/{kind}",
            config={k: v for k, v in kept.items() if not k.startswith("_")},
            preprocessing=_of_processor(preprocessor, config.get("num_channels", 3)),
            classes=_labels(config.get("id2label")),
            scores="sigmoid" if multi else "softmax" if single else None,
            notes=("config.json says the architecture",)
            + (("preprocessor_config.json says the preprocessing",) if preprocessor else ()),
        )
    if isinstance(name := config.get("architecture"), str):
        settings = config.get("pretrained_cfg") or {}
        return Stated(
            architecture=f"timm/{name}",
            config=dict(config.get("model_args") or {}),
            preprocessing=_of_timm(settings),
            classes=tuple(config.get("label_names") or settings.get("label_names") or ()),
            notes=("config.json of timm says architecture and preprocessing",),
        )
    return Stated()


def usual_for(architecture: str, channels: int, n_classes: int) -> Stated:
    """Return what a package's models are usually given, said to be no more than that."""
    package, _, name = architecture.partition("/")
    notes = (_CUSTOM.format(f"models of {package}"),)
    if package == "timm":
        settings = PACKAGES["timm"].load().get_pretrained_cfg(name)
        found = _of_timm({} if settings is None else settings.to_dict())
        if channels == 1:
            found |= {key: [sum(found[key]) / len(found[key])] for key in ("mean", "std")}
        return Stated(preprocessing=found, notes=notes)
    if package == "torchxrayvision":
        names = PACKAGES["torchxrayvision"].load().DenseNet.targets
        values = {"resize": 224, "crop": 224, "input_range": [-1024, 1024]}
        classes = tuple(names) if len(names) == n_classes else ()
        ones = {"mean": [0.0] * channels, "std": [1.0] * channels}
        return Stated(preprocessing=values | ones, classes=classes, scores="sigmoid", notes=notes)
    if package == "torchvision" and channels == 3:
        mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        return Stated(
            preprocessing={"resize": 256, "crop": 224, "mean": mean, "std": std}, notes=notes
        )
    ones = {"mean": [0.0] * channels, "std": [1.0] * channels}
    return Stated(preprocessing={"resize": [224, 224], **ones}, notes=notes)


def _labels(labels: object) -> tuple[str, ...]:
    """Return names by their index; none where they are but numbered."""
    if not isinstance(labels, Mapping):
        return ()
    names = [str(labels[key]) for key in sorted(labels, key=int)]
    numbered = [f"LABEL_{index}" for index in range(len(names))]
    return () if names == numbered else tuple(names)


def _of_processor(said: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """Translate a `preprocessor_config.json`; an absent one says nothing."""
    if not said:
        return {}
    normalised, scaled = said.get("do_normalize", True), said.get("do_rescale", True)
    found: dict[str, Any] = {
        "mean": said["image_mean"] if normalised and "image_mean" in said else [0.0] * channels,
        "std": said["image_std"] if normalised and "image_std" in said else [1.0] * channels,
        "interpolation": _RESAMPLING.get(said.get("resample", 2), "bicubic"),
    }
    if scaled is False:
        found["input_range"] = [0, 255]
    size, crop = said.get("size"), said.get("crop_size")
    if said.get("do_resize", True) and size:
        found["resize"] = _side(size)
        share = said.get("crop_pct")
        if share and isinstance(found["resize"], int):
            found |= {"resize": int(found["resize"] / share), "crop": found["resize"]}
    if said.get("do_center_crop") and crop:
        found["crop"] = _side(crop)
    return found


def _side(size: Any) -> Any:
    """Return a side or [height, width] of what transformers calls a size."""
    if isinstance(size, int):
        return [size, size]
    return size["shortest_edge"] if "shortest_edge" in size else [size["height"], size["width"]]


def _of_timm(said: Mapping[str, Any]) -> dict[str, Any]:
    _, height, width = said.get("input_size") or (3, 224, 224)
    share = said.get("crop_pct") or 0.875
    whole = said.get("crop_mode") == "squash"
    interpolation = said.get("interpolation", "bicubic")
    return {
        "resize": [height, width] if whole else math.floor(min(height, width) / share),
        **({} if whole else {"crop": height if height == width else [height, width]}),
        "interpolation": interpolation if interpolation == "bilinear" else "bicubic",
        "mean": list(said.get("mean") or (0.485, 0.456, 0.406)),
        "std": list(said.get("std") or (0.229, 0.224, 0.225)),
    }
