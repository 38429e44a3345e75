"""The patient behind a phantom radiograph: what varies from one synthetic chest to the next.

Lengths are in film halves: the film spans [-1, 1] in x (right of the picture is the patient's
left) and y (downwards). Depths are in centimetres of water along the beam.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.floating]
"""One value a pixel, (size, size) float32."""

CM_PER_HALF = 20.0


class Finding(StrEnum):
    """What a phantom shows. The order is that of the demo models' classes."""

    NORMAL = "normal"
    NODULE = "nodule"
    EFFUSION = "effusion"
    CARDIOMEGALY = "cardiomegaly"


@dataclass(frozen=True, slots=True)
class Patient:
    """The proportions and the position of one synthetic patient."""

    scale: float
    tilt_rad: float
    shift: tuple[float, float]
    rotation: float
    half_width: float
    apex_y: float
    domes_y: tuple[float, float]
    dome_drop: float
    depth_cm: float
    shoulder_y: float
    cardiothoracic_ratio: float
    heart_axis_rad: float
    spine_bend: float
    rib_spacing: float
    bone: float
    breast: float
    fat: float
    stomach: float

    @property
    def heart_reach(self) -> tuple[float, float]:
        """How far the heart reaches to the right and to the left of the midline."""
        width = self.cardiothoracic_ratio * 2 * self.half_width
        right = 0.26 * width + 0.3 * self.rotation
        return right, width - right


def draw_patient(rng: np.random.Generator, finding: Finding) -> Patient:
    """Draw the proportions of one patient; only the heart's size depends on the finding."""
    ratio = rng.uniform(0.56, 0.67) if finding is Finding.CARDIOMEGALY else rng.uniform(0.39, 0.485)
    right_dome = rng.uniform(0.3, 0.44)
    return Patient(
        scale=rng.uniform(0.93, 1.06),
        tilt_rad=rng.normal(0, 0.025),
        shift=(rng.normal(0, 0.03), rng.normal(0.02, 0.03)),
        rotation=float(np.clip(rng.normal(0, 0.02), -0.05, 0.05)),
        half_width=rng.uniform(0.74, 0.83),
        apex_y=rng.uniform(-0.8, -0.72),
        domes_y=(right_dome, right_dome + rng.uniform(0.025, 0.085)),
        dome_drop=rng.uniform(0.2, 0.3),
        depth_cm=rng.uniform(20, 26),
        shoulder_y=rng.uniform(-0.88, -0.78),
        cardiothoracic_ratio=float(ratio),
        heart_axis_rad=rng.uniform(0.5, 0.75),
        spine_bend=rng.normal(0, 0.012),
        rib_spacing=rng.uniform(0.118, 0.132),
        bone=rng.uniform(2.4, 4.2),
        breast=float(max(0.0, rng.uniform(-1.5, 1.5))),
        fat=rng.uniform(0.16, 0.3),
        stomach=rng.uniform(0, 1),
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the patient lies on the film: patient coordinates to pixels and back."""

    size: int
    scale: float
    tilt_rad: float
    shift: tuple[float, float]

    def grids(self) -> tuple[Grid, Grid]:
        """Return the patient's x and y at each pixel centre."""
        axis = (np.arange(self.size, dtype=np.float32) + 0.5) * (2 / self.size) - 1
        x, y = axis[None, :] - self.shift[0], axis[:, None] - self.shift[1]
        cos, sin = math.cos(self.tilt_rad) / self.scale, math.sin(self.tilt_rad) / self.scale
        return cos * x + sin * y, cos * y - sin * x

    def pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., 2) patient coordinates as (..., 2) pixel columns and rows."""
        cos, sin = math.cos(self.tilt_rad) * self.scale, math.sin(self.tilt_rad) * self.scale
        x, y = points[..., 0], points[..., 1]
        column = cos * x - sin * y + self.shift[0]
        row = sin * x + cos * y + self.shift[1]
        return (np.stack([column, row], axis=-1) + 1) * (self.size / 2) - 0.5

    @property
    def px_per_half(self) -> float:
        """Pixels in one patient unit."""
        return self.scale * self.size / 2
