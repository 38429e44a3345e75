"""Peak memory of Integrated Gradients: does it grow with the steps?

Ours passes its steps in chunks; the peak of many chunks is compared with that of one. Captum given
the same batch is stopped after a few batches, when all that it holds for its steps is there: its
figure is a lower bound. Its default passes all steps at once, which is tried with few and
extrapolated.
"""

from dataclasses import dataclass
from typing import Any

from captum.attr import IntegratedGradients
from torch import Tensor, nn

from benchmarks.measuring import Pace, peak_bytes
from benchmarks.subjects import calibrated, smooth_image, top_class
from xai_core import integrated_gradients

_MOST_BATCHES = 3
_AT_MOST = 1.2  # times the peak of one chunk


@dataclass(frozen=True)
class Workload:
    """A model and its steps."""

    model: str
    size_px: int
    n_steps: int = 200
    chunk: int = 2

    def __str__(self) -> str:
        return f"{self.model}, {self.size_px}, {self.n_steps} steps in chunks of {self.chunk}"


WORKLOADS = (Workload("resnet50", 512),)
TOY = (Workload("squeezenet1_1", 64, n_steps=8),)


def measure(work: Workload, pace: Pace) -> dict[str, Any]:
    """Measure a workload and return its row."""
    model = calibrated(work.model, work.size_px, pace.device)
    image = smooth_image(work.size_px, device=pace.device)
    target = top_class(model, image)

    def ours(n_steps: int) -> float:
        def run() -> None:
            integrated_gradients(
                model,
                image,
                target=target,
                n_steps=n_steps,
                chunk_size=work.chunk,
                engine="prepared",
            )

        return peak_bytes(run, pace.device) / 1e6

    def captum(n_steps: int, batch: int | None) -> float:
        def run() -> None:
            _stopped_early(model, image, target=target, n_steps=n_steps, batch=batch)

        return peak_bytes(run, pace.device) / 1e6

    ours(work.chunk)  # what is prepared once, is kept
    one, many = ours(work.chunk), ours(work.n_steps)
    few, more = (captum(n_steps, None) for n_steps in (work.chunk, 2 * work.chunk))
    growth = max(0.0, more - few) / work.chunk
    return {
        "workload": str(work),
        "one chunk, MB": one,
        "all steps, MB": many,
        "all / one": many / one,
        "at most": _AT_MOST,
        "met": many / one <= _AT_MOST,
        "Captum in batches, MB": captum(work.n_steps, work.chunk),
        "Captum default would, MB": few + growth * (work.n_steps - work.chunk),
        "rounds": 1,
    }


class _EnoughError(Exception):
    pass


def _stopped_early(
    model: nn.Module, image: Tensor, *, target: int, n_steps: int, batch: int | None
) -> None:
    """Run Captum until its peak is reached."""
    passed = 0

    def stop(*_: object) -> None:
        nonlocal passed
        passed += 1
        if batch is not None and passed > _MOST_BATCHES:
            raise _EnoughError

    hook = model.register_forward_pre_hook(stop)
    try:
        IntegratedGradients(model).attribute(
            image, target=target, n_steps=n_steps, internal_batch_size=batch
        )
    except _EnoughError:
        pass
    finally:
        hook.remove()
