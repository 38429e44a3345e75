"""What a phantom's patient suffers from, as extra water along the beam, with its reference mask."""

import numpy as np
from numpy.typing import NDArray

from models.phantoms.organs import (
    AIR_IN_LUNG,
    LUNG_DEPTH_CM,
    Chest,
    chord,
    diaphragm,
    ellipse,
    lateral_wall,
    smoothstep,
)
from models.phantoms.patient import Finding, Frame, Grid, Patient

Mask = NDArray[np.bool_]
NODULE_DIAMETER_PX = (8.0, 22.0)
"""Diameters of nodules on a film of 256 pixels."""


def draw_finding(
    finding: Finding,
    patient: Patient,
    frame: Frame,
    chest: Chest,
    rng: np.random.Generator,
) -> tuple[Grid, Mask]:
    """Return the water that the finding adds, in centimetres, and the finding's mask.

    An enlarged heart is part of the patient already: it adds nothing here and its mask is the
    heart. A normal chest has an empty mask.
    """
    match finding:
        case Finding.NODULE:
            return _nodule(frame, chest, rng)
        case Finding.EFFUSION:
            return _effusion(patient, frame, chest, rng)
        case Finding.CARDIOMEGALY:
            return np.zeros_like(chest.lung), chest.heart > 0
        case Finding.NORMAL:
            return np.zeros_like(chest.lung), np.zeros(chest.lung.shape, dtype=bool)


def _nodule(frame: Frame, chest: Chest, rng: np.random.Generator) -> tuple[Grid, Mask]:
    """Put one round opacity with a soft edge into free lung."""
    diameter_px = rng.uniform(*NODULE_DIAMETER_PX) * frame.size / 256
    # Denser than flesh, as if calcified: a small one would not be seen otherwise.
    depth_cm = rng.uniform(3.6, 6.0)
    free = (chest.lung > 0.6) & (chest.mediastinum <= 0) & (chest.floor >= 1)
    reach = round(0.7 * diameter_px)
    for axis in (0, 1):
        free = free & np.roll(free, reach, axis) & np.roll(free, -reach, axis)
    rows, columns = np.nonzero(free)
    pick = int(rng.integers(len(rows)))
    row, column = np.ogrid[: frame.size, : frame.size]
    x, y = (column - columns[pick]).astype(np.float32), (row - rows[pick]).astype(np.float32)
    axes = (diameter_px / 2 * rng.uniform(0.95, 1.1), diameter_px / 2 * rng.uniform(0.9, 1.0))
    inside = ellipse(x, y, (0.0, 0.0), axes, rng.uniform(0, np.pi))
    opacity = depth_cm * AIR_IN_LUNG * smoothstep(1.15 * chord(inside))
    return opacity.astype(np.float32), inside < 1


def _effusion(
    patient: Patient, frame: Frame, chest: Chest, rng: np.random.Generator
) -> tuple[Grid, Mask]:
    """Fill the base of one lung with fluid whose border rises towards the ribs."""
    x, y = frame.grids()
    side = int(rng.choice((-1, 1)))
    dome = patient.domes_y[0 if side < 0 else 1]
    corner = dome + 0.24
    level = corner - rng.uniform(0.2, 0.62)
    towards_ribs = np.clip(side * x / lateral_wall(patient, y), 0, 1)
    surface = level + 0.12 - 0.2 * towards_ribs**2
    depth = smoothstep((y - surface) / 0.16 + 0.3)
    here = (side * x > 0) & (chest.lung > 0)
    fluid = 0.88 * LUNG_DEPTH_CM * AIR_IN_LUNG * chest.lung * depth * here
    above = diaphragm(patient, x) + 0.02 > y
    return fluid.astype(np.float32), (fluid > 1.0) & above
