"""What the screen's scripts are told of Python's side, held against what it hands them."""

import dataclasses
import re
from typing import Any

import pytest

from db.types import Call, Opinion, Reasoning
from review.cases import reading
from review.maps.recipes import Recipe
from review.verdicts.draft import VerdictDraft
from review.workspace import Workspace
from tests import builders
from ui.http import assets
from ui.viewer import component
from ui.viewer.payload import case_json

TYPES = (assets.FOLDER / "types.d.ts").read_text()
HEAD = re.compile(r"^interface (\w+)(?: extends ([\w, ]+))? \{", re.MULTILINE)
FIELD = re.compile(r"(?:^|[;{])\s*(?:/\*\*[^*]*\*/\s*)?(\w+)\??:")


def fields(name: str) -> set[str]:
    """Return the fields that an interface of `types.d.ts` and those before it have."""
    head = next(head for head in HEAD.finditer(TYPES) if head[1] == name)
    body, depth = "", 1
    for character in TYPES[head.end() :]:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if not depth:
            break
        body += character if depth == 1 else ""
    body = re.sub(r"/\*\*.*?\*/", "", body, flags=re.DOTALL)
    own = {m for part in body.split("\n") for m in FIELD.findall(part)}
    before = head[2].split(", ") if head[2] else []
    return own.union(*(fields(other) for other in before)) - {"pending"}


@pytest.fixture
def case(ws: Workspace) -> dict[str, Any]:
    """An explained case of a model of findings, with one map, a recipe and an earlier verdict."""
    card = {"name": "m", "version": "1", "classes": builders.CLASSES, "scores": "sigmoid"}
    with ws.begin() as session:
        of = builders.case(session)
        prediction = builders.prediction(session, of, builders.model(session, card=card))
        recipe = Recipe("quick", "black")
        made = recipe.for_map("integrated_gradients")
        builders.explanation(session, prediction, recipe=made)
        reader = builders.account(session)
        builders.verdict(
            session,
            prediction,
            reader,
            opinion=Opinion.MODIFY,
            reasons=["looks_at_marker"],
            findings={"nodule": Call.ABSENT},
            reasoning=Reasoning.UNSOUND,
        )
        case_id, reader_id = of.id, reader.id
    return case_json(reading.open_case(ws, case_id, reader_id=reader_id, recipe=recipe))


def test_a_case_has_the_fields_that_the_scripts_know(case):
    assert set(case) == fields("Case")
    assert set(case["image"]) == fields("ImageEntry")
    assert set(case["prediction"]) == fields("Prediction")
    assert set(case["prediction"]["findings"][0]) == fields("Finding")
    assert set(case["recipe"]) == fields("Recipe")
    made, missing = case["maps"]
    assert set(made) == fields("MadeMap")
    assert set(missing) == fields("MissingMap")
    assert set(made["trust"]) == fields("Trust")
    assert set(case["verdicts"][0]) == fields("EarlierVerdict")


def test_an_earlier_verdict_is_told_by_what_it_says_of_answer_and_reason(case):
    (earlier,) = case["verdicts"]
    said = "Accept with modification: nodule absent; reason unsound: looks at a marker or text"
    assert earlier["words"] == said


def test_a_class_of_a_model_without_findings_has_its_highest_scores(ws):
    with ws.begin() as session:
        of = builders.case(session)
        builders.prediction(session, of, builders.model(session))
        reader_id, case_id = builders.account(session).id, of.id
    prediction = case_json(reading.open_case(ws, case_id, reader_id=reader_id))["prediction"]
    assert prediction["findings"] == []
    assert set(prediction["top"][0]) == fields("Score")
    assert [entry["label"] for entry in prediction["top"][:2]] == ["nodule", "normal"]


def test_the_site_has_the_fields_that_the_scripts_know():
    assert set(component.SITE) == fields("Site")
    assert set(component.SITE["reasons"][0]) == fields("Reason")


def test_the_scripts_send_every_field_of_a_verdict():
    of_draft = {each.name for each in dataclasses.fields(VerdictDraft)}
    of_action = {"kind", "reader_id", "next_id"}  # which the desk takes off
    assert fields("VerdictAction") - of_action == of_draft
