"""The Help page: what a reader needs first, then every method and measure of the glossary."""

import re
from html import escape
from pathlib import Path

import streamlit as st

from xai_core.glossary.text import BEWARE, Entry, Group, link_of, measures, methods

FOLDER = Path(__file__).parent
FIRST = "When not to trust a map"
BROWSER = FOLDER.parent / "browser"
_LINK = re.compile(r"\[([^]]+)\]\((https://[^)]+)\)")

_go_to_heading = st.components.v2.component(
    "second_look_heading", js=(BROWSER / "go_to_heading.js").read_text()
)


def show() -> None:
    """Draw the page: its contents at the left, which stay, and the text."""
    text = (FOLDER / "help.md").read_text(encoding="utf-8")
    chapters = (("Methods", methods()), ("Measures", measures()))
    st.html(BROWSER / "help.css")
    with st.container(key="help"):
        st.html(_contents(re.findall(r"^## (.+)$", text, re.M), chapters))
        with st.container(key="help-text", width=760):
            st.title("Help", anchor=False)
            st.markdown(text)
            for title, groups in chapters:
                st.header(title, anchor=title.lower())
                for group in groups:
                    _show_group(group)
            _go_to_heading(key="heading")


def _show_group(group: Group) -> None:
    st.html(f'<p class="group">{escape(group.title)}</p>')
    for entry in group.entries:
        st.subheader(entry.name, anchor=entry.anchor)
        st.html(_body(entry))


def _body(entry: Entry) -> str:
    lines = [
        f"<dt>{escape(heading)}</dt><dd>{escape(words)}</dd>" for heading, words in entry.lines
    ]
    source = _LINK.sub(r'<a href="\2">\1</a>', link_of(escape(entry.source)))
    return (
        f'<div class="entry"><p>{escape(entry.question)}</p><dl>{"".join(lines)}'
        f'<dt class="beware">{BEWARE}</dt><dd class="beware">{escape(entry.beware)}</dd>'
        f"<dt>Source</dt><dd>{source}</dd></dl></div>"
    )


def _contents(titles: list[str], chapters: tuple[tuple[str, tuple[Group, ...]], ...]) -> str:
    parts = [_link(_slug(title), title, first=title == FIRST) for title in titles]
    for title, groups in chapters:
        parts.append(f'<p class="chapter"><a href="#{title.lower()}">{title}</a></p>')
        for group in groups:
            parts.append(f'<p class="group">{escape(group.title)}</p>')
            parts += [_link(entry.anchor, entry.name, first=False) for entry in group.entries]
    return f'<nav aria-label="Contents">{"".join(parts)}</nav>'


def _link(anchor: str, name: str, *, first: bool) -> str:
    marked = ' class="first"' if first else ""
    return f'<a href="#{anchor}"{marked}>{escape(name)}</a>'


def _slug(title: str) -> str:
    """Return the anchor that Streamlit gives a heading of these words."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
