"""Bones and vessels of a phantom: tubes along curves, their depth splatted onto the film."""

import math

import numpy as np
from numpy.typing import NDArray

from models.phantoms.organs import lateral_wall
from models.phantoms.patient import CM_PER_HALF, Frame, Grid, Patient

Curves = NDArray[np.float64]
"""Centre lines in patient coordinates, (n, points, 2); a third coordinate is along the beam."""

_LONGEST_WAY = 3.0
"""How much longer than its radius allows the beam's way in a tube seen end on may get."""


def draw_tubes(
    frame: Frame, curves: Curves, radius: NDArray[np.float64], *, hollow: float = 0.0
) -> Grid:
    """Return the depth along the beam, in centimetres, of tubes around `curves`.

    Args:
        frame: Where the patient lies on the film.
        curves: Centre lines, (n, points, 2 or 3). A third coordinate lengthens the beam's way
            where a tube runs towards the viewer, as ribs do at the chest wall.
        radius: Radius at each point in patient units, (n, points).
        hollow: Radius of the marrow as a share of the radius; 0 for a solid tube.
    """
    centre = frame.pixels(curves[..., :2])
    step = _along(centre)
    length_px = np.maximum(np.hypot(step[..., 0], step[..., 1]), 1e-6)
    solid_px = np.sqrt((_along(curves) ** 2).sum(axis=-1)) * frame.px_per_half
    solid_px = np.minimum(solid_px, _LONGEST_WAY * length_px)
    n_across = max(7, math.ceil(3 * radius.max() * frame.px_per_half))
    across = (np.arange(n_across) + 0.5) * (2 / n_across) - 1
    wall = np.sqrt(1 - across**2) - np.sqrt(np.maximum(hollow**2 - across**2, 0))
    aside = (radius * frame.px_per_half / length_px)[..., None] * across
    columns = centre[..., :1] - step[..., 1:] * aside
    rows = centre[..., 1:] + step[..., :1] * aside
    volume = solid_px * radius**2 * (2 * CM_PER_HALF * frame.px_per_half * 2 / n_across)
    return _splat(columns, rows, volume[..., None] * wall, size=frame.size)


def _along(curves: Curves) -> Curves:
    """Return the step from each point of each curve to the next."""
    step = np.diff(curves, axis=1)
    return np.concatenate([step, step[:, -1:]], axis=1)


def _splat(columns: Curves, rows: Curves, weight: Curves, *, size: int) -> Grid:
    """Share each weight among the four pixels around its place."""
    inside = (columns > -1) & (columns < size) & (rows > -1) & (rows < size)
    columns, rows, weight = columns[inside] + 1, rows[inside] + 1, weight[inside]
    stride = size + 2
    left, top = columns.astype(np.intp), rows.astype(np.intp)
    index = top * stride + left
    right, down = columns - left, rows - top
    lower = weight * down
    upper = weight - lower
    total = np.zeros(stride * stride)
    for offset, share in (
        (0, upper - upper * right),
        (1, upper * right),
        (stride, lower - lower * right),
        (stride + 1, lower * right),
    ):
        total += np.bincount(index + offset, weights=share, minlength=total.size)
    return total.reshape(stride, stride)[1:-1, 1:-1].astype(np.float32)


def rib_curves(patient: Patient, rng: np.random.Generator) -> Curves:
    """Return twenty ribs, (20, 170, 3): tilted half rings from the spine to the cartilage."""
    number = np.arange(10)
    ribs = []
    for side in (-1, 1):
        start = patient.apex_y - 0.03 + patient.rib_spacing * number + rng.normal(0, 0.006, 10)
        drop = 0.2 + 0.34 * np.minimum(number / 5, 1) + rng.normal(0, 0.01, 10)
        wall = np.asarray(lateral_wall(patient, (start + drop / 2).astype(np.float32)))
        wall = wall + 0.012
        wall[0] *= 0.86
        end = np.radians(np.where(number < 7, 138, 132 - 9 * (number - 6))) + rng.normal(
            0, 0.05, 10
        )
        first = np.arcsin(0.1 / wall)
        turn = first[:, None] + (end - first)[:, None] * np.linspace(0, 1, 170)
        x = side * wall[:, None] * np.sin(turn)
        lift = 0.03 * np.sin(np.clip(turn / 1.3, 0, 1) * np.pi)
        y = start[:, None] + drop[:, None] * (1 - np.cos(turn)) / 2 - lift
        depth = (0.2 + 0.3 * np.minimum(number / 4, 1))[:, None] * np.cos(turn)
        ribs.append(np.stack([x, y, depth], axis=-1))
    return np.concatenate(ribs)


def draw_skeleton(patient: Patient, frame: Frame, rng: np.random.Generator) -> Grid:
    """Return the depth of bone, in centimetres of bone, of ribs, shoulder girdle and spine."""
    ribs = rib_curves(patient, rng)
    along = np.linspace(0, 1, ribs.shape[1])
    width = 0.026 * (0.85 + 0.3 * along) * np.minimum(1, 0.3 + 9 * (1 - along)) ** 0.5
    bone = draw_tubes(frame, ribs, np.broadcast_to(width, ribs.shape[:2]), hollow=0.84)
    girdle, girdle_radius = _girdle(patient, rng)
    bone = bone + draw_tubes(frame, girdle, girdle_radius, hollow=0.72)
    shoulders: Grid = 0.6 * _upper_arms(patient, frame)
    return bone + shoulders + 0.15 * _spine(patient, frame)


