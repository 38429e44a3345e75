"""What a checkpoint is, read off the names and shapes of its weights and the configs beside it.

An architecture is proposed only if every weight fits it, but for the number of classes and of
channels, which the shapes tell.
"""

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xai_core.errors import ModelError, XaiError
from xai_core.model.architectures import ARCHITECTURES, LEFT_OUT, build, renamed
from xai_core.model.card import ModelCard, Preprocessing, ScoreType
from xai_core.model.checkpoints import read_tensors
from xai_core.model.packages import PACKAGES
from xai_core.model.prefixes import named, part_of, prefixes
from xai_core.model.stated import Stated, stated, usual_for

MAX_SECONDS = 60  # of trying architectures
_MOST = 3  # proposals
_PROBE = 1237  # classes, a number that no other dimension has
_PROBE_CHANNELS = 3

# Weights that only members of a family have, and where its members are looked for.
_HINTS = (
    (r"class_layers\.out\.weight", "monai", "DenseNet*"),
    (r"layer4\.0\.conv1\.weight", "torchvision", "*res*"),
    (r"layer4\.0\.conv1\.weight", "timm", "*resn*"),
    (r"features\.denseblock4\.", "torchxrayvision", "DenseNet"),
    (r"features\.denseblock4\.", "torchvision", "densenet*"),
    (r"features\.denseblock4\.", "timm", "densenet*"),
    (r"features\.\d+\.squeeze\.weight", "torchvision", "squeezenet*"),
    (r"classifier\.6\.weight", "torchvision", "vgg*"),
    (r"classifier\.6\.weight", "torchvision", "alexnet"),
    (r"features\.\d+\.\d+\.block\.", "torchvision", "*net*"),
    (r"features\.\d+\.conv\.\d+", "torchvision", "mobilenet*"),
    (r"encoder\.layers\.encoder_layer_0\.", "torchvision", "vit*"),
    (r"relative_position_bias_table", "torchvision", "swin*"),
    (r"relative_position_bias_table", "torchvision", "maxvit*"),
    (r"relative_position_bias_table", "timm", "swin*"),
    (r"trunk_output\.block1", "torchvision", "regnet*"),
    (r"stage2\.0\.branch", "torchvision", "shufflenet*"),
    (r"layers\.\d+\.\d+\.layers\.", "torchvision", "mnasnet*"),
    (r"Mixed_5b\.", "torchvision", "inception*"),
    (r"inception3a\.", "torchvision", "googlenet"),
    (r"blocks\.0\.attn\.qkv\.weight", "timm", "*vit*patch*"),
    (r"blocks\.0\.attn\.qkv\.weight", "timm", "deit*"),
    (r"stages\.0\.blocks\.0\.conv_dw\.weight", "timm", "convnext*"),
    (r"conv_stem\.weight", "timm", "*efficientnet*"),
    (r"conv_stem\.weight", "timm", "mobilenet*"),
    (r"s1\.b1\.conv1", "timm", "regnet*"),
)
_TRANSFORMERS = re.compile(r"(\w+\.)?(encoder\.layer|encoder\.stages)\.\d+\.")


@dataclass(frozen=True)
class Proposal:
    """A card as far as files tell it.

    Attributes:
        architecture: As a card names it.
        n_classes: Of its head.
        channels: Of its stem.
        prefixes: With what names of the weights begin; several where several models fit.
        config: As a card states it.
        preprocessing: As a card states it, as far as it is known.
        classes: Their names, where they are known.
        scores: "softmax" or "sigmoid", where it is known.
        thresholds: As a card states them.
        notes: Where all that comes from, in words.
    """

    architecture: str
    n_classes: int
    channels: int
    prefixes: tuple[str, ...]
    config: dict[str, Any] = field(default_factory=dict)
    preprocessing: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    scores: str | None = None
    thresholds: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


