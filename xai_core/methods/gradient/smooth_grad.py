"""SmoothGrad (Smilkov et al. 2017, arXiv:1706.03825): a gradient's mean under noise."""

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

import xai_core
from xai_core.attribution import Attribution
from xai_core.errors import InputError
from xai_core.glossary.entries import METHODS, Family
from xai_core.methods.gradient.sampling import (
    Draws,
    Moments,
    checked_n_samples,
    noise_like,
    noise_scale,
)
from xai_core.methods.gradients import gradients
from xai_core.runtime import device as devices
from xai_core.runtime.chunks import Chunk, IsCancelled, Progress, chunks, in_parts
from xai_core.scoring import (
    Output,
    TargetScore,
    activation_bytes,
    as_image,
    describe_baseline,
    differentiable,
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
        model: In eval mode; takes (N, C, H, W) and returns (N, K) class scores.
        image: (1, C, H, W) floating point, as the model takes it.
        target: Class index to explain.
        of: The method that is smoothed, such as "saliency", "input_x_gradient" or
            "integrated_gradients"; `SMOOTHED` lists them.
        options: Its own options, such as `{"n_steps": 20}`.
        n_samples: Noisy images, 1 or more.
        noise_level: Standard deviation of the noise, as a share of the image's range of values.
        seed: Of the noise.
        output: What of the target's scores is explained; see `xai_core.scoring.Output`.
        chunk_size: Images passed at once; None takes it from the free memory.
        progress: Called with noisy images done and their number.
        cancelled: Asked between chunks.

    Returns:
        An attribution in the smoothed method's units. `measures` hold `standard_error`, the root
        mean square over pixels, and `relative_standard_error`, that over the map's largest value.

    Raises:
        InputError: Image, output or an option is not usable, or `of` cannot be smoothed.
        TargetError: The target is no class of the model.
        ModelError: The model is in train mode, or does not return class scores.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One image is too much for the device.

    Example:
        >>> slopes = smooth_grad(model, image, target=2, n_samples=10)
        >>> slopes.values.shape, slopes.measures["relative_standard_error"] < 1
        (torch.Size([1, 8, 8]), True)
    """
    checked_n_samples(n_samples, fewest=1)
    return under_noise(
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
        chunk_size=chunk_size,
        progress=progress,
        cancelled=cancelled,
    )


def under_noise(
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
    chunk_size: int | None,
    progress: Progress | None,
    cancelled: IsCancelled | None,
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
        noisy = _Noisy(score, image, scale, noise, of, options, chunk_size, cancelled)
        moments = Moments()
        for _, maps in in_parts(
            chunks(n_samples, noisy.images_at_once(n_samples)),
            noisy.maps,
            progress=progress,
            cancelled=cancelled,
        ):
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


class _Noisy:
    """An image under noise, and what a method makes of it."""

    def __init__(
        self,
        score: TargetScore,
        image: Tensor,
        scale: float,
        noise: Draws[Tensor],
        of: str,
        options: Mapping[str, Any],
        chunk_size: int | None,
        cancelled: IsCancelled | None,
    ) -> None:
        self._score = score
        self._image = image
        self._scale = scale
        self._noise = noise
        self._of = of
        self._own = {**options, "chunk_size": chunk_size, "cancelled": cancelled}

    def images_at_once(self, n_samples: int) -> int:
        """Return how many noisy images one part of the work takes."""
        if self._of not in BATCHED:
            return 1
        if self._own["chunk_size"] is not None:
            return int(self._own["chunk_size"])
        each = activation_bytes(self._score, self._image)
        return devices.chunk_size(each, self._image.device, limit=n_samples)

    def maps(self, at: Chunk) -> Tensor:
        """Return the maps of some noisy images, (n, C, H, W)."""
        images = self._image + self._scale * torch.stack(self._noise.at(at)).to(self._image)
        if self._of in BATCHED:
            slopes, _ = gradients(self._score, images)
            return slopes if self._of == "saliency" else slopes * images
        explain = getattr(xai_core, self._of)
        found: Attribution = explain(
            self._score.model,
            images,
            target=self._score.target,
            output=self._score.output,
            **self._own,
        )
        return found.values[None]


def _described(value: Any) -> object:
    """Return an option as JSON."""
    if isinstance(value, Tensor):
        return describe_baseline(value)
    return [_described(each) for each in value] if isinstance(value, (list, tuple)) else value
