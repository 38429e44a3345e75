"""How far the score falls under each window: by full passes, or by what the window changes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xai_core import device as devices
from xai_core import heap
from xai_core.chunks import IsCancelled, Progress, as_chunk_size, chunks, in_parts, one_image
from xai_core.delta.engine import DeltaEngine
from xai_core.delta.tiles import Tile, tiles
from xai_core.errors import ModelError, XaiError
from xai_core.methods.windows import Windows
from xai_core.precision import tolerated
from xai_core.prepared_models import note_of, prepared_copy
from xai_core.scoring import TargetScore, activation_bytes

Falls = NDArray[np.float64]
"""F(image) - F(occluded image), one a window, (n,)."""

_TOLERANCE = 1e-3  # of the largest fall: a wrong rule misses by far more, rounding by far less
_REDUCED_TOLERANCE = 1e-2  # of the largest fall, for products in fewer bits
_SAMPLE_TOLERANCE = 0.5e-2  # the same on the few windows that are tried: others may be worse
_SAMPLE_SIDE = 3  # windows a side that are tried
_ROUNDED = (1.0, 0.95, 0.88, 0.8, 0.65, 0.5)  # shares of all multiplications, tried in this order
_ROUNDING = 1e-5  # of the score: what two ways to sum in single precision may differ by
_ROOM = 2  # times what is carried: convolutions work in memory of their own
_TILE_PX = 25 * 224 * 224  # pixels of all images in a tile; fewer do not fill a core


class Precision(StrEnum):
    """The format in which differences are multiplied by weights."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True)
class Rounding:
    """What products in fewer bits cost in accuracy.

    Attributes:
        error: The largest miss on the windows that were tried, as a share of the largest fall.
        n_kept: How many of the layers, from the image on, multiply in the model's own format.
        n_layers: How many there are.
    """

    error: float
    n_kept: int
    n_layers: int


@dataclass(frozen=True)
class OcclusionTask:
    """What to occlude, and how to run.

    Attributes:
        score: F.
        image: The clean image, (1, C, H, W).
        cover: What covers it, (1, C, H, W).
        windows: Where.
        chunk_size: Most images to pass at once, or None to take it from the free memory.
        progress: Called with windows done and their number.
        cancelled: Asked between chunks.
        precision: In which differences are multiplied, where that stays within 1% of the map.
    """

    score: TargetScore
    image: Tensor
    cover: Tensor
    windows: Windows
    chunk_size: int | None = None
    progress: Progress | None = None
    cancelled: IsCancelled | None = None
    precision: Precision = Precision.FLOAT32

    def images_at_once(self, image_bytes: int) -> int:
        """Return how many images to pass at once at most, by what one takes."""
        if self.chunk_size is not None:
            return as_chunk_size(self.chunk_size)
        return devices.chunk_size(image_bytes, self.image.device, limit=len(self.windows))

    def occluded(self, indices: Sequence[int]) -> Tensor:
        """Return copies of the image, (len(indices), C, H, W), each with one window covered."""
        batch = self.image.repeat(len(indices), 1, 1, 1)
        for copy, index in zip(batch, indices, strict=True):
            rows, columns = self.windows.rectangle(index)
            copy[:, rows, columns] = self.cover[0, :, rows, columns]
        return batch


@heap.kept()
def dense_falls(task: OcclusionTask) -> Falls:
    """Pass every occluded image through the model itself."""
    each = 0 if task.chunk_size else activation_bytes(task.score, task.image)
    parts = in_parts(
        chunks(len(task.windows), task.images_at_once(each)),
        lambda chunk: _dense(task, range(chunk.start, chunk.stop)),
        progress=task.progress,
        cancelled=task.cancelled,
    )
    scores = [part for _, part in parts]
    return _falls(task.score.clean_score, scores)


@heap.kept()
def delta_falls(task: OcclusionTask) -> tuple[Falls, Rounding | None, str | None]:
    """Pass only what the windows change, and check a few windows against the model itself.

    Returns:
        The falls; what fewer bits cost, None where the model's own format was kept; and a note, if
        there is something to say of how the model was traced.

    Raises:
        ModelError: That does not work for the model, or the check fails.
        MemoryExhaustedError: The clean image's maps, or one window's, do not fit.
    """
    try:
        with one_image():
            traced = prepared_copy(task.score.model, task.image)
            engine = DeltaEngine(traced, task.image, task.cover, task.windows)
        rounding = _rounded(task, engine) if _may_round(task) else None
        falls = _delta(task, engine)
        if rounding and _missed(task, falls, tolerance=_REDUCED_TOLERANCE):
            engine.round_products(torch.bfloat16, skip=rounding.n_layers)
            rounding, falls = None, _delta(task, engine)
    except XaiError:
        raise
    # An operation may surprise its rule in any way; the caller can still do without.
    except Exception as exc:
        raise ModelError(f"the model's differences cannot be carried through it: {exc}") from exc
    if rounding is None and (missed := _missed(task, falls, tolerance=_TOLERANCE)):
        raise ModelError(missed)
    return falls, rounding, note_of(traced)


