from xai_core.glossary.entries import MEASURES, METHODS
from xai_core.glossary.text import anchor_of, as_markdown, link_of, measures, methods
from xai_core.measures.badges import rules


def keys(groups):
    return [entry.key for group in groups for entry in group.entries]


def test_each_method_and_measure_is_read_once():
    assert sorted(keys(methods())) == sorted(METHODS)
    assert sorted(keys(measures())) == sorted(MEASURES)


def test_no_two_places_have_the_same_anchor():
    groups = [*methods(), *measures()]
    anchors = [group.anchor for group in groups]
    anchors += [entry.anchor for group in groups for entry in group.entries]
    assert len(anchors) == len(set(anchors))


def test_sources_become_links():
    assert link_of("Lapuschkin, 2019, arXiv:1902.10178; doi:10.1038/s41467-019-08987-4") == (
        "Lapuschkin, 2019, [arXiv:1902.10178](https://arxiv.org/abs/1902.10178); "
        "[doi:10.1038/s41467-019-08987-4](https://doi.org/10.1038/s41467-019-08987-4)"
    )


def test_the_text_says_of_everything_when_not_to_trust_it():
    text = as_markdown()
    for entry in [*METHODS.values(), *MEASURES.values()]:
        assert f"- **When not to trust it.** {entry.beware}" in text


def test_the_text_says_from_where_on_a_measure_counts_against_a_map():
    text = as_markdown()
    for rule in rules():
        anchor = f'<a id="{anchor_of(rule.measure)}"></a>'
        entry = text.partition(anchor)[2].partition("<a id=")[0]
        assert "- **On the badge.** " in entry, rule.measure
