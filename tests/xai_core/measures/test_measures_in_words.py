from xai_core.glossary.entries import MEASURES
from xai_core.measures.badges import rules


def test_every_measure_that_can_count_against_a_map_is_explained():
    assert {rule.measure for rule in rules()} <= set(MEASURES)


def test_every_entry_is_complete_and_speaks_in_sentences():
    for name, measure in MEASURES.items():
        words = (measure.name, measure.question, measure.reading, measure.chance, measure.beware)
        assert all((*words, measure.source)), name
        assert measure.question.endswith("?"), name
        for sentence in (measure.reading, measure.chance, measure.beware):
            assert sentence[-1] in ".?", name
