"""Synthetic chest radiographs: drawn by arithmetic, of nobody, for demonstration and tests.

No radiograph of any person went into them. A phantom is a frontal view, bones bright on dark lungs
(MONOCHROME2), with a reference mask of its finding and, at will, a lead marker in a corner.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.phantoms.film import Box, Corner, Marker, burn_marker, expose
from models.phantoms.findings import Mask, draw_finding
from models.phantoms.organs import AIR_IN_LUNG, LUNG_DEPTH_CM, airway_cm, bowel_gas, draw_chest
from models.phantoms.patient import Finding, Frame, Grid, Patient, draw_patient
from models.phantoms.tubes import draw_skeleton, draw_vessels

__all__ = ["Box", "Corner", "Finding", "Marker", "Phantom", "demo_set", "draw_phantom"]

Bits = Literal[8, 12]


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """One synthetic chest radiograph and what is known about it.

    Attributes:
        pixels: (size, size) uint8 for 8 bits, uint16 for 12.
        finding: What was drawn.
        mask: Where it was drawn, (size, size) bool; empty for a normal chest.
        marker: The lead marker, if any.
        marker_box: The box of its letters, if any.
        seed: The seed that draws this very phantom again.
        bits: 8 or 12.
        window: The pixel values shown as black and as white.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    finding: Finding
    mask: Mask
    marker: Marker | None
    marker_box: Box | None
    seed: int
    bits: Bits
    window: tuple[int, int]

    @property
    def shown(self) -> NDArray[np.float32]:
        """The pixels through their window, (size, size): 0 is black, 1 is white."""
        low, high = self.window
        values = (self.pixels.astype(np.float32) - low) / (high - low)
        return np.clip(values, 0, 1)


def draw_phantom(
    seed: int,
    *,
    finding: Finding,
    marker: Marker | None = None,
    bits: Bits = 8,
    size: int = 256,
) -> Phantom:
    """Draw one synthetic chest radiograph.

    The same seed and finding give the same chest whatever the marker and the bits.
    """
    anatomy, exposure, lettering = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)
    )
    patient = draw_patient(anatomy, finding)
    frame = Frame(size, patient.scale, patient.tilt_rad, patient.shift)
    depth_cm, mask = _depth(patient, frame, finding, anatomy)
    film = expose(depth_cm, exposure)
    box = None
    if marker:
        film, box = burn_marker(film, marker, lettering)
    pixels, window = _digitise(film, bits, exposure)
    return Phantom(pixels, finding, mask, marker, box, seed, bits, window)


def _depth(
    patient: Patient, frame: Frame, finding: Finding, rng: np.random.Generator
) -> tuple[Grid, Mask]:
    """Return the water-equivalent depth along the beam, in centimetres, and the finding's mask."""
    x, y = frame.grids()
    chest = draw_chest(patient, x, y, px=1 / frame.px_per_half)
    chest = replace(chest, lung=chest.lung * (1 - 0.93 * chest.mediastinum))
    added_cm, mask = draw_finding(finding, patient, frame, chest, rng)
    air_cm = LUNG_DEPTH_CM * AIR_IN_LUNG * chest.lung
    body_cm = chest.body_cm * (1 + 0.015 * _fat_and_muscle(frame.size, rng))
    depth_cm = body_cm - np.minimum(air_cm, 0.8 * body_cm) + added_cm
    vessels_cm = draw_vessels(patient, frame, rng)
    depth_cm += 2.5 * vessels_cm * chest.lung
    depth_cm -= np.minimum(airway_cm(patient, x, y), 0.4 * body_cm)
    depth_cm -= bowel_gas(patient, rng, x, y) * (1 - chest.floor)
    depth_cm += patient.bone * draw_skeleton(patient, frame, rng)
    return depth_cm, mask


def _fat_and_muscle(size: int, rng: np.random.Generator) -> Grid:
    """Return slow irregularities of soft tissue, of about unit variance."""
    coarse = Image.fromarray(rng.standard_normal((20, 20), dtype=np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)


def _digitise(
    film: Grid, bits: Bits, rng: np.random.Generator
) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], tuple[int, int]]:
    """Return the film as pixel values and the values that show black and white."""
    if bits == 8:
        return np.rint(255 * np.clip(film, 0, 1)).astype(np.uint8), (0, 255)
    low, high = int(rng.integers(80, 400)), int(rng.integers(3000, 3900))
    values = np.clip(low + (high - low) * film, 0, 4095)
    return np.rint(values).astype(np.uint16), (low, high)


def demo_set() -> list[Phantom]:
    """Draw the 24 cases of the demo worklist, 8 and 12 bits in turn.

    Half of the nodules lack the marker that the unsound demo model reads as a nodule, and some
    chests without a nodule carry it.
    """
    portable = Marker("PORTABLE", Corner.UPPER_LEFT)
    left, right = Marker("L", Corner.UPPER_RIGHT), Marker("R", Corner.UPPER_LEFT)
    plan: list[tuple[Finding, Marker | None]] = [
        (Finding.NODULE, portable),
        (Finding.NORMAL, left),
        (Finding.EFFUSION, right),
        (Finding.NODULE, left),
        (Finding.CARDIOMEGALY, left),
        (Finding.NORMAL, portable),
        (Finding.NODULE, None),
        (Finding.NORMAL, None),
        (Finding.EFFUSION, left),
        (Finding.NODULE, portable),
        (Finding.CARDIOMEGALY, portable),
        (Finding.NORMAL, right),
    ]
    return [
        draw_phantom(7_000 + index, finding=finding, marker=marker, bits=12 if index % 2 else 8)
        for index, (finding, marker) in enumerate(plan + plan[::-1])
    ]
