"""GradientSHAP (Lundberg & Lee, NeurIPS 2017, arXiv:1705.07874): gradients at random points."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.errors import InputError
from xai_core.methods.documented import documented
from xai_core.methods.gradient.sampling import (
    Draws,
    Moments,
    checked_n_samples,
    noise_like,
    noise_scale,
)
from xai_core.methods.gradients import differentiate
from xai_core.runtime import device as devices
from xai_core.runtime.chunks import Chunk, chunks, in_parts, one_image
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import (
    Baseline,
    Output,
    TargetScore,
    as_baseline,
    as_image,
    describe_baseline,
    differentiable,
    images_at_once,
    target_score,
)


@documented()
def gradient_shap(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    baselines: Sequence[Baseline] | Tensor = (None,),
    n_samples: int = 50,
    noise_level: float = 0.1,
    seed: int = 0,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute the target's score by gradients at random points between baselines and image.

    Each sample draws a baseline b, noise that makes x of the image, and a point between the two;
    it attributes dF/dx (x - b). Without noise the mean tends to that of
    `xai_core.methods.gradient.expected_gradients`, which has no error from drawing.

    Args:
        baselines: One or more, in the model's input space: numbers, tensors that broadcast to the
            image, or a tensor of them. None is 0.
        n_samples: Points to pass, 1 or more.
        noise_level: Standard deviation of the noise, as a share of the image's range of values.

    Returns:
        An attribution whose values sum on average to F(image) less the mean of F(baseline) over
        the baselines drawn, if there is little noise; `convergence_delta` is the miss, and
        `measures["delta_standard_error"]` what chance leaves one to expect. `standard_error` is
        the map's own, root mean square over pixels, and `relative_standard_error` that over its
        largest value; all three are None for one sample.

    Raises:
        InputError: Image, output, baselines or an option is not usable.

    Example:
        >>> shares = gradient_shap(model, image, target=2, noise_level=0.0)
        >>> shares.values.shape
        torch.Size([1, 8, 8])
        >>> abs(shares.convergence_delta) < 4 * shares.measures["delta_standard_error"]
        True
    """
    started, run = time.perf_counter(), Run(chunk_size, progress, cancelled)
    checked_n_samples(n_samples, fewest=1)
    if len(baselines) == 0:
        raise InputError("baselines is empty; allowed: one baseline or more")
    with differentiable():
        image = as_image(image, model)
        scale = noise_scale(image, noise_level)
        starts = torch.cat([as_baseline(each, image) for each in baselines])
        score = target_score(model, image, target, output)
        at_once = images_at_once(score, image, n_samples, run)
        points = _Points(score, image, starts, scale, seed)
        maps, rises, n_drawn = Moments(), Moments(), [0] * len(starts)
        for at, part in in_parts(chunks(n_samples, at_once), points.attributed, run):
            maps.add(part)
            rises.add(part.double().sum((1, 2, 3)))
            for number in points.baselines_of(at):
                n_drawn[number] += 1
        f_image = score.clean_score
        f_start = sum(
            n * _score_of(score, start[None]) for n, start in zip(n_drawn, starts, strict=True) if n
        )
    values, f_start = maps.mean.float().cpu(), f_start / n_samples
    error = rises.standard_error
    return Attribution(
        values=values,
        target=score.target,
        method="gradient_shap",
        params={
            "baselines": [describe_baseline(each) for each in baselines],
            "n_samples": n_samples,
            "noise_level": noise_level,
            "seed": seed,
            "output": str(score.output),
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=f_image,
        baseline_score=f_start,
        convergence_delta=float(values.double().sum()) - (f_image - f_start),
        measures={
            **maps.measures(),
            "delta_standard_error": None if error is None else float(error),
        },
    )


@dataclass(frozen=True)
class _Draw:
    """One sample: which baseline, how far from it to the image, and the image's noise."""

    baseline: int
    alpha: float
    noise: Tensor


class _Points:
    """Random points, and what each attributes."""

    def __init__(
        self, score: TargetScore, image: Tensor, starts: Tensor, scale: float, seed: int
    ) -> None:
        generator = torch.Generator().manual_seed(seed)

        def draw() -> _Draw:
            number = int(torch.randint(len(starts), (), generator=generator))
            alpha = float(torch.rand((), generator=generator))
            return _Draw(number, alpha, noise_like(image, generator))

        self._score = score
        self._image = image
        self._starts = starts
        self._scale = scale
        self._draws = Draws(draw)

    def baselines_of(self, at: Chunk) -> list[int]:
        """Return the numbers of the baselines that some samples drew."""
        return [draw.baseline for draw in self._draws.at(at)]

    def attributed(self, at: Chunk) -> Tensor:
        """Return what some samples attribute, (n, C, H, W)."""
        draws = self._draws.at(at)
        starts = self._starts[[draw.baseline for draw in draws]]
        ends = self._image + self._scale * torch.stack([draw.noise for draw in draws]).to(
            self._image
        )
        alphas = self._image.new_tensor([draw.alpha for draw in draws]).view(-1, 1, 1, 1)
        slopes, _ = differentiate(self._score, starts + alphas * (ends - starts))
        return slopes * (ends - starts)


def _score_of(score: TargetScore, image: Tensor) -> float:
    with torch.no_grad(), one_image():
        return float(score(image))
