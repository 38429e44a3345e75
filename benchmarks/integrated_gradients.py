"""Integrated Gradients at equal steps: ours against Captum's at its default and its best setting.

By default Captum passes all steps at once. Where that would not leave half of the free memory, it
is not tried.
"""

from dataclasses import dataclass
from typing import Any

from captum.attr import IntegratedGradients
from torch import Tensor, nn

from benchmarks.measuring import (
    Candidate,
    Pace,
    alternate,
    peak_bytes,
    peak_flops,
    relative_difference,
)
from benchmarks.subjects import calibrated, smooth_image, top_class
from xai_core import Attribution, integrated_gradients
from xai_core.runtime.device import free_bytes

_BATCHES = (1, 4, 8)
_BATCHES_ON_GPU = (8, 25)


@dataclass(frozen=True)
class Workload:
    """A model and its steps."""

    model: str
    size_px: int
    n_steps: int = 50

    def __str__(self) -> str:
        return f"{self.model}, {self.size_px}, {self.n_steps} steps"


WORKLOADS = (
    Workload("resnet18", 224),
    Workload("squeezenet1_0", 224),
    Workload("resnet50", 224),
    Workload("densenet121", 224, n_steps=16),
    Workload("efficientnet_b0", 224, n_steps=16),
    Workload("convnext_tiny", 224, n_steps=16),
    Workload("vit_b_16", 224, n_steps=16),
    Workload("resnet50", 512, n_steps=16),
)
TOY = (Workload("squeezenet1_1", 64, n_steps=8),)


def measure(work: Workload, pace: Pace) -> dict[str, Any]:
    """Measure a workload and return its row."""
    model = calibrated(work.model, work.size_px, pace.device)
    image = smooth_image(work.size_px, device=pace.device)
    target = top_class(model, image)

    def ours(engine: str) -> Attribution:
        return integrated_gradients(
            model, image, target=target, n_steps=work.n_steps, engine=engine
        )

    peers = captum_settings(model, image, target=target, n_steps=work.n_steps)
    timed = alternate(
        {"model": lambda: ours("model"), "prepared": lambda: ours("prepared")} | peers, pace
    )
    seconds = timed.seconds
    best = min(peers, key=seconds.__getitem__)
    default = seconds.get("Captum default")
    theirs = timed.results[best][0]
    floor = timed.flops["prepared"] / peak_flops(pace.device)
    return {
        "workload": str(work),
        "model, s": seconds["model"],
        "prepared, s": seconds["prepared"],
        "Captum best, s": seconds[best],
        "best batch": best.split()[-1],
        "Captum default, s": default,
        "vs best": seconds[best] / seconds["prepared"],
        "vs default": default and default / seconds["prepared"],
        "model vs best": seconds[best] / seconds["model"],
        "ours / floor": seconds["prepared"] / floor,
        "peak MB": timed.peaks["prepared"] / 1e6,
        "Captum peak MB": timed.peaks[best] / 1e6,
        "model's difference": relative_difference(timed.results["model"].values, theirs),
        "difference": relative_difference(timed.results["prepared"].values, theirs),
        "rounds": timed.rounds,
    }


def captum_settings(
    model: nn.Module, image: Tensor, *, target: int, n_steps: int
) -> dict[str, Candidate]:
    """Return Captum's Integrated Gradients by its settings, (1, C, H, W) each."""
    explain = IntegratedGradients(model)

    def captum(batch: int | None) -> Tensor:
        maps: Tensor = explain.attribute(
            image, target=target, n_steps=n_steps, internal_batch_size=batch
        )
        return maps.detach()

    batches = _BATCHES_ON_GPU if image.is_cuda else _BATCHES
    found: dict[str, Candidate] = {
        f"Captum {batch}": lambda batch=batch: captum(batch) for batch in batches
    }
    two = peak_bytes(lambda: explain.attribute(image, target=target, n_steps=2), image.device)
    if two / 2 * n_steps < free_bytes(image.device) / 2:
        found["Captum default"] = lambda: captum(None)
    return found
