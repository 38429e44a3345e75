"""Soft tissue and air of a phantom: depths along the beam from closed-form shapes."""

import math
from dataclasses import dataclass

import numpy as np

from models.phantoms.patient import Grid, Patient

LUNG_DEPTH_CM = 17.0
AIR_IN_LUNG = 0.76
"""How much less than water an inflated lung attenuates."""


@dataclass(frozen=True, slots=True)
class Chest:
    """The soft tissue of one patient, each (size, size) float32.

    Attributes:
        body_cm: Water-equivalent depth of trunk, neck, shoulders and arms without any lung.
        lung: Share of the lungs' full depth, 0 to 1, before heart, fluid and nodules take theirs.
        floor: 1 above the diaphragm, 0 below it.
        heart: Share of the heart's full depth, 0 to 1.
        mediastinum: The same with the great vessels.
    """

    body_cm: Grid
    lung: Grid
    floor: Grid
    heart: Grid
    mediastinum: Grid


def chord(radius2: Grid) -> Grid:
    """Return the depth of a unit sphere where the squared distance from its axis is `radius2`."""
    return np.sqrt(np.maximum(1 - radius2, 0))


def ellipse(
    x: Grid, y: Grid, centre: tuple[float, float], axes: tuple[float, float], angle: float = 0.0
) -> Grid:
    """Return the squared elliptic distance: 1 on the border, 0 in the centre."""
    cos, sin = math.cos(angle), math.sin(angle)
    dx, dy = x - centre[0], y - centre[1]
    along, across = (cos * dx + sin * dy) / axes[0], (cos * dy - sin * dx) / axes[1]
    return along * along + across * across


def smoothstep(value: Grid) -> Grid:
    """Return 0 below 0, 1 above 1 and a smooth rise between."""
    t = np.clip(value, 0, 1)
    return t * t * (3 - 2 * t)


def smooth_union(*levels: Grid) -> Grid:
    """Return the level set of a union whose notches are filled softly, as fat does."""
    sharpness = 9.0
    total = np.exp(sharpness * np.maximum(levels[0], -1))
    for level in levels[1:]:
        total += np.exp(sharpness * np.maximum(level, -1))
    return np.asarray(np.log(total) / sharpness, dtype=np.float32)


def quartic_sum(*depths: Grid) -> Grid:
    """Return a soft maximum of depths."""
    total = np.zeros_like(depths[0])
    for depth in depths:
        square = depth * depth
        total += square * square
    return np.sqrt(np.sqrt(total))


def lateral_wall(patient: Patient, y: Grid) -> Grid:
    """Return the inner half width of the rib cage at height `y`."""
    down = np.clip((y - patient.apex_y) / (0.72 - patient.apex_y), 0, 1)
    widening: Grid = np.sqrt(1 - (1 - down) ** 2.8)
    return 0.36 + (patient.half_width - 0.36) * widening


def diaphragm(patient: Patient, x: Grid) -> Grid:
    """Return the height of the diaphragm at `x`: two domes that fall towards the ribs."""
    right, left = patient.domes_y
    offset = np.abs(x) / patient.half_width - 0.46
    square = offset * offset
    fall = np.where(offset > 0, 2.4 * square + 4.5 * square * square, 0.55 * square)
    height: Grid = np.where(x < 0, right, left) + patient.dome_drop * fall
    return height


def _lung(patient: Patient, x: Grid, y: Grid) -> Grid:
    """Return the share of full lung depth of both lungs as if there were no diaphragm."""
    down = np.clip((y - patient.apex_y) / (0.72 - patient.apex_y), 0, 1)
    lateral = lateral_wall(patient, y)
    medial = 0.36 - 0.28 * np.sqrt(np.minimum(down / 0.16, 1))
    across = (np.abs(x) - (lateral + medial) / 2) / np.maximum((lateral - medial) / 2, 1e-3)
    profile = np.maximum(1 - np.abs(across) ** 3, 0) ** 0.6
    depth: Grid = profile * (1 - 0.5 * (1 - down) ** 3)
    return depth * (y > patient.apex_y)


