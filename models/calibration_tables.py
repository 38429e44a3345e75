"""The figures of a calibration, as the tables of docs/measures.md."""

from collections.abc import Callable, Sequence

import numpy as np

from models.phantoms.phantom import Finding
from models.specimens import Kind, Specimen
from models.train_demo import FINDINGS
from xai_core.glossary.entries import MEASURES, METHODS
from xai_core.measures.badges import Badge, BadgeRule, Side, badge, measure_of

IsChosenOn = Callable[[Specimen], bool]
NEVER_REACHED = {"nan", "flat", "no_span"}


def tables(
    rules: Sequence[BadgeRule], specimens: Sequence[Specimen], is_chosen_on: IsChosenOn
) -> str:
    """Return all tables as Markdown."""
    judged = [rule for rule in rules if rule.measure not in NEVER_REACHED]
    seeds = {s.seed for s in specimens if s.kind is Kind.SOUND}
    held_out = {s.seed for s in specimens if s.kind is Kind.SOUND and not is_chosen_on(s)}
    parts = (
        f"Of {len(seeds)} phantoms that the sound model predicts rightly and surely "
        f"({len(held_out)} of them held out) and {len(_seeds(specimens, Kind.MARKER))} that the "
        "other predicts by their marker.",
        "### What the badge makes of maps",
        _badges(rules, specimens, is_chosen_on),
        "### Limits, and how many sound maps they count against",
        _limits(judged, specimens, is_chosen_on),
        "### Which measure sees what: share of the maps beyond its limit of caution",
        _power(judged, specimens),
        "### Where the maps of the sound model lie",
        _localisation(specimens),
    )
    return "\n\n".join(parts)


def _seeds(specimens: Sequence[Specimen], kind: Kind) -> set[int]:
    return {specimen.seed for specimen in specimens if specimen.kind is kind}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _assessed(specimens: Sequence[Specimen], kind: Kind) -> list[Specimen]:
    """Return the maps of a kind that have the measures taken with every map."""
    return [s for s in specimens if s.kind is kind and "corner_share" in s.measures]


def _badges(
    rules: Sequence[BadgeRule], specimens: Sequence[Specimen], is_chosen_on: IsChosenOn
) -> str:
    sound = _assessed(specimens, Kind.SOUND)
    groups: list[tuple[str, list[Specimen]]] = [
        ("sound, limits chosen on them", [s for s in sound if is_chosen_on(s)]),
        ("sound, held out", [s for s in sound if not is_chosen_on(s)]),
        *(
            (kind.value, _assessed(specimens, kind))
            for kind in Kind
            if kind is not Kind.SOUND and _assessed(specimens, kind)
        ),
    ]
    rows = []
    for name, group in groups:
        given = [badge(specimen.measures, rules)[0] for specimen in group]
        shares = [_percent(given.count(each) / len(given)) for each in Badge]
        rows.append([name, str(len(group)), *shares])
    return _table(["maps", "number", *(each.value for each in Badge)], rows)


def _beyond(rule: BadgeRule, specimens: Sequence[Specimen]) -> str:
    found = [value for s in specimens if (value := rule.value(s.measures)) is not None]
    if not found:
        return "–"
    return _percent(sum(rule.badge(value) is not Badge.GOOD for value in found) / len(found))


def _limits(
    rules: Sequence[BadgeRule], specimens: Sequence[Specimen], is_chosen_on: IsChosenOn
) -> str:
    sound = [specimen for specimen in specimens if specimen.kind is Kind.SOUND]
    halves = [s for s in sound if is_chosen_on(s)], [s for s in sound if not is_chosen_on(s)]
    rows = []
    for rule in rules:
        side = "≥" if rule.bad is Side.ABOVE else "<"
        rows.append(
            [
                MEASURES[rule.measure].name,
                _nine_in_ten(rule, specimens, Kind.NOISE),
                _nine_in_ten(rule, specimens, Kind.SOUND),
                f"{side} {rule.caution:g}",
                "" if rule.poor is None else f"{side} {rule.poor:g}",
                *(_beyond(rule, half) for half in halves),
                rule.basis,
            ]
        )
    head = ["measure", "nine in ten of noise", "nine in ten sound maps", "caution", "poor"]
    return _table([*head, "sound beyond", "held out", "by what"], rows)


def _nine_in_ten(rule: BadgeRule, specimens: Sequence[Specimen], kind: Kind) -> str:
    """Return between what values nine in ten maps of a kind lie."""
    measures = [specimen.measures for specimen in specimens if specimen.kind is kind]
    found = [value for each in measures if (value := rule.value(each)) is not None]
    return "{:.2g} to {:.2g}".format(*np.quantile(found, [0.05, 0.95])) if found else "–"


def _power(rules: Sequence[BadgeRule], specimens: Sequence[Specimen]) -> str:
    kinds = [kind for kind in Kind if _seeds(specimens, kind)]
    rows = [
        [MEASURES[rule.measure].name]
        + [_beyond(rule, [s for s in specimens if s.kind is kind]) for kind in kinds]
        for rule in rules
    ]
    return _table(["measure", *(kind.value for kind in kinds)], rows)


def _localisation(specimens: Sequence[Specimen]) -> str:
    pairs = (("inside", "area"), ("hit", "chance_hit"), ("iou", "chance_iou"))
    rows = []
    for finding in Finding:
        for method in ("integrated_gradients", "occlusion"):
            group = [
                specimen
                for specimen in _assessed(specimens, Kind.SOUND)
                if specimen.method == method
                and FINDINGS[specimen.seed % len(FINDINGS)] is finding
                and "localisation" in specimen.measures
            ]
            if group:
                means = [f"{_mean(group, name)} ({_mean(group, chance)})" for name, chance in pairs]
                rows.append([finding.value, METHODS[method].name, str(len(group)), *means])
    names = [MEASURES[f"localisation.{name}"].name.lower() for name, _ in pairs]
    return _table(["finding", "method", "maps", *(f"{n} (chance)" for n in names)], rows)


def _mean(specimens: Sequence[Specimen], name: str) -> str:
    found = [measure_of(s.measures, f"localisation.{name}") or 0.0 for s in specimens]
    return _percent(sum(found) / len(found))
