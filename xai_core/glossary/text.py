"""The glossary as a text: the Help page shows its chapters, and `make docs` writes them out.

`python -m xai_core.glossary.text FILE` writes docs/methods.md, which a test compares with this.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xai_core.glossary.entries import MEASURES, METHODS, Family, Measure, Method
from xai_core.measures.badges import BadgeRule, Side, rules

TITLE = "What the maps and their measures mean"
PREFACE = """\
A map is about the network, not about the patient. It is help, not evidence, and correlation is not
cause. How the maps are computed is in [engine.md](engine.md).

*Made by `make docs` from `xai_core/glossary/`, which the Help page shows too: change it there.*
"""
BEWARE = "When not to trust it"


@dataclass(frozen=True)
class Entry:
    """A method or a measure as it is read.

    Attributes:
        anchor: Where links lead to.
        key: As programs name it.
        name: As readers name it.
        question: What it asks, in one sentence.
        lines: What else is said of it, each with its heading, without `beware`.
        beware: When not to trust it.
        source: Where it is published.
    """

    anchor: str
    key: str
    name: str
    question: str
    lines: tuple[tuple[str, str], ...]
    beware: str
    source: str


@dataclass(frozen=True)
class Group:
    """Entries that belong together.

    Attributes:
        anchor: Where links lead to.
        title: Its heading.
        entries: In the order in which they are read.
    """

    anchor: str
    title: str
    entries: tuple[Entry, ...]


_MEASURES_ABOUT = (
    ("empty", "Does the map say anything?", ("nan", "flat", "no_span", "saturated_share")),
    ("faithful", "Is it true to the network?", ("relative_delta", "faithfulness", "infidelity")),
    ("robust", "Does it hold?", ("stability", "randomisation")),
    ("agreement", "Do two maps agree?", ("agreement",)),
    ("place", "Where does it lie?", ("corner_share", "border_share", "top_cell", "top_pixel")),
    ("localisation", "Does it find the finding?", ("localisation",)),
)


def methods() -> tuple[Group, ...]:
    """Return the methods by family."""
    return tuple(
        Group(
            family.name.lower(),
            family.value,
            tuple(_of_method(k, m) for k, m in METHODS.items() if m.family is family),
        )
        for family in Family
    )


def measures() -> tuple[Group, ...]:
    """Return the measures by what they are about."""
    return tuple(
        Group(
            anchor,
            title,
            tuple(_of_measure(k, m) for k, m in MEASURES.items() if k.split(".")[0] in names),
        )
        for anchor, title, names in _MEASURES_ABOUT
    )


def anchor_of(key: str) -> str:
    """Return the anchor of a method or measure: `agreement-spearman` of `agreement.spearman`."""
    return re.sub(r"[^a-z0-9]+", "-", key)


def link_of(source: str) -> str:
    """Return a source in Markdown, its arXiv numbers and DOIs as links."""
    linked = re.sub(r"arXiv:([\d.]+\d)", r"[arXiv:\1](https://arxiv.org/abs/\1)", source)
    return re.sub(r"doi:(\S+)", r"[doi:\1](https://doi.org/\1)", linked)


def as_markdown() -> str:
    """Return the whole text."""
    chapters = (("Methods", methods()), ("Measures", measures()))
    return "\n".join([f"# {TITLE}", "", PREFACE, *_contents(chapters), *_chapters(chapters)])


def _of_method(key: str, method: Method) -> Entry:
    lines = (("How to read it", method.reading),)
    return Entry(
        anchor_of(key), key, method.name, method.question, lines, method.beware, method.source
    )


def _of_measure(key: str, measure: Measure) -> Entry:
    against = [("On the badge", _limits(rule)) for rule in rules() if rule.measure == key]
    lines = (
        ("How to read it", measure.reading),
        ("What chance reaches", measure.chance),
        *against,
    )
    return Entry(
        anchor_of(key), key, measure.name, measure.question, lines, measure.beware, measure.source
    )


def _limits(rule: BadgeRule) -> str:
    """Say from where on a measure counts against a map."""
    limits = {"Caution": rule.caution, "poor": rule.poor}
    if "{value" not in rule.words:
        return "Poor, if so." if rule.poor is not None else "Caution, if so."
    share = "%}" in rule.words
    said = [
        f"{badge} {'from' if rule.bad is Side.ABOVE else 'below'} "
        + (f"{limit:.0%}".replace("%", " %") if share else f"{limit:g}".replace("-", "−"))
        + (" on" if rule.bad is Side.ABOVE else "")
        for badge, limit in limits.items()
        if limit is not None
    ]
    return f"{', '.join(said)}."


def _contents(chapters: tuple[tuple[str, tuple[Group, ...]], ...]) -> Iterator[str]:
    for title, groups in chapters:
        yield f"**{title}**\n"
        for group in groups:
            links = " · ".join(f"[{entry.name}](#{entry.anchor})" for entry in group.entries)
            yield f"- *{group.title}* {links}"
        yield ""


def _chapters(chapters: tuple[tuple[str, tuple[Group, ...]], ...]) -> Iterator[str]:
    for title, groups in chapters:
        yield f"## {title}\n"
        for group in groups:
            yield f'<a id="{group.anchor}"></a>\n\n### {group.title}\n'
            for entry in group.entries:
                yield f'<a id="{entry.anchor}"></a>\n\n#### {entry.name}\n'
                yield f"{entry.question} (`{entry.key}`)\n"
                for heading, words in (*entry.lines, (BEWARE, entry.beware)):
                    yield f"- **{heading}.** {words}"
                yield f"- *Source:* {link_of(entry.source)}\n"


def main(path: str) -> None:
    """Write the text into a file."""
    Path(path).write_text(as_markdown(), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
