"""Occlusion: ours against Captum's at its default and its best setting, MONAI's, and full passes.

A peer's cost is one pass of the model an image, whatever the windows. So peers are timed on a
coarse grid, the images that they pass are counted, and the time is scaled to the whole task: its
windows and the clean image. Ours is timed on the whole task, its checks included. The map of the
whole task is compared, at a few pixels, with the definition: the model's own drops of the score
under each window that covers the pixel.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from captum.attr import Occlusion
from torch import Tensor, nn

from benchmarks.flops import n_flops
from benchmarks.measuring import Pace, alternate, n_images_passed, peak_flops
from benchmarks.peers import is_installed, monai_occlusion
from benchmarks.subjects import calibrated, smooth_image, top_class
from xai_core import Attribution, occlusion

_BATCHES = (1, 4, 8)  # for peers; larger ones were never faster on a CPU
_BATCHES_ON_GPU = (1, 8, 32)
_COARSE = {224: (4, 8), 512: (2, 8)}  # windows down and across, by the image's side
_COARSEST = (2, 4)
_COARSE_ON_GPU = (8, 8)
_LARGEST_FOR_MONAI = 224  # beyond, it only repeats Captum's cost
_N_PIXELS = 4
_ALLOWED = {"float32": 1e-4, "bfloat16": 1e-2}  # difference over the map's maximum


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
    def n_per_side(self) -> int:
        return math.ceil((self.size_px - self.window_px) / self.stride_px) + 1


WORKLOADS = (
    Workload("resnet18", 224, target=3.4),
    Workload("resnet18", 224, precision="bfloat16", target=6.5),
    Workload("squeezenet1_0", 224, target=3.0),
    Workload("densenet121", 224),
    Workload("efficientnet_b0", 224),
    Workload("convnext_tiny", 224, 32, 16),
    Workload("vit_b_16", 224, 32, 16, target=1.3),
    Workload("resnet50", 224),
    Workload("resnet50", 512, 32, 16, target=9.0),
    Workload("resnet50", 512, 32, 16, precision="bfloat16", target=15.0),
    Workload("densenet121", 512, 32, 16, target=4.0),
    Workload("squeezenet1_0", 1024, 32, 16),
    Workload("resnet50", 1024, 32, 16, target=18.0),
)
TOY = (Workload("squeezenet1_1", 64, 16, 16, target=1e9),)


def measure(work: Workload, pace: Pace) -> dict[str, Any]:
    """Measure a workload and return its row."""
    model = calibrated(work.model, work.size_px, pace.device)
    image = smooth_image(work.size_px, device=pace.device)
    target = top_class(model, image)

    def ours() -> Attribution:
        return occlusion(
            model,
            image,
            target=target,
            window=work.window_px,
            stride=work.stride_px,
            precision=work.precision,
        )

    peers = _peers(work, model, image, target)
    timed = alternate({"ours": ours} | peers, pace)
    n_windows = work.n_per_side**2
    each = {name: timed.seconds[name] / n_images_passed(model, run) for name, run in peers.items()}
    whole = {name: seconds * (n_windows + 1) for name, seconds in each.items()}
    captum = {name: seconds for name, seconds in whole.items() if name.startswith("Captum")}
    fastest = min(captum, key=captum.__getitem__)
    monai = [seconds for name, seconds in whole.items() if name.startswith("MONAI")]
    seconds, needed = timed.seconds["ours"], timed.flops["ours"]
    full = n_flops(lambda: top_class(model, image))
    floor = needed / peak_flops(pace.device, getattr(torch, work.precision))
    found = timed.results["ours"]
    missed = _miss(work, model, image, found)
    ratio = captum[fastest] / seconds
    return {
        "workload": str(work),
        "engine": found.params["engine"],
        "windows": n_windows,
        "ours, s": seconds,
        "full passes, s": whole["full passes"],
        "Captum best, s": captum[fastest],
        "best batch": int(fastest.split()[-1]),
        "Captum default, s": captum["Captum 1"],
        "MONAI best, s": min(monai, default=None),
        "vs best": ratio,
        "target": work.target,
        "met": work.target and ratio >= work.target and missed <= _ALLOWED[work.precision],
        "vs default": captum["Captum 1"] / seconds,
        "vs MONAI": min(monai) / seconds if monai else None,
        "share of FLOPs": needed / full / (n_windows + 1),
        "ours / floor": seconds / floor,
        "floor allows": captum[fastest] / floor,
        "peak MB": timed.peaks["ours"] / 1e6,
        "Captum peak MB": timed.peaks[fastest] / 1e6,
        "difference": missed,
        "rounds": timed.rounds,
    }


def _peers(work: Workload, model: nn.Module, image: Tensor, target: int) -> dict[str, Any]:
    """Return what to time on a coarse grid, by name; a name's last word is the batch."""
    grid = _COARSE_ON_GPU if image.is_cuda else _COARSE.get(work.size_px, _COARSEST)
    extent = tuple(work.size_px // number for number in grid)
    shape = (image.shape[1], *extent)

    def full_passes() -> Attribution:
        return occlusion(
            model, image, target=target, window=extent, stride=extent, engine="dense"
        )  # fmt: skip

    def captum(batch: int) -> Tensor:
        return Occlusion(model).attribute(
            image, shape, shape, target=target, perturbations_per_eval=batch
        )

    def monai(batch: int) -> Tensor:
        return monai_occlusion(model, image, target=target, window_px=extent, batch=batch)

    batches = _BATCHES_ON_GPU if image.is_cuda else _BATCHES
    found: dict[str, Any] = {"full passes": full_passes}
    for batch in batches:
        found[f"Captum {batch}"] = lambda batch=batch: captum(batch)
    if is_installed("monai") and work.size_px <= _LARGEST_FOR_MONAI:
        for batch in batches[1:]:
            found[f"MONAI {batch}"] = lambda batch=batch: monai(batch)
    return found


def _miss(work: Workload, model: nn.Module, image: Tensor, found: Attribution) -> float:
    """Return how far a map lies from the definition at a few pixels, over its largest value."""
    heat = found.heat
    generator = torch.Generator().manual_seed(0)
    at = torch.randint(heat.numel(), (_N_PIXELS,), generator=generator).tolist()
    at += [int(heat.argmax()), int(heat.argmin())]
    missed = [
        abs(float(heat.flatten()[index]) - _defined(work, model, image, found, index))
        for index in at
    ]
    return max(missed) / float(heat.abs().max())


def _defined(
    work: Workload, model: nn.Module, image: Tensor, found: Attribution, index: int
) -> float:
    """Return the mean drop of the score under the windows that cover a pixel."""
    row, column = divmod(index, work.size_px)
    drops = []
    with torch.no_grad():
        clean = float(model(image)[0, found.target])
        for top in _covering(work, row):
            for left in _covering(work, column):
                covered = image.clone()
                covered[..., top : top + work.window_px, left : left + work.window_px] = 0
                drops.append(clean - float(model(covered)[0, found.target]))
    return sum(drops) / len(drops)


def _covering(work: Workload, place: int) -> list[int]:
    """Return where the windows begin, along one side, that cover a place on it."""
    starts = [number * work.stride_px for number in range(work.n_per_side)]
    return [start for start in starts if start <= place < start + work.window_px]
