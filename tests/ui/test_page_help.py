import re

import pytest
from streamlit.testing.v1 import AppTest

from db.types import Role
from xai_core.glossary.entries import MEASURES, METHODS
from xai_core.measures.badges import caution_limit


@pytest.fixture
def page(open_page) -> AppTest:
    shown = open_page("help", Role.READER)
    assert not shown.exception
    return shown


def html_of(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def test_help_says_what_a_heatmap_is_not(page):
    assert "not for primary diagnosis" in page.markdown[0].value


def test_the_limit_of_the_delta_is_that_of_the_badge(page):
    limit = f"{caution_limit('relative_delta'):.0%}".replace("%", " %")
    assert f"convergence delta is {limit} or more" in page.markdown[0].value


def test_every_method_and_measure_is_explained(page):
    explained = {heading.value for heading in page.subheader}
    assert explained == {entry.name for entry in [*METHODS.values(), *MEASURES.values()]}
    assert html_of(page).count("When not to trust it") == len(explained)


def test_the_contents_lead_to_headings_of_the_page(page):
    titles = re.findall(r"^## (.+)$", page.markdown[0].value, re.M)
    slugs = {re.sub(r"[^a-z0-9]+", "-", title.lower()) for title in titles}
    headings = {heading.anchor for heading in [*page.header, *page.subheader]}
    linked = set(re.findall(r'href="#([^"]+)"', html_of(page)))
    linked |= set(re.findall(r"\(#([^)]+)\)", page.markdown[0].value))
    assert "when-not-to-trust-a-map" in linked
    assert linked <= slugs | headings
