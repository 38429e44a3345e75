"""SmoothGrad (Smilkov et al. 2017, arXiv:1706.03825): a gradient's mean under noise."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import xai_core
from xai_core.attribution import Attribution
from xai_core.errors import InputError
from xai_core.glossary.entries import METHODS, Family
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
from xai_core.runtime.chunks import Chunk, chunks, in_parts
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import (
    Output,
    TargetScore,
    as_image,
    describe_baseline,
    differentiable,
    images_at_once,
    target_score,
)

BATCHED = ("saliency", "input_x_gradient")
"""Methods whose noisy images are passed many at once."""

SMOOTHED = tuple(
    key
    for key, method in METHODS.items()
    if method.family is Family.GRADIENT
    and key not in {"smooth_grad", "var_grad", "baseline_sensitivity"}
)
"""Methods that may be smoothed."""


@documented()
def smooth_grad(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    of: str = "saliency",
    options: Mapping[str, Any] | None = None,
    n_samples: int = 25,
    noise_level: float = 0.15,
    seed: int = 0,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each input value what a gradient method gives on average on noisy images.

    Args:
        of: The method that is smoothed, such as "saliency", "input_x_gradient" or
            "integrated_gradients"; `SMOOTHED` lists them.
        options: Its own options, such as `{"n_steps": 20}`.
        n_samples: Noisy images, 1 or more.
        noise_level: Standard deviation of the noise, as a share of the image's range of values.
        progress: Called with noisy images done and their number.

    Returns:
        An attribution in the smoothed method's units. `measures` hold `standard_error`, the root
        mean square over pixels, and `relative_standard_error`, that over the map's largest value.

    Raises:
        InputError: Image, output or an option is not usable, or `of` cannot be smoothed.

    Example:
        >>> slopes = smooth_grad(model, image, target=2, n_samples=10)
        >>> slopes.values.shape, slopes.measures["relative_standard_error"] < 1
        (torch.Size([1, 8, 8]), True)
    """
    checked_n_samples(n_samples, fewest=1)
    return explain_under_noise(
        model,
        image,
        target=target,
        method="smooth_grad",
        of=of,
        options=options or {},
        n_samples=n_samples,
        noise_level=noise_level,
        seed=seed,
        output=output,
        run=Run(chunk_size, progress, cancelled),
    )


def explain_under_noise(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    method: str,
    of: str,
    options: Mapping[str, Any],
    n_samples: int,
    noise_level: float,
    seed: int,
    output: Output | str,
    run: Run,
) -> Attribution:
    """Return the mean ("smooth_grad") or the variance ("var_grad") of a method's maps under noise.

    All else are the arguments of `smooth_grad`, and so are the errors.
    """
    started = time.perf_counter()
    if of not in SMOOTHED:
        raise InputError(f"of is {of!r}; allowed: {', '.join(SMOOTHED)}")
    if of in BATCHED and options:
        raise InputError(f"options are {sorted(options)}; allowed for {of}: none")
    with differentiable():
        image = as_image(image, model)
        scale = noise_scale(image, noise_level)
        score = target_score(model, image, target, output)
        generator = torch.Generator().manual_seed(seed)
        noise = Draws(lambda: noise_like(image, generator))
        noisy = _Noisy(score, image, scale, noise, of, options, run)
        moments = Moments()
        parts = chunks(n_samples, noisy.images_at_once(n_samples))
        for _, maps in in_parts(parts, noisy.maps, run):
            moments.add(maps)
    is_mean = method == "smooth_grad"
    return Attribution(
        values=(moments.mean if is_mean else moments.variance).float().cpu(),
        target=score.target,
        method=method,
        params={
            "of": of,
            "options": {key: _described(value) for key, value in options.items()},
            "n_samples": n_samples,
            "noise_level": noise_level,
            "seed": seed,
            "output": str(score.output),
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=score.clean_score,
        measures=moments.measures() if is_mean else {},
    )


@dataclass(frozen=True)
class _Noisy:
    """An image under noise, and what a method makes of it."""

    score: TargetScore
    image: Tensor
    scale: float
    noise: Draws[Tensor]
    of: str
    options: Mapping[str, Any]
    run: Run

    def images_at_once(self, n_samples: int) -> int:
        """Return how many noisy images one part of the work takes."""
        if self.of not in BATCHED:
            return 1
        return images_at_once(self.score, self.image, n_samples, self.run)

    def maps(self, at: Chunk) -> Tensor:
        """Return the maps of some noisy images, (n, C, H, W)."""
        images = self.image + self.scale * torch.stack(self.noise.at(at)).to(self.image)
        if self.of in BATCHED:
            slopes, _ = differentiate(self.score, images)
            return slopes if self.of == "saliency" else slopes * images
        explain = getattr(xai_core, self.of)
        found: Attribution = explain(
            self.score.model,
            images,
            target=self.score.target,
            output=self.score.output,
            **self.options,
            chunk_size=self.run.chunk_size,
            cancelled=self.run.cancelled,
        )
        return found.values[None]


def _described(value: Any) -> object:
    """Return an option as JSON."""
    if isinstance(value, Tensor):
        return describe_baseline(value)
    return [_described(each) for each in value] if isinstance(value, (list, tuple)) else value
