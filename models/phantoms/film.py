"""From depths along the beam to a film: scatter, noise, exposure and lead markers."""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.phantoms.patient import Grid

ATTENUATION_PER_CM = 0.135
"""Effective attenuation of water at chest tube voltages, narrow beam."""


class Corner(StrEnum):
    """A corner of the picture."""

    UPPER_LEFT = "upper-left"
    UPPER_RIGHT = "upper-right"
    LOWER_LEFT = "lower-left"
    LOWER_RIGHT = "lower-right"


@dataclass(frozen=True, slots=True)
class Marker:
    """A lead marker on the cassette: `text` is L, R or PORTABLE."""

    text: str
    corner: Corner


@dataclass(frozen=True, slots=True)
class Box:
    """A box in pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int


def _blur(image: Grid, sigma_px: float) -> Grid:
    """Blur with a Gaussian of at most two pixels reach, the border repeated."""
    taps = [math.exp(-0.5 * (k / sigma_px) ** 2) for k in (1, 2)]
    middle = 1 / (1 + 2 * sum(taps))
    for axis in (0, 1):
        padded = np.pad(image, [(2, 2) if axis == a else (0, 0) for a in (0, 1)], mode="edge")
        shifted = [padded.take(range(k, k + image.shape[axis]), axis=axis) for k in range(5)]
        near, far = shifted[1] + shifted[3], shifted[0] + shifted[4]
        image = middle * (shifted[2] + taps[0] * near + taps[1] * far)
    return image


def _spread(image: Grid) -> Grid:
    """Blur widely: average over a coarse grid and interpolate."""
    size = len(image)
    coarse = Image.fromarray(image).resize((9, 9), Image.Resampling.HAMMING)
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)


def expose(depth_cm: Grid, rng: np.random.Generator) -> Grid:
    """Expose and process a film: 0 is black, 1 is white, values beyond saturate.

    The logarithm of primary and scattered quanta is levelled on the body's own histogram, as
    computed radiography does, with a little operator's variation.
    """
    size = len(depth_cm)
    primary = np.exp(-ATTENUATION_PER_CM * depth_cm)
    # Only what the body takes out of the beam can be scattered: none in air.
    scatter = rng.uniform(0.15, 0.35) * np.maximum(_spread(primary * (1 - primary)), 0.02)
    quanta = primary + scatter
    mottle = rng.standard_normal(quanta.shape, dtype=np.float32)
    dose = rng.uniform(4500, 16000)
    quanta = _blur(quanta + np.sqrt(quanta / dose) * mottle, rng.uniform(0.5, 0.75))
    density = -np.log(np.maximum(quanta, 1e-4))
    centre = density[size // 5 : -size // 8 : 3, size // 6 : -size // 6 : 3]
    low, high = (float(level) for level in np.percentile(centre, (6, 94)))
    return _develop((density - low) / (high - low), rng)


def _develop(exposure: Grid, rng: np.random.Generator) -> Grid:
    """Apply a characteristic curve: steep in the lungs (0), flat in the mediastinum (1)."""
    black, white = rng.uniform(0.13, 0.24), rng.uniform(0.84, 0.92)
    bend = rng.uniform(0.6, 1.5)
    curve = (1 - np.exp(-bend * np.maximum(exposure, -1))) / (1 - np.exp(-bend))
    film = black + (white - black) * curve
    toe = 0.12 * np.exp(np.minimum(film / 0.12 - 1, 0))
    developed: Grid = np.maximum(toe, film)
    return developed


@lru_cache(maxsize=8)
def _letters(text: str, height_px: int) -> Grid:
    """Return bold lettering as opacity, 0 to 1, cropped to its ink."""
    font = ImageFont.load_default(size=height_px)
    left, top, right, bottom = font.getbbox(text, stroke_width=0.4)
    tile = Image.new("L", (int(right - left) + 3, int(bottom - top) + 3))
    ImageDraw.Draw(tile).text((1 - left, 1 - top), text, fill=255, font=font, stroke_width=0.4)
    ink = tile.crop(tile.getbbox())
    return np.asarray(ink, dtype=np.float32) / 255


def burn_marker(film: Grid, marker: Marker, rng: np.random.Generator) -> tuple[Grid, Box]:
    """Lay a lead marker into its corner and return the film and the box of the letters."""
    size = len(film)
    height_px = round((11 if len(marker.text) > 1 else 17) * size / 256)
    ink = _letters(marker.text, height_px)
    rows, columns = ink.shape
    gap_x, gap_y = (int(v) for v in rng.integers(size // 36, size // 16, 2))
    left = gap_x if marker.corner.endswith("left") else size - gap_x - columns
    top = gap_y if marker.corner.startswith("upper") else size - gap_y - rows
    marked = film.copy()
    patch = marked[top : top + rows, left : left + columns]
    patch += ink * (rng.uniform(0.93, 1.0) - patch)
    return marked, Box(left, top, left + columns, top + rows)
