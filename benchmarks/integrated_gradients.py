"""Integrated Gradients: ours against Captum's at its default and its best setting, equal steps."""

from dataclasses import dataclass

import torch
from captum.attr import IntegratedGradients

from benchmarks.measuring import alternate, calibrated, relative_difference, smooth_image
from xai_core import integrated_gradients

_CAPTUM_BATCHES = (4, 8)


@dataclass(frozen=True)
class Workload:
    """A model and its steps."""

    model: str
    size_px: int
    n_steps: int


WORKLOADS = (
    Workload("resnet18", 224, 50),
    Workload("squeezenet1_0", 224, 50),
    Workload("densenet121", 224, 50),
)

HEADER = (
    "| model, size, steps | model | prepared | Captum, best | Captum, default "
    "| model vs best | vs default | difference | prepared vs best | vs default | difference |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)


def measure(work: Workload, *, rounds: int) -> str:
    """Return one row of the table."""
    model, image = calibrated(work.model, work.size_px), smooth_image(work.size_px)
    target = int(model(image).argmax())

    def captum(batch: int | None) -> torch.Tensor:
        return IntegratedGradients(model).attribute(
            image, target=target, n_steps=work.n_steps, internal_batch_size=batch
        )[0]

    seconds, results = alternate(
        {
            "ours": lambda: (
                integrated_gradients(model, image, target=target, n_steps=work.n_steps).values
            ),
            "default": lambda: captum(None),
            **{f"batch {batch}": lambda batch=batch: captum(batch) for batch in _CAPTUM_BATCHES},
        },
        rounds=rounds,
    )
    default = seconds["default"]
    best = min(default, *(seconds[f"batch {batch}"] for batch in _CAPTUM_BATCHES))
    columns = [f"{seconds['ours']:.2f} s", f"{seconds['prepared']:.2f} s"]
    columns += [f"{best:.2f} s", f"{default:.2f} s"]
    for name in ("ours", "prepared"):
        columns += [f"{best / seconds[name]:.2f}x", f"{default / seconds[name]:.2f}x"]
        columns += [f"{relative_difference(results[name], results['default'].float()):.0e}"]
    return f"| {work.model}, {work.size_px}, {work.n_steps} | {' | '.join(columns)} |"
