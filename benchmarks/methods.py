"""The other methods: each against the peers that give the same map, at their best setting.

Where nothing is drawn at random, the maps are compared. Otherwise ours passes as many
images as the peer does.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import captum.attr as captum
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import xai_core
from benchmarks.measuring import Candidate, Pace, alternate, peak_flops, relative_difference
from benchmarks.peers import grad_cam, is_installed, zennit_lrp
from benchmarks.subjects import calibrated, smooth_image, top_class
from xai_core import Attribution
from xai_core.superpixels import grid_segments

_BATCHES = (1, 8)  # for peers that pass many images
_CELLS_PER_SIDE = 7
_N_SAMPLES = 128
_N_NOISY = 24
_NOISE = 0.15
_BASELINES = (0.0, 1.0)
_SQUEEZABLE = ("squeezenet1_0", "vgg11")  # for tests; the other methods need their model


@dataclass(frozen=True)
class Subject:
    """What is explained.

    Attributes:
        model: As ours takes it.
        plain: The same without operations in place, which Captum's hooks do not survive.
        image: (1, C, H, W).
        target: Class index.
        segments: Label map, (H, W).
    """

    model: nn.Module
    plain: nn.Module
    image: Tensor
    target: int
    segments: Tensor

    def passes(self, explain: Callable[..., Tensor]) -> dict[str, Candidate]:
        """Return a peer by how many images it passes at once."""
        return {f"Captum {batch}": lambda batch=batch: explain(batch) for batch in _BATCHES}


@dataclass(frozen=True)
class Comparison:
    """A method of ours and its peers.

    Attributes:
        ours: Explains a subject.
        peers: Peers by name, for a subject.
        is_same_map: Whether the first peer's is ours up to rounding.
        model: One of torchvision's for which peers work.
    """

    ours: Callable[[Subject], Attribution]
    peers: Callable[[Subject], Mapping[str, Candidate]]
    is_same_map: bool = True
    model: str = "squeezenet1_0"


def _one(ours: str, peer: str, model: str = "squeezenet1_0") -> Comparison:
    """Compare a method that takes a model and a target alone."""
    return Comparison(
        lambda s: getattr(xai_core, ours)(s.model, s.image, target=s.target),
        lambda s: {
            "Captum": lambda: getattr(captum, peer)(s.plain).attribute(s.image, target=s.target)
        },
        model=model,
    )


def _alone(ours: str, model: str) -> Comparison:
    """Time a method that no peer has."""
    return Comparison(
        lambda s: getattr(xai_core, ours)(s.model, s.image, target=s.target),
        lambda _: {},
        model=model,
    )


def _grad_cams(s: Subject) -> dict[str, Candidate]:
    def captums() -> Tensor:
        cells = captum.LayerGradCam(s.plain, s.plain.layer4).attribute(s.image, target=s.target)
        return F.interpolate(cells, s.image.shape[2:], mode="bilinear")

    found: dict[str, Candidate] = {"Captum": captums}
    if is_installed("pytorch_grad_cam"):
        found["pytorch-grad-cam"] = lambda: grad_cam(
            s.plain, s.plain.layer4, s.image, target=s.target
        )
    return found


def _under_noise(s: Subject, kind: str, batch: int) -> Tensor:
    return captum.NoiseTunnel(captum.Saliency(s.plain)).attribute(
        s.image,
        target=s.target,
        nt_type=kind,
        nt_samples=_N_NOISY,
        nt_samples_batch_size=batch,
        stdevs=_NOISE * float(s.image.max() - s.image.min()),
    )


def _gradient_shap(s: Subject) -> Tensor:
    return captum.GradientShap(s.plain).attribute(
        s.image,
        baselines=torch.zeros_like(s.image),
        target=s.target,
        n_samples=_N_NOISY,
        stdevs=_NOISE,
    )


def _mean_of_integrals(s: Subject, batch: int) -> Tensor:
    explain = captum.IntegratedGradients(s.plain)
    maps = [
        explain.attribute(
            s.image,
            baselines=baseline,
            target=s.target,
            n_steps=_N_NOISY,
            internal_batch_size=batch,
        )
        for baseline in _BASELINES
    ]
    return torch.stack(maps).mean(0).detach()


def _kernel_shap(s: Subject, batch: int) -> Tensor:
    return captum.KernelShap(s.plain).attribute(
        s.image,
        target=s.target,
        feature_mask=s.segments.to(s.image.device)[None, None],
        n_samples=_N_SAMPLES,
        perturbations_per_eval=batch,
    )


def _feature_ablation(s: Subject, batch: int) -> Tensor:
    return captum.FeatureAblation(s.plain).attribute(
        s.image,
        target=s.target,
        feature_mask=s.segments.to(s.image.device)[None, None],
        perturbations_per_eval=batch,
    )


def _masked_passes(s: Subject, batch: int) -> Tensor:
    """Pass as many masked images as RISE does: no peer here has RISE itself."""
    masks = torch.rand(_N_SAMPLES, 1, 1, 1, device=s.image.device)
    with torch.no_grad():
        scores = [s.model(s.image * part)[:, s.target] for part in masks.split(batch)]
    return torch.cat(scores)


COMPARISONS = {
    "saliency": Comparison(
        lambda s: xai_core.saliency(s.model, s.image, target=s.target, absolute=True),
        lambda s: {"Captum": lambda: captum.Saliency(s.plain).attribute(s.image, target=s.target)},
    ),
    "input_x_gradient": _one("input_x_gradient", "InputXGradient"),
    "guided_backprop": _one("guided_backprop", "GuidedBackprop"),
    # Captum's is incomplete where max pooling windows overlap; VGG's do not.
    "deeplift": _one("deeplift", "DeepLift", model="vgg11"),
    "smooth_grad": Comparison(
        lambda s: xai_core.smooth_grad(s.model, s.image, target=s.target, n_samples=_N_NOISY),
        lambda s: s.passes(lambda batch: _under_noise(s, "smoothgrad", batch)),
        is_same_map=False,
    ),
    "var_grad": Comparison(
        lambda s: xai_core.var_grad(s.model, s.image, target=s.target, n_samples=_N_NOISY),
        lambda s: s.passes(lambda batch: _under_noise(s, "vargrad", batch)),
        is_same_map=False,
    ),
    "gradient_shap": Comparison(
        lambda s: xai_core.gradient_shap(s.model, s.image, target=s.target, n_samples=_N_NOISY),
        lambda s: {"Captum": lambda: _gradient_shap(s)},
        is_same_map=False,
    ),
    "expected_gradients": Comparison(
        lambda s: xai_core.expected_gradients(
            s.model, s.image, target=s.target, baselines=_BASELINES, n_steps=_N_NOISY
        ),
        lambda s: s.passes(lambda batch: _mean_of_integrals(s, batch)),
    ),
    "baseline_sensitivity": Comparison(
        lambda s: xai_core.baseline_sensitivity(
            s.model, s.image, target=s.target, baselines=_BASELINES, n_steps=_N_NOISY
        ),
        lambda _: {},
    ),
    "feature_ablation": Comparison(
        lambda s: xai_core.feature_ablation(s.model, s.image, target=s.target, segments=s.segments),
        lambda s: s.passes(lambda batch: _feature_ablation(s, batch)),
    ),
    "kernel_shap": Comparison(
        lambda s: xai_core.kernel_shap(
            s.model, s.image, target=s.target, segments=s.segments, n_samples=_N_SAMPLES
        ),
        lambda s: s.passes(lambda batch: _kernel_shap(s, batch)),
        is_same_map=False,
    ),
    "rise": Comparison(
        lambda s: xai_core.rise(s.model, s.image, target=s.target, n_masks=_N_SAMPLES),
        lambda s: {"full passes 8": lambda: _masked_passes(s, 8)},
        is_same_map=False,
    ),
    "grad_cam": Comparison(
        lambda s: xai_core.grad_cam(s.model, s.image, target=s.target, layer="layer4"),
        _grad_cams,
        model="resnet18",
    ),
    "lrp": Comparison(
        lambda s: xai_core.lrp(s.model, s.image, target=s.target),
        lambda s: (
            {"zennit": lambda: zennit_lrp(s.plain, s.image, target=s.target)}
            if is_installed("zennit")
            else {}
        ),
        model="resnet18",
    ),
    "attention_rollout": _alone("attention_rollout", model="vit_b_16"),
    "gradient_rollout": _alone("gradient_rollout", model="vit_b_16"),
}


@dataclass(frozen=True)
class Workload:
    """A method and a model."""

    method: str
    model: str
    size_px: int

    def __str__(self) -> str:
        return f"{self.method}, {self.model}, {self.size_px}"


WORKLOADS = tuple(Workload(name, each.model, 224) for name, each in COMPARISONS.items())
TOY = tuple(
    Workload(name, "squeezenet1_1" if each.model in _SQUEEZABLE else each.model, 64)
    for name, each in COMPARISONS.items()
)


def measure(work: Workload, pace: Pace) -> dict[str, Any]:
    """Measure a workload and return its row."""
    subject, comparison = _subject(work, pace), COMPARISONS[work.method]
    peers = comparison.peers(subject)
    timed = alternate({"ours": lambda: comparison.ours(subject)} | dict(peers), pace)
    seconds, found = timed.seconds, timed.results["ours"]
    best = min(peers, key=seconds.__getitem__, default=None)
    comparable = comparison.is_same_map and peers
    floor = timed.flops["ours"] / peak_flops(pace.device)
    return {
        "workload": str(work),
        "ours, s": seconds["ours"],
        "best peer, s": best and seconds[best],
        "peer": best,
        "vs best": best and seconds[best] / seconds["ours"],
        "ours / floor": seconds["ours"] / floor,
        "peak MB": timed.peaks["ours"] / 1e6,
        "peer's peak MB": best and timed.peaks[best] / 1e6,
        "difference": relative_difference(found.values, timed.results[next(iter(peers))][0])
        if comparable
        else None,
        "rounds": timed.rounds,
    }


def _subject(work: Workload, pace: Pace) -> Subject:
    model = calibrated(work.model, work.size_px, pace.device)
    plain = copy.deepcopy(model)
    for layer in plain.modules():
        if hasattr(layer, "inplace"):
            layer.inplace = False
    image = smooth_image(work.size_px, device=pace.device)
    cell = -(-work.size_px // _CELLS_PER_SIDE)
    segments = grid_segments(work.size_px, work.size_px, cell=cell)
    return Subject(model, plain, image, top_class(model, image), segments)