def _bezier(points: NDArray[np.float64], n_points: int) -> NDArray[np.float64]:
    """Return cubic Bezier curves, (n, n_points, 2), of control points (n, 4, 2)."""
    t = np.linspace(0, 1, n_points)
    basis = np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    # Not `@`: for so little, starting the threads of BLAS takes longer than the sum.
    curves: Curves = np.einsum("tk,nkc->ntc", basis, points)
    return curves


def _girdle(patient: Patient, rng: np.random.Generator) -> tuple[Curves, NDArray[np.float64]]:
    """Return clavicles and the borders of the shoulder blades with their radii."""
    top = patient.apex_y + 0.2
    lines, radii = [], []
    for side in (-1, 1):
        rise = rng.uniform(0.08, 0.2)
        turn = side * 0.6 * patient.rotation
        clavicle = [(0.075, top), (0.3, top - 0.05), (0.5, top - 1.4 * rise), (0.92, top - rise)]
        blade = [(0.8, top - 0.02), (0.74, top + 0.2), (0.78, top + 0.4), (0.86, top + 0.6)]
        edge = [(0.86, top + 0.6), (0.93, top + 0.4), (0.92, top + 0.2), (0.99, top)]
        spine = [(0.7, top - 0.04), (0.82, top - 0.1), (0.9, top - 0.14), (1.02, top - 0.2)]
        lines += [[(px + turn, py) for px, py in clavicle], blade, edge, spine]
        lines[-4:] = [[(side * px, py) for px, py in line] for line in lines[-4:]]
        radii += [0.033, 0.01, 0.014, 0.02]
    curves = _bezier(np.array(lines), 130)
    return curves, np.broadcast_to(np.array(radii)[:, None], curves.shape[:2])


def _upper_arms(patient: Patient, frame: Frame) -> Grid:
    """Return the depth of bone of both humeri, heads included."""
    t = np.linspace(0, 1, 100)
    radius = 0.055 + 0.04 * np.exp(-((t / 0.12) ** 2))
    y = patient.apex_y + 0.1 + 0.9 * t
    right = np.stack([1.03 + 0.14 * t, y], axis=-1)
    curves = np.stack([right * (-1, 1), right])
    return draw_tubes(frame, curves, np.broadcast_to(radius, (2, 100)), hollow=0.85)


def _spine(patient: Patient, frame: Frame) -> Grid:
    """Return the vertebral column: bodies with brighter end plates."""
    y = np.linspace(-1.15, 1.15, 420)
    curve = np.stack([patient.spine_bend * np.sin(3 * y), y], axis=-1)[None]
    beat = np.cos(2 * np.pi * (y - patient.apex_y) / (patient.rib_spacing * 1.02))
    width = 0.074 + 0.02 * np.clip(y + 0.7, 0, 1.2) - 0.005 * beat
    column = draw_tubes(frame, curve, width[None], hollow=0.8)
    plates = np.arange(-1.0, 1.1, patient.rib_spacing * 1.02)
    ends = [[(-0.07, p), (-0.03, p + 0.008), (0.03, p + 0.008), (0.07, p)] for p in plates]
    lines = _bezier(np.array(ends), 40)
    return column + draw_tubes(frame, lines, np.full(lines.shape[:2], 0.012))


def draw_vessels(patient: Patient, frame: Frame, rng: np.random.Generator) -> Grid:
    """Return the depth, in centimetres, of the vessels that branch from both hila."""
    start, heading, radius = _roots(patient, rng)
    t = np.linspace(0, 1, 22)
    curves, radii = [], []
    for level in range(5):
        n = len(heading)
        length = rng.uniform(0.08, 0.17, n) * 0.97**level
        bend = rng.normal(0, 0.35, n)
        angle = heading[:, None] + bend[:, None] * t
        step = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * (length / len(t))[:, None, None]
        curves.append(start[:, None] + np.cumsum(step, axis=1))
        radii.append(radius[:, None] * (1 - 0.25 * t))
        fork = rng.uniform(0.1, 0.6, (n, 2)) * np.array([-1, 1])
        heading = (angle[:, -1:] + fork).ravel()
        radius = np.repeat(radii[-1][:, -1], 2) * rng.uniform(0.65, 0.95, 2 * n)
        start = np.repeat(curves[-1][:, -1], 2, axis=0)
    return draw_tubes(frame, np.concatenate(curves), np.concatenate(radii))


def _roots(
    patient: Patient, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return where the hilar vessels start, their headings and radii."""
    outward = np.array([-1.3, -0.85, -0.4, 0.05, 0.45, 0.8, 1.05, 1.3])
    starts, headings = [], []
    for side in (-1, 1):
        hilum = (side * 0.15 + patient.rotation, -0.03 if side < 0 else -0.09)
        spread = np.stack([np.full(8, hilum[0]), hilum[1] + 0.08 * outward], axis=-1)
        starts.append(spread + rng.normal(0, 0.015, spread.shape))
        turn = outward + rng.normal(0, 0.15, 8)
        headings.append(turn if side > 0 else np.pi - turn)
    return np.concatenate(starts), np.concatenate(headings), rng.uniform(0.018, 0.032, 16)
