from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.types import Call, Opinion, Reasoning
from review.state.consensus import Agreed, Consensus, Judged, consensus, reasoning_of, votes_of
from xai_core.model.answer import NO_FINDING

P, A, U = Call.PRESENT, Call.ABSENT, Call.INDETERMINATE
CLASSES = ["normal", "nodule", "effusion"]
SOFTMAX = {"classes": CLASSES, "scores": "softmax"}
SIGMOID = {"classes": CLASSES, "scores": "sigmoid"}
NODULE = SimpleNamespace(label="nodule", target=1, scores=[0.05, 0.9, 0.05])
NODULE_AND_EFFUSION = SimpleNamespace(label="nodule", target=1, scores=[0.05, 0.9, 0.6])
NOTHING = SimpleNamespace(label="nodule", target=1, scores=[0.001, 0.007, 0.001])


def verdict(opinion: Opinion, version: int = 3, **fields):
    row = {"hash_version": version, "opinion": opinion, "reasons": [], "corrected_label": None}
    findings = {"findings": {}, "reasoning": None} if version == 3 else {}
    return SimpleNamespace(**row | {"findings": None, "reasoning": None} | findings | fields)


ALL_ABSENT = dict.fromkeys(CLASSES, A)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(
    ("opinion", "fields", "votes"),
    [
        (Opinion.ACCEPT, {}, ALL_ABSENT | {"nodule": P}),
        (Opinion.MODIFY, {}, ALL_ABSENT | {"nodule": P}),
        (Opinion.MODIFY, {"corrected_label": "effusion"}, ALL_ABSENT | {"effusion": P}),
        (Opinion.REJECT, {"corrected_label": "normal"}, ALL_ABSENT | {"normal": P}),
        (Opinion.REJECT, {"reasons": ["wrong_finding"]}, {"nodule": A}),
        (Opinion.REJECT, {"reasons": ["wrong_finding", "looks_at_marker"]}, {"nodule": A}),
        (Opinion.CANNOT_ASSESS, {}, {}),
        (Opinion.WITHDRAWN, {}, {}),
    ],
)
def test_what_a_verdict_on_one_class_says_of_all(version, opinion, fields, votes):
    assert votes_of(verdict(opinion, version, **fields), NODULE, SOFTMAX) == votes


@pytest.mark.parametrize("card", [SOFTMAX, SIGMOID])
@pytest.mark.parametrize("version", [1, 2])
def test_an_old_rejection_of_the_reasoning_alone_says_nothing_of_the_answer(version, card):
    rejected = verdict(Opinion.REJECT, version, reasons=["looks_at_marker", "wrong_place"])
    assert votes_of(rejected, NODULE, card) == {}
    assert reasoning_of(rejected) is Reasoning.UNSOUND


