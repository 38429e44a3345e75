from collections import Counter

import numpy as np
import pytest

from models.phantoms.phantom import Corner, Finding, Marker, demo_set, draw_phantom

PORTABLE = Marker("PORTABLE", Corner.UPPER_LEFT)


@pytest.mark.parametrize("finding", list(Finding))
def test_the_same_seed_draws_the_same_phantom(finding: Finding) -> None:
    first, again = draw_phantom(3, finding=finding), draw_phantom(3, finding=finding)
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.pixels, draw_phantom(4, finding=finding).pixels)


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (12, np.uint16)])
def test_pixels_have_the_depth_asked_for(bits: int, dtype: type) -> None:
    phantom = draw_phantom(1, finding=Finding.NORMAL, bits=bits)
    low, high = phantom.window
    assert phantom.pixels.shape == (256, 256)
    assert phantom.pixels.dtype == dtype
    assert 0 <= low < high < 2**bits
    assert phantom.pixels.max() < 2**bits


def test_both_depths_show_the_same_film_through_their_windows() -> None:
    coarse = draw_phantom(5, finding=Finding.NODULE, bits=8)
    fine = draw_phantom(5, finding=Finding.NODULE, bits=12)
    assert np.abs(coarse.shown - fine.shown).max() < 0.5 / 255 + 0.5 / 2500


def test_a_marker_changes_nothing_outside_its_box() -> None:
    plain = draw_phantom(6, finding=Finding.EFFUSION)
    marked = draw_phantom(6, finding=Finding.EFFUSION, marker=PORTABLE)
    box = marked.marker_box
    assert box is not None
    changed = plain.pixels != marked.pixels
    assert changed[box.top : box.bottom, box.left : box.right].mean() > 0.3
    changed[box.top : box.bottom, box.left : box.right] = False
    assert not changed.any()
    assert (plain.marker, plain.marker_box) == (None, None)


@pytest.mark.parametrize("corner", list(Corner))
def test_a_marker_lies_in_its_corner(corner: Corner) -> None:
    box = draw_phantom(2, finding=Finding.NORMAL, marker=Marker("L", corner)).marker_box
    assert box is not None
    assert (box.right < 64) if corner.endswith("left") else (box.left > 192)
    assert (box.bottom < 64) if corner.startswith("upper") else (box.top > 192)


@pytest.mark.parametrize("seed", range(12))
def test_bones_and_heart_are_brighter_than_lung(seed: int) -> None:
    film = draw_phantom(seed, finding=Finding.NORMAL).shown
    lungs = np.median(film[90:140, 60:85]), np.median(film[90:140, 172:197])
    assert max(lungs) + 0.3 < np.median(film[60:150, 122:134])
    assert max(lungs) + 0.3 < np.median(film[220:250, 90:166])


def test_a_normal_chest_has_an_empty_mask() -> None:
    assert not draw_phantom(8, finding=Finding.NORMAL).mask.any()


@pytest.mark.parametrize("seed", range(12))
def test_a_nodule_is_round_and_of_8_to_22_pixels(seed: int) -> None:
    mask = draw_phantom(seed, finding=Finding.NODULE).mask
    height, width = (np.ptp(indices) + 1 for indices in np.nonzero(mask))
    assert min(height, width) >= 6
    assert max(height, width) <= 25
    assert mask.sum() == pytest.approx(np.pi / 4 * height * width, rel=0.15)


@pytest.mark.parametrize("seed", range(12))
def test_an_effusion_lies_at_the_base_of_one_lung(seed: int) -> None:
    mask = draw_phantom(seed, finding=Finding.EFFUSION).mask
    left, right = mask[:, :128].sum(), mask[:, 128:].sum()
    assert mask.sum() > 150
    assert min(left, right) < 0.05 * max(left, right)
    assert np.nonzero(mask)[0].min() > 80


@pytest.mark.parametrize("seed", range(12))
def test_an_enlarged_heart_is_wider_than_half_the_chest(seed: int) -> None:
    enlarged = draw_phantom(seed, finding=Finding.CARDIOMEGALY).mask
    width_px = np.ptp(np.nonzero(enlarged)[1]) + 1
    assert width_px > 0.55 * 2 * 0.74 * 0.93 * 128


def test_the_demo_set_is_24_cases_of_every_finding_in_both_depths() -> None:
    cases = demo_set()
    assert len(cases) == 24
    assert min(Counter(case.finding for case in cases).values()) >= 4
    assert Counter(case.bits for case in cases) == {8: 12, 12: 12}
    assert len({case.seed for case in cases}) == 24


def test_the_demo_set_has_cases_in_which_the_marker_misleads() -> None:
    marked = Counter(case.finding for case in demo_set() if case.marker == PORTABLE)
    assert marked[Finding.NODULE] == 4
    assert marked[Finding.NORMAL] >= 2
