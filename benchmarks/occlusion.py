"""Occlusion: time a window, ours against Captum's at its default and at its best setting.

Captum's cost is the same for every window, whatever its size. So Captum is timed on a coarse grid
of few windows, and ours on the whole task, preparation and checks included; both are then given
for one window. The maps are compared on the coarse grid.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from captum.attr import Occlusion
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring import (
    alternate,
    calibrated,
    peak_bytes,
    peak_gflops,
    relative_difference,
    smooth_image,
)
from xai_core import occlusion

_CAPTUM_BATCHES = (1, 8)
_COARSE_PER_SIDE = 8


@dataclass(frozen=True)
class Workload:
    """A model and its windows.

    Attributes:
        model: Name of torchvision's builder.
        size_px: Side of the image.
        window_px: Side of the window.
        stride_px: Step of the window.
        precision: Of the differences.
        target: Ratio to Captum's best that was aimed at, if one was set.
    """

    model: str
    size_px: int
    window_px: int = 16
    stride_px: int = 8
    precision: str = "float32"
    target: float | None = None

    def __str__(self) -> str:
        reduced = "" if self.precision == "float32" else f", {self.precision}"
        return f"{self.model}, {self.size_px}, {self.window_px}/{self.stride_px}{reduced}"

    @property
    def n_windows(self) -> int:
        return (math.ceil((self.size_px - self.window_px) / self.stride_px) + 1) ** 2


WORKLOADS = (
    Workload("resnet18", 224, target=3.4),
    Workload("resnet18", 224, precision="bfloat16", target=6.5),
    Workload("squeezenet1_0", 224, target=3.0),
    Workload("densenet121", 224),
    Workload("efficientnet_b0", 224),
    Workload("convnext_tiny", 224),
    Workload("vit_b_16", 224, target=1.3),
    Workload("resnet18", 512, 32, 16),
    Workload("resnet50", 512, 32, 16, target=9.0),
    Workload("resnet50", 512, 32, 16, precision="bfloat16", target=15.0),
    Workload("densenet121", 512, 32, 16, target=4.0),
    Workload("resnet50", 1024, 32, 16, target=18.0),
)


def measure(work: Workload, *, rounds: int, device: str) -> dict[str, Any]:
    """Measure a workload and return its row."""
    model = calibrated(work.model, work.size_px, device)
    image = smooth_image(work.size_px, device=device)
    target = int(model(image).argmax())
    coarse_px = max(work.window_px, work.size_px // _COARSE_PER_SIDE)
    n_coarse = (work.size_px // coarse_px) ** 2

    def ours(engine: str, window_px: int, stride_px: int) -> Tensor:
        return occlusion(
            model,
            image,
            target=target,
            window=window_px,
            stride=stride_px,
            engine=engine,
            precision=work.precision if engine == "auto" else "float32",
        ).values

    def captum(batch: int) -> Tensor:
        shape = (3, coarse_px, coarse_px)
        maps = Occlusion(model).attribute(
            image, shape, shape, target=target, perturbations_per_eval=batch
        )
        return maps[0]

    def whole() -> Tensor:
        return ours("auto", work.window_px, work.stride_px)

    names = [f"Captum {batch}" for batch in _CAPTUM_BATCHES]
    seconds, results = alternate(
        {
            "ours": whole,
            "full passes": lambda: ours("dense", coarse_px, coarse_px),
            **{
                name: lambda batch=batch: captum(batch)
                for name, batch in zip(names, _CAPTUM_BATCHES, strict=True)
            },
        },
        rounds=rounds,
    )
    own = seconds["ours"] / work.n_windows
    best, default = min(seconds[name] for name in names) / n_coarse, seconds[names[0]] / n_coarse
    share, floor = _floor(model, image, work, whole)
    checked = occlusion(model, image, target=target, window=coarse_px, stride=coarse_px,
                        engine="auto", precision=work.precision)  # fmt: skip
    return {
        "workload": str(work),
        "windows": work.n_windows,
        "ours, ms a window": own * 1e3,
        "full passes": seconds["full passes"] / n_coarse * 1e3,
        "Captum, best": best * 1e3,
        "Captum, default": default * 1e3,
        "vs best": best / own,
        "target": work.target,
        "vs default": default / own,
        "share of FLOPs": share,
        "ours / floor": own / floor,
        "peak MB": peak_bytes(whole) / 1e6,
        "Captum's peak MB": peak_bytes(lambda: captum(_CAPTUM_BATCHES[-1])) / 1e6,
        "difference": relative_difference(checked.values, results[names[0]]),
    }


def _floor(model: nn.Module, image: Tensor, work: Workload, run: Any) -> tuple[float, float]:
    """Return the share of the full passes' FLOPs that ours needs, and seconds a window at peak."""
    with FlopCounterMode(display=False) as full, torch.no_grad():
        model(image)
    with FlopCounterMode(display=False) as needed:
        run()
    each = needed.get_total_flops() / work.n_windows
    return each / full.get_total_flops(), each / peak_gflops(image.device) / 1e9
