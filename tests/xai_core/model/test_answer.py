import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_core.model.answer import NO_FINDING, Answer, read_answer, thresholds_of

CLASSES = ("pneumonia", "effusion", "nodule")
HALVES = (0.5, 0.5, 0.5)


def read(scores, thresholds=HALVES, **options):
    return read_answer(scores, classes=CLASSES, thresholds=thresholds, **options)


def test_of_classes_that_exclude_each_other_the_highest_score_is_the_answer():
    assert read([0.2, 0.7, 0.1], None) == Answer("effusion", 1, (1,), 0.7)


def test_a_finding_that_no_score_reaches_is_none():
    answer = read([0.007, 0.001, 0.002])
    assert (answer.label, answer.target, answer.present) == (NO_FINDING, 0, ())
    assert answer.certainty == pytest.approx(0.993)


def test_every_finding_that_reaches_its_threshold_is_present():
    answer = read([0.6, 0.2, 0.9])
    assert (answer.label, answer.target, answer.present) == ("nodule", 2, (0, 2))
    assert answer.certainty == pytest.approx(0.9)


def test_a_score_at_its_threshold_is_present_and_as_uncertain_as_can_be():
    assert read([0.5, 0.1, 0.1]) == Answer("pneumonia", 0, (0,), 0.5)


def test_the_headline_is_the_finding_farthest_beyond_its_threshold_not_the_highest_score():
    answer = read([0.9, 0.5, 0.0], (0.85, 0.1, 0.5))
    assert answer.label == "effusion"
    assert answer.certainty == pytest.approx(0.5 + 0.5 * 0.4 / 0.9)


def test_without_a_finding_the_headline_is_the_one_nearest_to_its_threshold():
    answer = read([0.3, 0.09, 0.0], (0.9, 0.1, 0.5))
    assert (answer.label, answer.target) == (NO_FINDING, 1)
    assert answer.certainty == pytest.approx(0.55)


@pytest.mark.parametrize("thresholds", [None, HALVES])
def test_among_equal_scores_the_named_class_leads_and_else_the_first(thresholds):
    assert read([1.0, 1.0, 1.0], thresholds).target == 0
    assert read([1.0, 1.0, 1.0], thresholds, among_equals=2).target == 2
    assert read([0.0, 1.0, 1.0], thresholds, among_equals=0).target == 1


def test_a_card_of_before_has_a_half_for_each_class():
    card = {"classes": list(CLASSES), "scores": "sigmoid"}
    assert thresholds_of(card) == HALVES
    assert thresholds_of(card | {"thresholds": []}) == HALVES
    assert thresholds_of(card | {"thresholds": [0.1, 0.2, 0.3]}) == (0.1, 0.2, 0.3)
    assert thresholds_of(card | {"scores": "softmax"}) is None


limits = st.lists(st.floats(0.001, 0.999), min_size=3, max_size=3)
some_scores = st.lists(st.floats(0, 1), min_size=3, max_size=3)


@given(some_scores, limits)
def test_an_answer_names_what_is_present_and_how_certain_it_is(scores, thresholds):
    answer = read(scores, thresholds)
    assert 0.5 <= answer.certainty <= 1
    assert answer.present == tuple(i for i in range(3) if scores[i] >= thresholds[i])
    named = CLASSES[answer.target] if answer.present else NO_FINDING
    assert answer.label == named
    assert not answer.present or answer.target in answer.present
