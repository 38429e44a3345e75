"""How far the score falls under each cover: by full passes, or by what the cover changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xai_core.errors import MemoryExhaustedError, ModelError, XaiError
from xai_core.graph.copies import note_of, prepared_copy
from xai_core.incremental.engine import DeltaEngine
from xai_core.incremental.perturbations import Perturbations
from xai_core.runtime import heap
from xai_core.runtime.chunks import Chunk, in_parts, one_image
from xai_core.runtime.precision import tolerated
from xai_core.runtime.run import Run
from xai_core.scoring import TargetScore, score_images

ScoreDrops = NDArray[np.float64]
"""F(image) - F(covered image), one a cover, (n,)."""

_TOLERANCE = 1e-3  # of the largest drop: a wrong rule misses by far more, rounding by far less
_REDUCED_TOLERANCE = 1e-2  # of the largest drop, for products in fewer bits
_SAMPLE_TOLERANCE = 0.5e-2  # the same on the few covers that are tried: others may be worse
_ROUNDED = (1.0, 0.95, 0.88, 0.8, 0.65, 0.5)  # shares of all multiplications, tried in this order
_ROUNDING = 1e-5  # of the score: what two ways to sum in single precision may differ by
_ROOM = 2  # times what is carried: convolutions work in memory of their own
_WORTH_PREPARING = 16  # covers; to trace a model and to check the result costs as many passes
_TILE_PX = 25 * 224 * 224  # pixels of all images in a tile; fewer do not fill a core


class CoverEngine(StrEnum):
    """How covered images are scored; the map is the same."""

    AUTO = "auto"
    DENSE = "dense"
    DELTA = "delta"


class Precision(StrEnum):
    """The format in which differences are multiplied by weights."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True)
class Rounding:
    """What products in fewer bits cost in accuracy.

    Attributes:
        error: The largest miss on the covers that were tried, as a share of the largest drop.
        n_kept: How many of the layers, from the image on, multiply in the model's own format.
        n_layers: How many multiply differences.
    """

    error: float
    n_kept: int
    n_layers: int


@dataclass(frozen=True)
class CoverTask:
    """What to cover, and how to run.

    Attributes:
        score: F.
        covers: What is covered, of which image.
        run: How to pass them; progress counts covers.
        precision: In which differences are multiplied, where that stays within 1% of the map.
    """

    score: TargetScore
    covers: Perturbations[Any]
    run: Run
    precision: Precision = Precision.FLOAT32

    @property
    def image(self) -> Tensor:
        """The clean image, (1, C, H, W)."""
        return self.covers.image


@dataclass(frozen=True)
class FoundDrops:
    """Each cover's drop of the score, and how it was found."""

    drops: ScoreDrops
    engine: CoverEngine
    precision: Precision = Precision.FLOAT32
    measures: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_score_drops(task: CoverTask, engine: CoverEngine) -> FoundDrops:
    """Return the drops under all covers.

    Args:
        task: What to cover.
        engine: "delta" insists on differences, "auto" takes them where they work and pay.

    Raises:
        ModelError: "delta" was asked for and does not work for the model.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One covered image at a time is too much for the device.
    """
    task = replace(task, run=task.run.rising())
    every = range(len(task.covers))
    full = _full_precision(task) if task.precision is Precision.BFLOAT16 else ()
    if engine is CoverEngine.DENSE or (
        engine is CoverEngine.AUTO and len(task.covers) < _WORTH_PREPARING
    ):
        return FoundDrops(_dense_drops(task, every, task.run), CoverEngine.DENSE, notes=full)
    try:
        drops, rounding, traced = _delta_drops(task)
    except (ModelError, MemoryExhaustedError) as exc:
        if engine is CoverEngine.DELTA:
            raise
        note = f"Computed by passing every covered image: {str(exc).rstrip('.')}."
        drops = _dense_drops(task, every, task.run)
        return FoundDrops(drops, CoverEngine.DENSE, notes=(note, *full))
    notes = () if traced is None else (traced,)
    if rounding is None:
        return FoundDrops(drops, CoverEngine.DELTA, notes=(*notes, *full))
    n_reduced = rounding.n_layers - rounding.n_kept
    note = (
        f"Reduced precision: {n_reduced} of {rounding.n_layers} layers multiply in bfloat16; "
        f"where it was tried, the error is {rounding.error:.1%} of the largest fall."
    )
    return FoundDrops(
        drops,
        CoverEngine.DELTA,
        Precision.BFLOAT16,
        {"rounding_error": rounding.error},
        (*notes, note),
    )


def _full_precision(task: CoverTask) -> tuple[str, ...]:
    return (
        f"Computed in full precision ({task.image.dtype}), for less did not pay or was too coarse.",
    )


def _dense_drops(task: CoverTask, indices: Sequence[int], run: Run) -> ScoreDrops:
    """Pass some covered images through the model itself."""

    def covered(chunk: Chunk) -> Tensor:
        return task.covers.images(indices[chunk.start : chunk.stop])

    scores = score_images(task.score, task.image, len(indices), covered, run)
    return task.score.clean_score - scores