def _body(patient: Patient, x: Grid, y: Grid) -> Grid:
    """Return the water-equivalent depth of the body, lungs filled."""
    side = np.abs(x)
    skin = patient.shoulder_y - 0.2 + 0.33 * side**1.5 + 0.12 * smoothstep((0.36 - side) / 0.3)
    under_skin = np.clip((y - skin) / 0.3, 0, 1)
    wall = patient.half_width + patient.fat + 0.1 * smoothstep((0.2 - y) / 0.6)
    trunk = patient.depth_cm * np.sqrt(np.maximum(1 - (side / wall) ** 5.5, 0))
    shoulder = 11.5 * smoothstep((0.35 - y) / 0.7)
    neck = 16 * chord((x / 0.33) ** 2) * smoothstep((0.1 - y) / 0.6)
    arm_x = 1.06 + 0.12 * np.clip(y + 0.6, 0, 2)
    arm = 11 * chord(((side - arm_x) / 0.22) ** 2)
    breast = patient.breast * 2.4 * chord(ellipse(side, y, (0.44, 0.26), (0.36, 0.3))) ** 1.5
    depth = quartic_sum(quartic_sum(trunk, shoulder, arm) * under_skin**0.4, neck)
    return (depth + breast).astype(np.float32)


def heart_shapes(patient: Patient, x: Grid, y: Grid) -> tuple[Grid, Grid]:
    """Return the shares of depth of the heart alone and of heart and great vessels."""
    right, left = patient.heart_reach
    half = (right + left) / 2
    angle = patient.heart_axis_rad
    long_axis = half / math.hypot(math.cos(angle), 0.66 * math.sin(angle))
    base_y = patient.domes_y[1] + 0.06 - 0.6 * half
    turn = patient.rotation
    ventricles = 1 - ellipse(
        x, y, ((left - right) / 2, base_y), (long_axis, 0.66 * long_axis), angle
    )
    atrium = 1 - ellipse(x, y, (0.17 - right, base_y + 0.02), (0.17, 0.24 * (half / 0.33)))
    heart = smooth_union(ventricles, atrium)
    knob = 1 - ellipse(x, y, (0.09 + turn, -0.34), (0.085, 0.085))
    trunk = 1 - ellipse(x, y, (0.06 + turn, -0.1), (0.12, 0.24), -0.15)
    caval = 1 - ellipse(x, y, (-0.04 + turn, -0.28), (0.1, 0.62))
    aorta = 1 - ellipse(x, y, (0.06, 0.2), (0.085, 0.7))
    vessels = 0.8 * np.sqrt(np.maximum(smooth_union(knob, trunk, caval, aorta), 0))
    depth = np.sqrt(np.clip(heart, 0, 1))
    return depth, np.maximum(depth, np.minimum(vessels, 1))


def draw_chest(patient: Patient, x: Grid, y: Grid, *, px: float) -> Chest:
    """Draw the soft tissue of one patient; `px` is the width of a pixel in patient units."""
    heart, mediastinum = heart_shapes(patient, x, y)
    below = y - diaphragm(patient, x)
    floor = smoothstep(0.5 - below / (3 * px))
    # The lungs reach behind the domes into the posterior sulcus and thin out there.
    sulcus = 0.2 * np.exp(-np.maximum(below, 0) / 0.07)
    lung = _lung(patient, x, y) * np.maximum(floor, sulcus)
    return Chest(_body(patient, x, y), lung.astype(np.float32), floor, heart, mediastinum)


def airway_cm(patient: Patient, x: Grid, y: Grid) -> Grid:
    """Return the depth of air in trachea and main bronchi."""
    turn = patient.rotation * 0.5
    trachea = chord(((x - turn) / 0.05) ** 2) * smoothstep((-0.24 - y) / 0.08)
    along = np.clip((y + 0.3) / 0.2, 0, 1)
    fork = chord(((np.abs(x - turn) - 0.16 * along) / 0.035) ** 2)
    return (1.9 * trachea + 1.1 * fork * (y > -0.3) * smoothstep((-0.08 - y) / 0.08)).astype(
        np.float32
    )


def bowel_gas(patient: Patient, rng: np.random.Generator, x: Grid, y: Grid) -> Grid:
    """Return the depth of gas under the left dome and in the bowel, in centimetres."""
    left = patient.domes_y[1]
    width = 0.09 + 0.09 * patient.stomach
    centre = (0.32 + 0.1 * rng.uniform(-1, 1), left + 0.07 + 0.5 * width)
    bubble = ellipse(x, y, centre, (width, 0.55 * width), rng.uniform(-0.2, 0.3))
    gas = (0.4 + 3.5 * patient.stomach) * chord(bubble)
    for _ in range(5):
        where = (rng.uniform(-0.1, 0.7), rng.uniform(left + 0.3, 1.05))
        axes = (rng.uniform(0.03, 0.09), rng.uniform(0.03, 0.05))
        gas += rng.uniform(0.3, 2.0) * chord(ellipse(x, y, where, axes, rng.uniform(-1, 1)))
    return np.asarray(gas, dtype=np.float32)