def propose(
    weights: Path | bytes,
    *,
    config: Mapping[str, Any] | None = None,
    preprocessor: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Return what a checkpoint may be, as JSON-safe values, what is likeliest first.

    Args:
        weights: The checkpoint.
        config: The `config.json` beside it, of transformers or timm.
        preprocessor: The `preprocessor_config.json` beside it, of transformers.

    Raises:
        CheckpointError: The file cannot be read, or is a program.
        ModelError: Nothing that is known here fits; says what its weights are called.
    """
    tensors = read_tensors(weights)
    known = stated(config or {}, preprocessor or {})
    ends = time.monotonic() + MAX_SECONDS
    found: list[Proposal] = []
    for row in _candidates(tensors, known.architecture):
        fits = (_fit(name, tensors, known.config) for name in row if time.monotonic() < ends)
        if fit := next(filter(None, fits), None):
            found.append(_completed(fit, known, tensors))
        if len(found) == _MOST:
            break
    if not found:
        raise ModelError(_nothing(list(tensors), known.architecture))
    return [asdict(proposal) for proposal in found]


def _candidates(tensors: Mapping[str, Tensor], architecture: str | None) -> Iterator[Iterator[str]]:
    """Yield rows of names, of which the first that fits is proposed."""
    if architecture:
        yield iter([architecture])
        return
    names = "\n".join(tensors)
    for weight, package, pattern in _HINTS:
        if re.search(weight, names):
            yield _members(package, pattern, tensors)


def _members(package: str, pattern: str, tensors: Mapping[str, Tensor]) -> Iterator[str]:
    if package == "torchvision":
        known = [n.partition("/")[2] for n in ARCHITECTURES if n.startswith("torchvision/")]
    elif not PACKAGES[package].is_installed():
        return
    else:
        known = PACKAGES[package].members()
    patches = [t.shape[-1] for k, t in tensors.items() if k.endswith("patch_embed.proj.weight")]
    part = f"patch{patches[0]}_" if patches and "patch" in pattern else ""
    for name in sorted(known, key=lambda name: (len(name), name)):
        if fnmatchcase(name, pattern) and part in name:
            yield f"{package}/{name}"


def _fit(
    architecture: str, tensors: Mapping[str, Tensor], config: Mapping[str, Any]
) -> Proposal | None:
    """Return the proposal of an architecture if every weight fits it."""
    config = dict(config) or _with_side(architecture, tensors)
    card = _probe(architecture, config)
    try:
        with torch.device("meta"):
            module = build(card)
    except XaiError:
        return None
    own, tensors = module.state_dict(), renamed(tensors, module, card)
    needed = [name for name in own if not name.endswith("num_batches_tracked")]
    whole = [p for p in prefixes(tensors, own) if all(f"{p}{n}" in tensors for n in needed)]
    if not whole:
        return None
    state = part_of(tensors, own, prefix=whole[0]).tensors
    if any(k not in own and not k.startswith(LEFT_OUT.get(architecture, ())) for k in state):
        return None
    n_classes, channels = set[int](), _PROBE_CHANNELS
    for name in needed:
        wanted, got = tuple(own[name].shape), tuple(state[name].shape)
        if len(wanted) == len(got) and wanted[:1] == (_PROBE,) and wanted[1:] == got[1:]:
            n_classes.add(got[0])
        elif len(wanted) == 4 and wanted[1] == channels and got == (wanted[0], 1, *wanted[2:]):
            channels = 1
        elif wanted != got:
            return None
    if len(n_classes) != 1:
        return None
    return Proposal(architecture, n_classes.pop(), channels, tuple(whole), config)


def _with_side(architecture: str, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return how large the images of a timm vision transformer are, where its name says another."""
    places = [t for k, t in tensors.items() if k.endswith("pos_embed") and t.dim() == 3]
    patches = [t for k, t in tensors.items() if k.endswith("patch_embed.proj.weight")]
    if not (architecture.startswith("timm/") and places and patches):
        return {}
    side = math.isqrt(places[0].shape[1]) * patches[0].shape[-1]
    return {} if architecture.endswith(f"_{side}") else {"img_size": side}


def _probe(architecture: str, config: dict[str, Any]) -> ModelCard:
    n = _PROBE_CHANNELS
    return ModelCard(
        name="probe",
        version="1",
        architecture=architecture,
        weights="probe",
        weights_sha256="0" * 64,
        classes=tuple(f"class {index}" for index in range(_PROBE)),
        scores=ScoreType.SOFTMAX,
        preprocessing=Preprocessing(channels=n, mean=(0.0,) * n, std=(1.0,) * n, crop=224),
        intended_use="probe",
        config=config,
    )


def _completed(fit: Proposal, known: Stated, tensors: Mapping[str, Tensor]) -> Proposal:
    """Add what configs, the package or custom say of preprocessing and classes."""
    usual = usual_for(fit.architecture, fit.channels, fit.n_classes)
    chosen = known if known.preprocessing else usual
    several: tuple[str, ...] = ()
    if len(fit.prefixes) > 1:
        several = (f"several models are in the file: {named(fit.prefixes)}; say which",)
    points = [t for k, t in tensors.items() if k.endswith("op_threshs") and t.numel() > 1]
    said = {"channels": fit.channels, **chosen.preprocessing}
    if side := fit.config.get("img_size"):
        said |= {"resize": round(said["resize"] * side / said["crop"]), "crop": side}
    return replace(
        fit,
        preprocessing=said,
        classes=known.classes or usual.classes,
        scores=known.scores or usual.scores,
        thresholds=tuple(round(v, 6) for v in points[0].tolist()) if points else (),
        notes=(*several, *known.notes, *(() if known.preprocessing else usual.notes)),
    )


def _nothing(names: Sequence[str], architecture: str | None) -> str:
    said = f"the weights are called {named(sorted(names)[:5])}"
    if architecture:
        return f"the weights do not fit {architecture} as the config beside them says; {said}"
    if any(_TRANSFORMERS.search(name) for name in names):
        return f"these may be weights of transformers: give its config.json, too; {said}"
    absent = [name for name in PACKAGES if not PACKAGES[name].is_installed()]
    but = f" ({', '.join(absent)}: not installed here)" if absent else ""
    return f"no architecture that is known here fits{but}: register one of your own; {said}"