@pytest.mark.parametrize(
    ("opinion", "fields", "prediction", "votes"),
    [
        # Accepting "pneumonia 0.7 %" meant that there is none.
        (Opinion.ACCEPT, {}, NOTHING, ALL_ABSENT),
        (Opinion.ACCEPT, {}, NODULE, {"nodule": P}),
        (Opinion.ACCEPT, {}, NODULE_AND_EFFUSION, {"nodule": P, "effusion": P}),
        (Opinion.MODIFY, {"corrected_label": "effusion"}, NODULE, {"nodule": P, "effusion": P}),
        (Opinion.MODIFY, {"corrected_label": "effusion"}, NOTHING, ALL_ABSENT | {"effusion": P}),
        (Opinion.REJECT, {"corrected_label": "effusion"}, NODULE, {"nodule": A, "effusion": P}),
        (Opinion.REJECT, {"corrected_label": "nodule"}, NOTHING, {"nodule": P}),
        (Opinion.REJECT, {"reasons": ["wrong_finding"]}, NODULE, {"nodule": A}),
        (Opinion.REJECT, {"reasons": ["wrong_finding"]}, NOTHING, {}),
        (Opinion.CANNOT_ASSESS, {}, NODULE, {}),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_an_old_verdict_on_findings_is_read_as_it_was_meant(
    version, opinion, fields, prediction, votes
):
    assert votes_of(verdict(opinion, version, **fields), prediction, SIGMOID) == votes


def test_the_thresholds_of_the_card_say_what_an_old_verdict_accepted():
    card = SIGMOID | {"thresholds": [0.5, 0.95, 0.5]}
    assert votes_of(verdict(Opinion.ACCEPT, 2), NODULE, card) == ALL_ABSENT


def test_a_verdict_on_findings_says_what_it_names_and_no_more():
    judged = verdict(Opinion.MODIFY, findings={"effusion": "present", "normal": "indeterminate"})
    assert votes_of(judged, NODULE, SIGMOID) == {"effusion": P, "normal": U}


def test_findings_that_an_old_hash_does_not_cover_are_not_read():
    slipped_in = verdict(Opinion.ACCEPT, 2, findings={"nodule": "absent"}, reasoning="sound")
    assert votes_of(slipped_in, NODULE, SIGMOID) == {"nodule": P}
    assert reasoning_of(slipped_in) is None


def test_reasoning_is_read_where_it_was_asked():
    assert reasoning_of(verdict(Opinion.ACCEPT, reasoning=Reasoning.SOUND)) is Reasoning.SOUND
    assert reasoning_of(verdict(Opinion.REJECT, 2, reasons=["wrong_finding"])) is None


def of(*judged: tuple[int, dict[str, Call]], asks_each: tuple[str, ...] = ()) -> Consensus:
    return consensus(Judged(reader, votes, asks_each) for reader, votes in judged)


def test_what_all_say_is_the_label():
    agreed = of((1, {"nodule": P, "normal": A}), (2, {"nodule": P, "normal": A}))
    assert agreed == Consensus({"nodule": Agreed.PRESENT, "normal": Agreed.ABSENT}, "nodule", 2)


def test_one_who_cannot_assess_erases_nothing():
    assert of((1, {"nodule": P}), (2, {})).label == "nodule"
    assert of((2, {}), (1, {"nodule": P})).label == "nodule"


def test_one_who_is_unsure_erases_nothing():
    assert of((1, {"nodule": P}), (2, {"nodule": U})).label == "nodule"
    assert of((1, {"nodule": U}), (2, {"nodule": U})) == Consensus(
        {"nodule": Agreed.INDETERMINATE}, None, 2
    )


def test_readers_who_contradict_each_other_leave_no_label():
    disputed = of((1, {"nodule": P, "effusion": P}), (2, {"nodule": A}))
    assert disputed.findings == {"nodule": Agreed.DISAGREEMENT, "effusion": Agreed.PRESENT}
    assert disputed.label is None
    assert str(disputed) == "readers disagree on nodule"


def test_of_each_reader_the_latest_word_on_a_class_counts():
    assert of((1, {"nodule": P}), (1, {"nodule": A}), (1, {"effusion": P})).findings == {
        "nodule": Agreed.ABSENT,
        "effusion": Agreed.PRESENT,
    }


def test_two_findings_are_both_there_and_no_one_label():
    both = of((1, {"nodule": P, "effusion": P}))
    assert (both.label, str(both)) == (None, "nodule, effusion")


def test_no_finding_needs_every_finding_of_a_model_that_was_judged():
    asks = ("nodule", "effusion")
    assert of((1, {"nodule": A, "effusion": A}), asks_each=asks).label == NO_FINDING
    assert of((1, {"nodule": A}), asks_each=asks).label is None
    assert of((1, {"nodule": A}), (2, {"effusion": A}), asks_each=asks).label == NO_FINDING
    assert of((1, {"nodule": A, "effusion": U}), asks_each=asks).label is None
    # A class that excludes others was only called wrong: which one is right is not known.
    assert of((1, {"nodule": A})).label is None


def test_nobody_gives_no_label():
    assert of() == Consensus()
    assert str(of()) == "no label"
    assert str(of((1, {"nodule": A}))) == "not nodule"
    assert str(of((1, {"nodule": U}))) == "indeterminate: nodule"


calls = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(Call), max_size=4)
read = st.lists(st.tuples(st.integers(1, 4), calls), max_size=8)
once_each = st.lists(st.tuples(st.integers(1, 9), calls), max_size=6, unique_by=lambda one: one[0])


@given(once_each, st.randoms(use_true_random=False))
def test_the_order_of_the_readers_changes_nothing(judged, random):
    shuffled = random.sample(judged, len(judged))
    assert of(*judged) == of(*shuffled)


@given(read)
def test_only_what_somebody_judged_is_there(judged):
    assert set(of(*judged).findings) == {name for _, votes in judged for name in votes}


@given(read, st.integers(1, 9))
def test_a_verdict_without_a_vote_changes_no_label(judged, reader):
    before, after = of(*judged), of(*judged, (reader, {}))
    assert (before.findings, before.label) == (after.findings, after.label)


@given(read, st.integers(5, 9), calls)
def test_another_reader_never_turns_a_finding_into_its_opposite(judged, reader, votes):
    """Agreement can break, or come where there was none; it is never overruled."""
    before, after = of(*judged).findings, of(*judged, (reader, votes)).findings
    for name, agreed in before.items():
        if agreed in (Agreed.PRESENT, Agreed.ABSENT):
            assert after[name] in (agreed, Agreed.DISAGREEMENT)


@given(read)
def test_a_label_is_present_and_undisputed(judged):
    agreed = of(*judged, asks_each=tuple("abcd"))
    said = set(agreed.findings.values())
    if agreed.label == NO_FINDING:
        assert said == {Agreed.ABSENT}
        assert set(agreed.findings) == set("abcd")
    elif agreed.label is not None:
        assert agreed.such(Agreed.PRESENT) == (agreed.label,)
        assert Agreed.DISAGREEMENT not in said
