"""How long Integrated Gradients takes to reach the accuracy of Captum's 50 steps.

A map's error is its L2 distance from a map of 2,048 midpoints, relative to that map. Captum's error
at 50 steps is what ours has to reach. Ours is given each rule with fewer and fewer points, or a
coarser and coarser tolerance, until its error is larger; the last one before that is timed. Where
Captum's error is that of a map of zeros or more, there is nothing to reach and no target is met.
The reference takes minutes and is kept in benchmarks/references.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.integrated_gradients import captum_settings
from benchmarks.measuring import Candidate, Pace, alternate
from benchmarks.subjects import calibrated, smooth_image, top_class, trained
from xai_core import Attribution, integrated_gradients
from xai_core.methods.gradient.quadrature import Quadrature

_REFERENCES = Path(__file__).parent / "references"
_POINTS = (50, 40, 32, 24, 20, 18, 16, 14, 12, 10, 8, 6, 5, 4)
_TOLERANCES = (0.005, 0.01, 0.02, 0.05, 0.1)
_BUDGET = 200
_OF_ZEROS = 1.0  # the error of a map of zeros


@dataclass(frozen=True)
class Workload:
    """A model and the ratios that were aimed at.

    Attributes:
        model: Name of torchvision's builder, or of a demo model.
        size_px: Side of the image.
        branch_scale: By what a ResNet's blocks scale what they add; None for a demo model.
        n_steps: Of Captum.
        n_reference: Midpoints of the reference.
        target: Ratio to Captum's best setting.
        target_default: Ratio to Captum's default.
    """

    model: str
    size_px: int
    branch_scale: float | None = 1.0
    n_steps: int = 50
    n_reference: int = 2048
    target: float | None = 4.0
    target_default: float | None = 7.0

    def __str__(self) -> str:
        if self.branch_scale is None:
            kind = "trained"
        else:
            kind = "" if self.branch_scale == 1 else f"blocks x {self.branch_scale}"
        named = ", ".join(filter(None, (self.model, str(self.size_px), kind)))
        return f"{named}, to Captum's {self.n_steps} steps"


# At full strength random blocks bend so often that on a ResNet-50 no rule gets near the reference.
WORKLOADS = (
    Workload("phantom-a", 192, branch_scale=None, target=None, target_default=None),
    Workload("resnet18", 224, branch_scale=0.25),
    Workload("resnet50", 224, branch_scale=0.25),
    Workload("resnet18", 224),
    Workload("resnet50", 224),
)
TOY = (Workload("squeezenet1_1", 32, n_steps=4, n_reference=16),)


def measure(work: Workload, pace: Pace) -> dict[str, Any]:
    """Measure a workload and return its row."""
    model, image = _subject(work, pace.device)
    target = top_class(model, image)
    ours = partial(integrated_gradients, model, image, target=target, engine="prepared")
    reference = _reference(work, model, image, ours)
    peers = captum_settings(model, image, target=target, n_steps=work.n_steps)
    allowed = _error(next(iter(peers.values()))()[0].cpu(), reference)
    found = {
        str(rule): setting
        for rule in Quadrature
        if (setting := _coarsest(partial(ours, rule=rule), _ladder(rule), reference, allowed))
    }
    candidates: dict[str, Candidate] = {
        rule: partial(ours, rule=rule, **setting) for rule, setting in found.items()
    }
    timed = alternate(candidates | peers, pace)
    seconds = timed.seconds
    rule = min(found, key=seconds.__getitem__)
    best = min(peers, key=seconds.__getitem__)
    default = seconds.get("Captum default")
    is_map = allowed < _OF_ZEROS
    vs_best, vs_default = seconds[best] / seconds[rule], default and default / seconds[rule]
    return {
        "workload": str(work),
        "Captum's error": allowed,
        "our error": _error(timed.results[rule].values, reference),
        "rule": f"{rule}, {_words(found[rule])}",
        "other rules": "; ".join(
            f"{name}, {_words(setting)}: {seconds[name]:.3g} s"
            for name, setting in found.items()
            if name != rule
        ),
        "ours, s": seconds[rule],
        "Captum best, s": seconds[best],
        "Captum default, s": default,
        "vs best": vs_best,
        "target": work.target,
        "met": work.target and is_map and vs_best >= work.target,
        "vs default": vs_default,
        "target, default": work.target_default,
        "met, default": work.target_default
        and is_map
        and vs_default
        and vs_default >= work.target_default,
        "rounds": timed.rounds,
    }


def _subject(work: Workload, device: torch.device) -> tuple[nn.Module, Tensor]:
    if work.branch_scale is None:
        return trained(work.model, device)
    model = calibrated(work.model, work.size_px, device, branch_scale=work.branch_scale)
    return model, smooth_image(work.size_px, device=device)


def _reference(work: Workload, model: nn.Module, image: Tensor, ours: Any) -> Tensor:
    """Return the map of many midpoints, (C, H, W), from where it is kept or anew."""
    digest = hashlib.sha256(str(work.n_reference).encode())
    for tensor in (image, *model.state_dict().values()):
        digest.update(tensor.cpu().numpy().tobytes())
    path = _REFERENCES / f"{digest.hexdigest()[:16]}.pt"
    if path.exists():
        return torch.load(path, weights_only=True)
    values = ours(rule=Quadrature.MIDPOINT, n_steps=work.n_reference).values
    path.parent.mkdir(exist_ok=True)
    torch.save(values, path)
    return values


def _ladder(rule: Quadrature) -> list[Mapping[str, Any]]:
    """Return a rule's settings, the finest first."""
    if rule is Quadrature.ADAPTIVE:
        return [{"tolerance": tolerance, "n_steps": _BUDGET} for tolerance in _TOLERANCES]
    return [{"n_steps": n_points} for n_points in _POINTS]


def _coarsest(
    explain: Any, ladder: Sequence[Mapping[str, Any]], reference: Tensor, allowed: float
) -> Mapping[str, Any] | None:
    """Return the last setting before the first whose error is larger than allowed."""
    last = None
    for setting in ladder:
        found: Attribution = explain(**setting)
        if _error(found.values, reference) > allowed:
            break
        last = setting
    return last


def _error(values: Tensor, reference: Tensor) -> float:
    return float((values - reference).norm() / reference.norm())


def _words(setting: Mapping[str, Any]) -> str:
    if "tolerance" in setting:
        return f"tolerance {setting['tolerance']:.1%}"
    return f"{setting['n_steps']} points"
