"""What preparing a model and measuring trust add to a pair of maps, relative to the maps' own time.

The pair is what the application shows: Integrated Gradients and Occlusion. Its own time is taken
with the prepared copy at hand; what is added is the preparation, the trial that both maps share,
and the measures of each.
"""

from dataclasses import dataclass
from typing import Any

from benchmarks.measuring import Pace, alternate
from benchmarks.subjects import calibrated, smooth_image, top_class
from xai_core import Attribution, integrated_gradients, occlusion
from xai_core.graph.tracing import prepare
from xai_core.measures.assess import assess
from xai_core.measures.trial import hold_trial

_AT_MOST = 0.3


@dataclass(frozen=True)
class Workload:
    """A model and a pair of maps.

    Attributes:
        model: Name of torchvision's builder.
        size_px: Side of the image.
        n_steps: Of Integrated Gradients.
        window_px: Side of the window.
        stride_px: Step of the window.
        curve_steps: Of deletion and insertion.
    """

    model: str
    size_px: int
    n_steps: int
    window_px: int
    stride_px: int
    curve_steps: int = 5

    def __str__(self) -> str:
        return (
            f"{self.model}, {self.size_px}, {self.n_steps} steps, {self.window_px}/{self.stride_px}"
        )


WORKLOADS = (
    Workload("resnet18", 224, 20, 16, 16, curve_steps=3),
    Workload("resnet18", 224, 50, 16, 8),
    Workload("squeezenet1_0", 224, 20, 16, 16, curve_steps=3),
    Workload("squeezenet1_0", 224, 50, 16, 8),
    Workload("densenet121", 224, 50, 16, 8),
)
TOY = (Workload("squeezenet1_1", 64, 4, 32, 32, curve_steps=3),)


def measure(work: Workload, pace: Pace) -> dict[str, Any]:
    """Measure a workload and return its row."""
    model = calibrated(work.model, work.size_px, pace.device)
    image = smooth_image(work.size_px, device=pace.device)
    target = top_class(model, image)

    def maps() -> tuple[Attribution, Attribution]:
        gradients = integrated_gradients(
            model, image, target=target, n_steps=work.n_steps, engine="prepared"
        )
        occluded = occlusion(
            model, image, target=target, window=work.window_px, stride=work.stride_px
        )
        return gradients, occluded

    pair = maps()

    def measures() -> None:
        trial = hold_trial(model, image, 0.0, target=target, n_steps=work.curve_steps)
        for this, other in (pair, pair[::-1]):
            assess(this, other, trial)

    timed = alternate({"maps": maps, "prepare": lambda: prepare(model), "measures": measures}, pace)
    seconds = timed.seconds
    added = (seconds["prepare"] + seconds["measures"]) / seconds["maps"]
    return {
        "workload": str(work),
        "maps, s": seconds["maps"],
        "prepare, s": seconds["prepare"],
        "measures, s": seconds["measures"],
        "added": added,
        "at most": _AT_MOST,
        "met": added <= _AT_MOST,
        "rounds": timed.rounds,
    }