@heap.kept()
def _delta_drops(task: CoverTask) -> tuple[ScoreDrops, Rounding | None, str | None]:
    """Pass only what the covers change, and check a few of them against the model itself.

    Returns:
        The drops; what fewer bits cost, None where the model's own format was kept; and a note, if
        there is something to say of how the model was traced.

    Raises:
        ModelError: That does not work for the model, or the check fails.
        MemoryExhaustedError: The clean image's maps, or one cover's, do not fit.
    """
    try:
        with one_image():
            traced = prepared_copy(task.score.model, task.image)
            engine = DeltaEngine(traced, task.covers)
            rounding = _rounded(task, engine) if _may_round(task) else None
        drops = _delta(task, engine)
        missed = _missed(task, drops, _REDUCED_TOLERANCE if rounding else _TOLERANCE)
        if rounding and missed:
            engine.round_products((), torch.bfloat16)
            rounding, drops = None, _delta(task, engine)
            missed = _missed(task, drops, _TOLERANCE)
    except XaiError:
        raise
    # An operation may surprise its rule in any way; the caller can still do without.
    except Exception as exc:
        raise ModelError(f"the model's differences cannot be carried through it: {exc}") from exc
    if missed:
        raise ModelError(missed)
    return drops, rounding, note_of(traced)


def _may_round(task: CoverTask) -> bool:
    """Whether fewer bits were asked for, and the device multiplies them faster."""
    if task.precision is Precision.FLOAT32 or task.image.dtype != torch.float32:
        return False
    if task.image.device.type == "cuda":
        return torch.cuda.get_device_capability(task.image.device) >= (8, 0)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _delta(task: CoverTask, engine: DeltaEngine) -> ScoreDrops:
    parts = in_parts(
        task.covers.tiles(_at_once(task, engine)),
        lambda tile: task.score.of(engine.scores(tile)),
        task.run,
    )
    done, scores = zip(*parts, strict=True)
    clean = float(task.score.of(engine.clean_scores))
    ends = np.cumsum([len(tile) for tile in done])[:-1]
    drops = np.empty(len(task.covers))
    for tile, part in zip(done, np.split(_drops_from(clean, scores), ends), strict=True):
        drops[task.covers.indices(tile)] = part
    return drops


def _drops_from(clean: float, scores: Sequence[Tensor]) -> ScoreDrops:
    """Return by how much scores lie below the clean one, (n,); read from the device at once."""
    drops: ScoreDrops = clean - torch.cat(list(scores)).double().cpu().numpy()
    return drops


def _rounded(task: CoverTask, engine: DeltaEngine) -> Rounding | None:
    """Let as many layers as a few covers allow multiply in bfloat16, and say what that costs.

    The layers next to the image come first: what they round goes through all others.
    """
    sample = task.covers.sample()
    clean = task.score.of(engine.clean_scores)
    exact = clean - task.score.of(engine.scores(sample))

    # With all of them rounded, none goes over to whole values sooner than it will.
    engine.round_products(engine.layers, torch.bfloat16)
    costs = engine.multiplications(task.covers.one())
    layers = list(costs)
    done = np.cumsum(list(costs.values()), dtype=np.float64) / max(sum(costs.values()), 1)
    n_tried = len(layers) + 1
    for share in _ROUNDED if layers else ():
        n_kept = int(np.searchsorted(done, 1 - share, side="right"))
        if n_kept == n_tried:
            continue
        n_tried = n_kept
        engine.round_products(layers[n_kept:], torch.bfloat16)
        found = clean - task.score.of(engine.scores(sample))
        error = float((found - exact).abs().max() / exact.abs().max())
        if error <= _SAMPLE_TOLERANCE:
            return Rounding(error, n_kept, len(layers))
    engine.round_products((), torch.bfloat16)
    return None


def _at_once(task: CoverTask, engine: DeltaEngine) -> int:
    """Return covers in a tile at most: as few as fill the device, for small tiles fit tightly."""
    n_pixels = task.image.shape[2] * task.image.shape[3]
    enough = max(_TILE_PX // n_pixels, 16) if task.image.device.type == "cpu" else 256

    def cover_bytes() -> int:
        """Measure, by passing a cover, what one takes: far less than an image."""
        with one_image():
            return _ROOM * engine.carried_bytes(task.covers.one())

    return min(enough, task.run.at_once(len(task.covers), task.image.device, cover_bytes))


def _missed(task: CoverTask, drops: ScoreDrops, tolerance: float) -> str | None:
    """Compare the largest drop, the smallest and the last with the model's own answers.

    Returns:
        By how much one of them is missed, in words, or None where none is by too much.
    """
    indices = [int(drops.argmax()), int(drops.argmin()), len(drops) - 1]
    expected = _dense_drops(task, indices, Run(chunk_size=1))
    rounding = tolerated(_ROUNDING, task.image.device)
    allowed = tolerance * np.abs(expected).max() + rounding * abs(task.score.clean_score)
    if (miss := np.abs(drops[indices] - expected).max()) <= allowed:
        return None
    return (
        f"a fall carried as a difference misses the model's own by {miss:.3g}; "
        f"allowed: {allowed:.3g}"
    )
