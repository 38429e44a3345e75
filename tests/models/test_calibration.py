"""The limits of the badges follow from the measures of the phantoms that are kept."""

import numpy as np
import pytest
import torch

from models.calibrate_badges import (
    DOCUMENT,
    SPECIMENS,
    chosen,
    documented,
    read_specimens,
    tolerated,
    values,
    with_limits,
    write_specimens,
)
from models.specimens import Kind, Specimen, marked_specimens_of, spoilt
from xai_core.measures.badges import THRESHOLDS, Badge, Side, badge, measure_of, rules
from xai_core.measures.placement import saturated_share


@pytest.fixture(scope="module")
def specimens():
    return read_specimens(SPECIMENS)


def flagged(specimens, kind):
    """Return the share of the maps of a kind that are not called good."""
    given = [
        badge(s.measures)[0] for s in specimens if s.kind is kind and "corner_share" in s.measures
    ]
    return 1 - given.count(Badge.GOOD) / len(given)


def test_thresholds_and_document_are_what_the_phantoms_give(specimens):
    thresholds = THRESHOLDS.read_text(encoding="utf-8")
    document = DOCUMENT.read_text(encoding="utf-8")
    assert with_limits(thresholds, chosen(specimens)) == thresholds
    assert documented(document, thresholds, specimens) == document


def test_few_sound_maps_are_flagged_and_most_bad_ones(specimens):
    assert flagged(specimens, Kind.SOUND) <= 0.1
    for kind in (Kind.NOISE, Kind.OTHER_CLASS, Kind.SHUFFLED, Kind.FEW_STEPS, Kind.MARKER):
        assert flagged(specimens, kind) >= 0.75, kind
    for kind in (Kind.TWO_PIXELS, Kind.CLIPPED):
        assert flagged(specimens, kind) == 1, kind
    assert flagged(specimens, Kind.MIRRORED) >= 0.6


def test_tolerance_limits_are_those_of_the_tables():
    sample = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    factor = 2.911  # of 10 values, 95 % of the population, 95 % confidence
    upper = np.mean(sample) + factor * np.std(sample, ddof=1)
    assert tolerated(sample, 1) == pytest.approx(upper, rel=1e-3)
    assert tolerated(sample, -1) == pytest.approx(9 - upper, rel=1e-3)


def test_specimens_are_read_as_they_were_written(tmp_path):
    first = Specimen(
        Kind.SOUND, "occlusion", 7, {"corner_share": 0.25, "agreement": {"spearman": -0.5}}
    )
    bare = Specimen(Kind.GUIDED, "guided_backprop", 8, {"randomisation": {"remaining": 0.875}})
    write_specimens(tmp_path / "some.csv", [first, bare])
    assert read_specimens(tmp_path / "some.csv") == [first, bare]


def test_limits_are_written_where_they_belong_and_nowhere_else():
    before = THRESHOLDS.read_text(encoding="utf-8")
    after = with_limits(before, {("infidelity.share", "caution"): 0.123})
    changed = [pair for pair in zip(before.split("\n"), after.split("\n"), strict=True)]
    assert [new for old, new in changed if old != new] == ["caution = 0.123"]
    with pytest.raises(ValueError, match="no poor limit of corner_share"):
        with_limits(before, {("corner_share", "poor"): 1.0})


def test_limits_lie_on_the_bad_side_of_sound_maps(specimens):
    for rule in rules():
        found = values(specimens, rule.measure, kind=Kind.SOUND, needs=rule.needs or "")
        if found:
            middle = float(np.median(found))
            assert (middle < rule.caution) is (rule.bad is Side.ABOVE), rule.measure


@pytest.mark.slow
def test_what_is_kept_is_what_is_measured(specimens):
    kept = [specimen for specimen in specimens if specimen.kind is Kind.MARKER][:2]
    again = marked_specimens_of(kept[0].seed)
    for old, new in zip(kept, again, strict=True):
        assert (new.method, new.seed) == (old.method, old.seed)
        for name in ("corner_share", "faithfulness.gap", "agreement.spearman"):
            expected = measure_of(old.measures, name)
            assert measure_of(new.measures, name) == pytest.approx(expected, rel=0.05, abs=0.02)


def test_bad_maps_are_what_they_are_called():
    fine = torch.randn(3, 48, 48, generator=torch.Generator().manual_seed(0))
    coarse = fine.mean(0, keepdim=True).expand(3, -1, -1)
    rng = np.random.default_rng(0)
    for heat, n_distinct in ((fine, 3 * 48 * 48), (coarse, 3 * 4 * 4)):
        noise = spoilt(Kind.NOISE, heat, rng)
        assert noise.unique().numel() == n_distinct
        assert noise.std().item() == pytest.approx(heat.std().item(), rel=0.3)
    assert torch.equal(spoilt(Kind.MIRRORED, fine, rng).flip(2), fine)
    two = spoilt(Kind.TWO_PIXELS, fine, rng).sum(0)
    assert (two != 0).sum() == 2
    clipped = spoilt(Kind.CLIPPED, fine, rng).sum(0).numpy()
    assert saturated_share(clipped) == pytest.approx(0.4, abs=0.01)
