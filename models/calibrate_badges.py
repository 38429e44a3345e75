"""Choose the limits of the badges on phantoms: `make calibration`.

`python -m models.calibrate_badges` takes the measures of `badge_specimens.csv`, writes the limits
that they give into `xai_core/measures/thresholds.toml`, and their figures into `docs/measures.md`.
With `--measure` it makes the maps anew first, some minutes' work. Limits are chosen on one half of
the phantoms and tried on the other.
"""

import argparse
import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import expit, logit
from scipy.stats import nct, norm

from models.calibration_tables import tables
from models.specimens import Kind, Specimen, marked_specimens_of, specimens_of
from xai_core.measures.badges import THRESHOLDS, measure_of, read_rules

HERE = Path(__file__).parent
SPECIMENS = HERE / "badge_specimens.csv"
DOCUMENT = HERE.parent / "docs" / "measures.md"
SEEDS = range(800_000, 800_048)
MARKED_SEEDS = range(800_100, 800_108)
BLOCK = 12  # phantoms in a row that are of one half
MOST_BEYOND = 0.05  # share of sound maps that a limit may count against,
CONFIDENCE = 0.95  # whatever phantoms it was chosen on
BEGIN, END = "<!-- calibration -->", "<!-- end of calibration -->"
COLUMNS = (
    "relative_delta",
    "agreement.spearman",
    "faithfulness.gap",
    "infidelity.share",
    "corner_share",
    "border_share",
    "top_cell",
    "top_pixel",
    "saturated_share",
    "stability.similarity",
    "randomisation.remaining",
    "localisation.inside",
    "localisation.area",
    "localisation.hit",
    "localisation.chance_hit",
    "localisation.iou",
    "localisation.chance_iou",
)


def main() -> None:
    """Write limits and figures."""
    parser = argparse.ArgumentParser(description="Choose the limits of the badges on phantoms.")
    parser.add_argument("--measure", action="store_true", help="make the maps anew first")
    if parser.parse_args().measure:
        write_specimens(SPECIMENS, measured())
    specimens = read_specimens(SPECIMENS)
    text = with_limits(THRESHOLDS.read_text(encoding="utf-8"), chosen(specimens))
    THRESHOLDS.write_text(text, encoding="utf-8")
    DOCUMENT.write_text(documented(DOCUMENT.read_text(encoding="utf-8"), text, specimens), "utf-8")


def documented(document: str, thresholds: str, specimens: Sequence[Specimen]) -> str:
    """Return the document with the figures of these thresholds in their place."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    figures = tables(read_rules(thresholds), specimens, is_for_choosing)
    return f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}"


def measured() -> Iterator[Specimen]:
    """Make the maps of all phantoms and measure them, on every core."""
    with ProcessPoolExecutor(initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for work, seeds in ((specimens_of, SEEDS), (marked_specimens_of, MARKED_SEEDS)):
            for seed, made in zip(seeds, pool.map(work, seeds), strict=True):
                print(f"phantom {seed}: {len(made)} maps", flush=True)
                yield from made


def is_for_choosing(specimen: Specimen) -> bool:
    """Say whether limits are chosen on this phantom, and not tried on it."""
    return (specimen.seed - SEEDS.start) // BLOCK % 2 == 0


def chosen(specimens: Iterable[Specimen]) -> dict[tuple[str, str], float]:
    """Return the limits that the phantoms give, by measure and badge."""
    half = [specimen for specimen in specimens if is_for_choosing(specimen)]

    def found(measure: str, kind: Kind = Kind.SOUND, needs: str = "") -> list[float]:
        return values(half, measure, kind=kind, needs=needs)

    stable = tolerated(found("stability.similarity"), -1) / 2
    honest = tolerated(found("randomisation.remaining"), 1)
    blind = float(np.median(found("randomisation.remaining", Kind.GUIDED)))
    foretold = found("infidelity.share", needs="relative_delta")
    return {
        ("faithfulness.gap", "caution"): _down(tolerated(found("faithfulness.gap"), -1)),
        # Shares crowd near 0 and trail off towards 1: their log odds are more like normal values.
        ("infidelity.share", "caution"): _up(float(expit(tolerated(logit(foretold), 1)))),
        ("stability.similarity", "caution"): _down(stable),
        ("stability.similarity", "poor"): _down(stable / 2),
        ("randomisation.remaining", "caution"): _up((honest + blind) / 2),
        ("randomisation.remaining", "poor"): _down(blind),
    }


def tolerated(sample: Sequence[float], side: int) -> float:
    """Return the limit beyond which, at 95 % confidence, at most 5 % of such values lie.

    The one-sided tolerance limit of normal values (Natrella, Experimental Statistics, NBS Handbook
    91, 1963): a plain quantile of so few values is met by many more than 5 % of others.

    Args:
        sample: Two values or more.
        side: 1 for a limit above them, -1 for one below.
    """
    n = len(sample)
    offset = norm.ppf(1 - MOST_BEYOND) * math.sqrt(n)
    factor = nct.ppf(CONFIDENCE, n - 1, offset) / math.sqrt(n)
    return float(np.mean(sample) + side * factor * np.std(sample, ddof=1))


def values(
    specimens: Iterable[Specimen], measure: str, *, kind: Kind, needs: str = ""
) -> list[float]:
    """Return a measure of the maps of a kind, of those that have it and what it needs."""
    return [
        value
        for specimen in specimens
        if specimen.kind is kind
        and (value := measure_of(specimen.measures, measure)) is not None
        and (not needs or measure_of(specimen.measures, needs) is not None)
    ]


def with_limits(thresholds: str, limits: dict[tuple[str, str], float]) -> str:
    """Return the text of the thresholds with other limits."""
    for (measure, badge), limit in limits.items():
        pattern = rf'(measure = "{re.escape(measure)}"\n(?:(?!\n\n).)*?\n{badge} = )[-\d.]+'
        thresholds, n_found = re.subn(
            pattern, rf"\g<1>{limit:g}", thresholds, count=1, flags=re.DOTALL
        )
        if n_found != 1:
            raise ValueError(f"thresholds.toml has no {badge} limit of {measure}")
    return thresholds


def write_specimens(path: Path, specimens: Iterable[Specimen]) -> None:
    """Write measures as CSV, one map a row; what was not taken stays empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["kind", "method", "seed", *COLUMNS])
        for specimen in specimens:
            found = (measure_of(specimen.measures, name) for name in COLUMNS)
            cells = ("" if value is None else f"{value:.4g}" for value in found)
            table.writerow([specimen.kind, specimen.method, specimen.seed, *cells])


def read_specimens(path: Path) -> list[Specimen]:
    """Read what `write_specimens` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Specimen(Kind(row["kind"]), row["method"], int(row["seed"]), _nested(row))
            for row in csv.DictReader(file)
        ]


def _nested(row: dict[str, str]) -> dict[str, Any]:
    measures: dict[str, Any] = {}
    for name in COLUMNS:
        if row[name]:
            *group, last = name.split(".")
            (measures.setdefault(group[0], {}) if group else measures)[last] = float(row[name])
    return measures


def _rounded(to: Callable[[float], int]) -> Callable[[float], float]:
    return lambda limit: to(limit * 100) / 100


_down, _up = _rounded(math.floor), _rounded(math.ceil)


if __name__ == "__main__":
    main()
