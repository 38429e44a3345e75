import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from db.tables import Model
from db.types import Origin, Role
from imaging.encode import to_png
from review.cases import intake
from review.maps import requests
from review.models import registry, trial
from review.verdicts import asked
from review.workspace import Workspace
from tests import builders, tiny_models
from tests.builders import OPERATOR
from tests.tiny_models import write_card


@pytest.fixture(autouse=True)
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Import without the process that loads PyTorch: `tests.review.models` has it."""
    monkeypatch.setattr(trial, "tried", lambda *_: ())


@pytest.fixture
def tiny(ws: Workspace, tmp_path: Path) -> int:
    card = write_card(
        tmp_path,
        limits="fails on chests",
        evaluation={"held_out": {"macro_auc": 0.9512, "n_images": 400}},
    )
    return registry.import_model(ws, card, by=OPERATOR).id


def shown(page) -> str:
    return " ".join(str(element.value) for element in [*page.markdown, *page.text, *page.caption])


def test_the_page_is_open_to_engineers_only(open_page: Callable) -> None:
    page = open_page("models", Role.READER)
    assert page.subheader[0].value == "This page is not open to you"


def test_an_empty_site_is_told_what_to_do(open_page: Callable) -> None:
    page = open_page("models", Role.ENGINEER)
    assert "Import one below" in page.info[0].value


def test_a_card_says_what_a_model_is_for_and_where_it_fails(open_page: Callable, tiny: int) -> None:
    page = open_page("models", Role.ADMINISTRATOR)
    assert page.subheader[0].value == "tiny 1"
    for stated in ("tests", "fails on chests", "normal, nodule, effusion", "32 x 32 px, grey"):
        assert stated in shown(page)
    rows = page.dataframe[0].value.to_dict("records")
    assert rows == [
        {"Measure": "held out, macro auc", "Value": "0.951"},
        {"Measure": "held out, n images", "Value": "400"},
    ]


def test_a_model_is_switched_off_and_on(open_page: Callable, ws: Workspace, tiny: int) -> None:
    page = open_page("models", Role.ENGINEER)
    page.toggle[0].set_value(False).run()
    assert not registry.list_models(ws, by=OPERATOR)[0].active
    page.toggle[0].set_value(True).run()
    assert registry.list_models(ws, by=OPERATOR)[0].active


def test_cases_from_before_the_model_are_explained_on_request(
    open_page: Callable, ws: Workspace, tiny: int
) -> None:
    with ws.begin() as session:
        case = builders.case(session)
    page = open_page("models", Role.ENGINEER)
    page.button(key=f"explain-{tiny}").click().run()
    assert requests.progress(ws, case_ids=[case.id], by=OPERATOR)[0].model_id == tiny
    assert "1 waiting" in shown(page)


def test_a_card_and_its_weights_are_imported(
    open_page: Callable, ws: Workspace, tmp_path: Path
) -> None:
    page = open_page("models", Role.ENGINEER)
    page.file_uploader[0].upload("card.json", write_card(tmp_path).read_bytes())
    page.file_uploader[1].upload("weights", tiny_models.weights())
    _import(page)
    assert registry.find(ws, "tiny", by=OPERATOR).active
    assert "tiny:1 is ready" in page.success[0].value


@pytest.mark.parametrize(
    ("card", "weights", "said"),
    [
        (b"name = 1", b"x", "the card lacks"),
        (None, b"x", "Choose both files"),
        (True, b"other bytes", "but the card says"),
    ],
)
def test_what_cannot_be_imported_is_said_in_plain_words(
    open_page: Callable, ws: Workspace, tmp_path: Path, card: object, weights: bytes, said: str
) -> None:
    page = open_page("models", Role.ENGINEER)
    if card is not None:
        data = write_card(tmp_path).read_bytes() if card is True else card
        page.file_uploader[0].upload("card", data)
    page.file_uploader[1].upload("weights", weights)
    _import(page)
    assert said in page.error[0].value
    assert registry.list_models(ws, by=OPERATOR) == ()


def _import(page) -> None:
    next(button for button in page.button if button.label == "Import").click()
    page.run()
    assert not page.exception


@pytest.fixture
def findings(ws: Workspace) -> None:
    card = {"name": "chest", "scores": "sigmoid", "classes": ["pneumonia", "effusion"]}
    with ws.begin() as session:
        made = tiny_models.write_card(ws.settings.home / "cards", "chest")
        stated = json.loads(made.read_text()) | card
        builders.model(session, name="chest", card=stated)


def test_an_administrator_chooses_the_findings_that_are_asked_about(
    open_page: Callable, ws: Workspace, findings: None
) -> None:
    page = open_page("models", Role.ADMINISTRATOR)
    assert "pneumonia 0.5, effusion 0.5" in shown(page)
    assert page.multiselect[0].options == ["pneumonia", "effusion"]
    page.multiselect[0].select("effusion")
    next(button for button in page.button if button.label == "Save").click().run()
    assert asked.site_list(ws, by=OPERATOR) == ("effusion",)
    assert "effusion" in shown(page)
    assert page.success[0].value == "Readers are asked about:"


def test_an_engineer_is_not_offered_the_sites_list(open_page: Callable, findings: None) -> None:
    assert not open_page("models", Role.ENGINEER).multiselect


def test_where_no_model_has_findings_there_is_nothing_to_choose(
    open_page: Callable, tiny: int
) -> None:
    assert not open_page("models", Role.ADMINISTRATOR).multiselect


def test_a_suspended_model_says_why_and_goes_on_by_a_click(
    open_page: Callable, ws: Workspace, tiny: int
) -> None:
    with ws.begin() as session:
        session.get_one(Model, tiny).suspended = "it ended 3 workers one after another"
    page = open_page("models", Role.ENGINEER)
    assert "it ended 3 workers" in page.warning[0].value
    next(button for button in page.button if button.label == "Let it go on").click().run()
    assert registry.list_models(ws, by=OPERATOR)[0].suspended is None
    assert not page.warning


def test_only_administrators_are_offered_to_read_a_checkpoint(open_page: Callable) -> None:
    titles = [part.value for part in open_page("models", Role.ADMINISTRATOR).subheader]
    assert "Write a card for a checkpoint" in titles
    titles = [part.value for part in open_page("models", Role.ENGINEER).subheader]
    assert "Write a card for a checkpoint" not in titles


def test_a_checkpoint_is_read_its_card_filled_in_and_imported(
    open_page: Callable, ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"architecture": "tiny/linear", "n_classes": 3, "channels": 1, "prefixes": [""]}
    found |= {"config": {}, "classes": [], "scores": None, "thresholds": [], "notes": ["a guess"]}
    given = {"channels": 1, "resize": [32, 32], "mean": [0.5], "std": [0.25]}
    monkeypatch.setattr(trial, "proposed", lambda *_: [found | {"preprocessing": given}])
    page = open_page("models", Role.ADMINISTRATOR)
    checkpoint = next(f for f in page.file_uploader if f.label == "Checkpoint")
    checkpoint.upload("net.safetensors", tiny_models.weights()).run()
    next(b for b in page.button if b.label == "Read the checkpoint").click().run()
    assert "A guess." in [part.value for part in page.info]
    imports = [b for b in page.button if b.label == "Import"]
    imports[-1].click().run()
    assert "the card lacks scores" in page.error[0].value
    page.radio[0].set_value("softmax")
    next(t for t in page.text_area if t.label == "Intended use").set_value("tests")
    next(t for t in page.text_area if "one a line" in t.label).set_value("a\nb\nc")
    [b for b in page.button if b.label == "Import"][-1].click().run()
    card = registry.find(ws, "net", by=OPERATOR).card
    assert (card.classes, card.preprocessing.mean) == (("a", "b", "c"), (0.5,))
    assert "net:1 is ready" in page.success[0].value


def test_a_card_that_is_not_whole_is_said_and_takes_no_other_model_down(
    open_page: Callable, ws: Workspace, tiny: int, findings: None
) -> None:
    with ws.begin() as session:
        broken = session.scalars(select(Model).where(Model.name == "chest")).one()
        broken.card = {key: broken.card[key] for key in ("name", "version", "scores")}
    page = open_page("models", Role.ADMINISTRATOR)
    assert [heading.value for heading in page.subheader[:2]] == ["chest 1", "tiny 1"]
    assert "cannot be read: the card lacks" in page.error[0].value
    assert "fails on chests" in shown(page)


def test_a_new_case_is_stored_beside_a_model_whose_card_is_not_whole(
    ws: Workspace, tiny: int
) -> None:
    with ws.begin() as session:
        session.get_one(Model, tiny).card = {"name": "tiny", "version": "1"}
    (outcome,) = intake.receive(
        ws, [("a.png", to_png(np.eye(32, dtype=np.uint8)))], by=OPERATOR, origin=Origin.UPLOAD
    )
    assert outcome.kind == "stored"