def _may_round(task: OcclusionTask) -> bool:
    """Whether fewer bits were asked for, and the device multiplies them faster."""
    if task.precision is Precision.FLOAT32 or task.image.dtype != torch.float32:
        return False
    if task.image.device.type == "cuda":
        return torch.cuda.get_device_capability(task.image.device) >= (8, 0)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _dense(task: OcclusionTask, indices: Sequence[int]) -> Tensor:
    return task.score(task.occluded(indices))


def _delta(task: OcclusionTask, engine: DeltaEngine) -> Falls:
    parts = in_parts(
        tiles(task.windows, side=_tile_side(task, engine)),
        lambda tile: task.score.of(engine.scores(tile)),
        progress=task.progress,
        cancelled=task.cancelled,
    )
    done, scores = zip(*parts, strict=True)
    clean = float(task.score.of(engine.clean_scores))
    ends = np.cumsum([len(tile) for tile in done])[:-1]
    falls = np.empty((len(task.windows.rows.starts), len(task.windows.columns.starts)))
    for tile, part in zip(done, np.split(_falls(clean, scores), ends), strict=True):
        falls[np.ix_(tile.rows, tile.columns)] = part.reshape(len(tile.rows), len(tile.columns))
    return falls.ravel()


def _falls(clean: float, scores: Sequence[Tensor]) -> Falls:
    """Return by how much scores lie below the clean one, (n,); read from the device at once."""
    falls: Falls = clean - torch.cat(list(scores)).double().cpu().numpy()
    return falls


def _rounded(task: OcclusionTask, engine: DeltaEngine) -> Rounding | None:
    """Let as many layers as some windows allow multiply in bfloat16, and say what that costs.

    The layers next to the image come first: what they round goes through all others.
    """
    rows, columns = (
        np.unique(np.linspace(0, n - 1, _SAMPLE_SIDE + 2).astype(np.int64)[1:-1])
        for n in (len(task.windows.rows.starts), len(task.windows.columns.starts))
    )
    sample = Tile(rows, columns)
    clean = task.score.of(engine.clean_scores)
    exact = clean - task.score.of(engine.scores(sample))

    def miss(n_kept: int) -> float:
        engine.round_products(torch.bfloat16, skip=n_kept)
        found = clean - task.score.of(engine.scores(sample))
        return float((found - exact).abs().max() / exact.abs().max())

    costs = engine.multiplications(_window_in_the_middle(task))
    done = np.cumsum(costs, dtype=np.float64) / max(sum(costs), 1)
    for share in _ROUNDED:
        n_kept = int(np.searchsorted(done, 1 - share, side="right"))
        if (error := miss(n_kept)) <= _SAMPLE_TOLERANCE:
            return Rounding(error, n_kept, len(costs))
    engine.round_products(torch.bfloat16, skip=len(costs))
    return None


def _window_in_the_middle(task: OcclusionTask) -> Tile:
    rows, columns = (
        np.array([len(axis.starts) // 2]) for axis in (task.windows.rows, task.windows.columns)
    )
    return Tile(rows, columns)


def _tile_side(task: OcclusionTask, engine: DeltaEngine) -> int:
    """Return windows a side of a tile: as few as fill the device, for small tiles fit tightly."""
    n_pixels = task.image.shape[2] * task.image.shape[3]
    enough = max(_TILE_PX // n_pixels, 16) if task.image.device.type == "cpu" else 256
    return max(1, math.isqrt(min(enough, task.images_at_once(_window_bytes(task, engine)))))


def _window_bytes(task: OcclusionTask, engine: DeltaEngine) -> int:
    """Measure, by passing a window in the middle, what one takes: far less than an image."""
    if task.chunk_size is not None:
        return 0
    return _ROOM * engine.carried_bytes(_window_in_the_middle(task))


def _missed(task: OcclusionTask, falls: Falls, *, tolerance: float) -> str:
    """Compare the largest fall, the smallest and the last with the model's own answers.

    Returns:
        By how much one of them is missed, in words; empty where none is by too much.
    """
    indices = [int(falls.argmax()), int(falls.argmin()), len(falls) - 1]
    expected = _falls(task.score.clean_score, [_dense(task, [index]) for index in indices])
    rounding = tolerated(_ROUNDING, task.image.device)
    allowed = tolerance * np.abs(expected).max() + rounding * abs(task.score.clean_score)
    if (miss := np.abs(falls[indices] - expected).max()) <= allowed:
        return ""
    return (
        f"a fall carried as a difference misses the model's own by {miss:.3g}; "
        f"allowed: {allowed:.3g}"
    )
