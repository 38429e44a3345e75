"""Cases held back for text: who sees them, how they pass, and what is left of what was masked."""

import io
import json
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from sqlalchemy import select

from db import jobs
from db.errors import ConflictError, NotFoundError
from db.tables import Artifact, AuditEvent, Case, Draft, Explanation, Job, Prediction, TextEvent
from db.types import AuditKind, CaseStatus, JobStatus, Origin, Role, TextStep, now
from imaging.burnt_in import NOTE
from imaging.encode import from_png
from imaging.errors import MaskError
from review.burnt_in import desk, noticing, pictures
from review.burnt_in.desk import TextError
from review.burnt_in.noticing import Choice
from review.cases import intake, reading, worklist
from review.cases import pixels as pixel_routes
from review.cases.worklist import WorklistQuery
from review.errors import AccessError, HeldError, StaleCaseError
from review.exporting import dataset
from review.exporting import requests as exports
from review.exporting.dataset import ExportError, ExportFilter
from review.maps import agreement, checks, requests
from review.state.held import insist_same_picture
from review.triage import queue
from review.triage.queue import TriageFilter
from review.verdicts import sign, verify
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR
from tests.review.verdicts import tampered

BOX = [0, 0, 300, 60]
ALL = ExportFilter(unjudged=True)


def picture(name: str = "DOE JANE 1950-01-01") -> bytes:
    image = Image.fromarray(np.full((400, 500), 60, np.uint8))
    font = ImageFont.load_default(size=24)
    ImageDraw.Draw(image).text((10, 20), name, fill=255, font=font)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def came(ws: Workspace, name: str = "DOE JANE 1950-01-01") -> int:
    (outcome,) = intake.receive(ws, [("a.png", picture(name))], by=OPERATOR, origin=Origin.UPLOAD)
    assert outcome.case_id is not None
    return outcome.case_id


def explained(ws: Workspace, case_id: int) -> tuple[int, str]:
    """Give a case a prediction and a map; return the map's id and artifact."""
    with ws.begin() as session:
        case = session.get_one(Case, case_id)
        model = session.get(builders.Model, 1) or builders.model(
            session, weights_sha256=builders.artifact(session, ws.artifacts)
        )
        buffer = io.BytesIO()
        np.save(buffer, np.full((1, 32, 32), case_id / 7, np.float32))
        values = builders.artifact(session, ws.artifacts, buffer.getvalue())
        prediction = builders.prediction(session, case, model, score=0.3)
        explanation = builders.explanation(session, prediction, artifact_sha256=values)
        case.status = CaseStatus.READY
        return explanation.id, values


@pytest.fixture
def engineer(workspace: Workspace) -> int:
    with workspace.begin() as session:
        return builders.account(session, Role.ENGINEER, display_name="Grace").id


@pytest.fixture
def reader(workspace: Workspace) -> int:
    with workspace.begin() as session:
        return builders.account(session).id


@pytest.fixture
def quarantine(workspace: Workspace) -> None:
    noticing.choose(workspace, Choice.QUARANTINE, by=OPERATOR)


def case_of(ws: Workspace, case_id: int) -> Case:
    with ws.read() as session:
        return session.get_one(Case, case_id)


def test_with_a_warning_a_suspected_case_goes_its_way_and_waits_to_be_looked_at(
    workspace, engineer
):
    case_id = came(workspace)
    assert case_of(workspace, case_id).status is CaseStatus.QUEUED
    (waiting,) = desk.waiting(workspace, by=engineer).cases
    assert (waiting.case_id, waiting.is_held) == (case_id, False)


def test_a_picture_without_text_never_waits(workspace, engineer, quarantine):
    flat = io.BytesIO()
    Image.fromarray(np.full((400, 500), 60, np.uint8)).save(flat, "PNG")
    list(intake.receive(workspace, [("a", flat.getvalue())], by=OPERATOR, origin=Origin.UPLOAD))
    assert desk.waiting(workspace, by=engineer).cases == ()
    assert case_of(workspace, 1).status is CaseStatus.QUEUED


def test_who_sends_a_picture_that_is_held_back_is_told(workspace, quarantine):
    files = [("a.png", picture())]
    first, second = (
        next(iter(intake.receive(workspace, files, by=OPERATOR, origin=Origin.UPLOAD)))
        for _ in range(2)
    )
    assert (first.kind, second.kind) == ("stored", "duplicate")
    assert first.reason == second.reason == intake.HELD


def test_a_held_case_is_in_no_list_and_gives_nothing_to_a_reader(workspace, reader, quarantine):
    case_id = came(workspace)
    explanation_id, _ = explained(workspace, case_id)
    with workspace.begin() as session:
        session.get_one(Case, case_id).status = CaseStatus.HELD
        job_id = (
            session.scalars(select(Job.id)).first()
            or builders.job(
                session, payload={"case_id": case_id, "model_id": 1}, case_id=case_id
            ).id
        )
    for query in (WorklistQuery(), WorklistQuery(text=str(case_id)), WorklistQuery(status="held")):
        assert worklist.search(workspace, query, by=reader).rows == ()
    assert worklist.next_unread(workspace, reader, WorklistQuery()) is None
    assert worklist.choices(workspace, by=reader).any_cases is False
    for ask in (
        lambda: reading.open_case(workspace, case_id, reader_id=reader),
        lambda: pixel_routes.image_sha256(workspace, case_id, by=reader),
        lambda: pixel_routes.thumbnail_sha256(workspace, case_id, by=reader),
        lambda: pixel_routes.drawn_map(workspace, explanation_id, by=reader),
        lambda: agreement.pair(workspace, explanation_id, explanation_id, by=reader),
        lambda: requests.request(workspace, case_id, by=reader),
        lambda: requests.retry(workspace, job_id, by=reader),
        lambda: checks.request(workspace, explanation_id, by=reader),
    ):
        with pytest.raises(HeldError, match=f"case {case_id} is held back"):
            ask()
    for ask in (desk.look, desk.picture):
        with pytest.raises(AccessError, match="may not look at pictures for text"):
            ask(workspace, case_id, by=reader)


def test_a_held_case_is_not_signed_explained_exported_or_in_triage(workspace, engineer):
    case_id = came(workspace)
    explained(workspace, case_id)
    with workspace.begin() as session:
        prediction = session.scalars(select(Prediction)).one()
        token = sign.evidence_token(session, prediction.id, [])
        administrator = builders.account(session, Role.ADMINISTRATOR).id
        sign.refresh_flags(session, case_id)
        builders.job(session, case_id=case_id, payload={"case_id": case_id, "model_id": 1})
    assert queue.queue(workspace, TriageFilter(), by=engineer).n_total == 1
    assert noticing.choose(workspace, Choice.QUARANTINE, by=administrator) == 1
    draft = sign.VerdictDraft("r", case_id, prediction.id, "accept", token)
    with pytest.raises(HeldError):
        sign.record(workspace, administrator, draft)
    assert queue.queue(workspace, TriageFilter(), by=engineer).n_total == 0
    assert dataset.preview(workspace, ALL, by=engineer).n_predictions == 0
    assert requests.request_all(workspace, 1, by=engineer) == 0
    with workspace.read() as session:
        assert set(session.scalars(select(Job.status))) == {JobStatus.CANCELLED}


def test_a_case_that_was_judged_is_never_held_back(workspace):
    case_id = came(workspace)
    explained(workspace, case_id)
    with workspace.begin() as session:
        builders.verdict(
            session, session.scalars(select(Prediction)).one(), builders.account(session)
        )
    assert noticing.choose(workspace, Choice.QUARANTINE, by=OPERATOR) == 0
    assert case_of(workspace, case_id).status is not CaseStatus.HELD


def test_a_warning_chosen_later_lets_nothing_pass(workspace, quarantine):
    case_id = came(workspace)
    noticing.choose(workspace, Choice.WARN, by=OPERATOR)
    assert case_of(workspace, case_id).status is CaseStatus.HELD


def test_the_choice_is_told_by_the_audit_chain(workspace):
    with workspace.begin() as session:
        administrator = builders.account(session, Role.ADMINISTRATOR).id
    noticing.choose(workspace, Choice.QUARANTINE, by=administrator)
    with workspace.read() as session:
        event = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (event.subject_id, event.actor_id) == (noticing.KEY, administrator)
    assert event.content["state"]["value"] == {"choice": "quarantine"}


def test_what_is_let_pass_is_explained_and_says_who_looked(workspace, engineer, quarantine):
    with workspace.begin() as session:
        builders.model(session)
    case_id = came(workspace)
    image = case_of(workspace, case_id).image_sha256
    desk.release(workspace, case_id, image, by=engineer)
    case = case_of(workspace, case_id)
    assert case.status is CaseStatus.QUEUED
    assert case.notes == ["looked at for text by Grace: none that names anybody"]
    assert case.image_sha256 == image
    with workspace.read() as session:
        assert [job.case_id for job in session.scalars(select(Job))] == [case_id]
    with pytest.raises(ConflictError, match="somebody has looked at it"):
        desk.release(workspace, case_id, image, by=engineer)


def test_masking_replaces_the_picture_and_leaves_nothing_of_it(workspace, engineer):
    case_id = came(workspace)
    _, map_sha256 = explained(workspace, case_id)
    before = case_of(workspace, case_id)
    desk.mask(workspace, case_id, before.image_sha256, [BOX], by=engineer)
    case = case_of(workspace, case_id)
    pixels = from_png(workspace.artifacts.read(case.image_sha256))
    assert not pixels[:60, :300].any()
    assert (pixels[60:] == 60).all()
    gone = {before.image_sha256, before.thumbnail_sha256, map_sha256}
    assert not any(workspace.artifacts.exists(sha256) for sha256 in gone)
    with workspace.read() as session:
        assert not session.scalars(select(Artifact).where(Artifact.sha256.in_(gone))).all()
        assert not session.scalars(select(Prediction)).all()
        assert not session.scalars(select(Explanation)).all()
        event = session.scalars(select(TextEvent).order_by(TextEvent.id.desc())).first()
    assert (event.step, event.masks, set(event.removed)) == (TextStep.MASKED, [BOX], gone)
    assert verify.verify(workspace, by=OPERATOR).problems == ()
    assert not verify.verify(workspace, by=OPERATOR).orphans


def test_a_draft_on_the_unmasked_picture_goes_with_it(workspace, engineer, reader):
    case_id = came(workspace)
    explained(workspace, case_id)
    with workspace.begin() as session:
        (prediction_id,) = session.scalars(
            select(Prediction.id).where(Prediction.case_id == case_id)
        )
        draft = {"account_id": reader, "prediction_id": prediction_id, "updated_at": now()}
        session.add(Draft(content={"comment": "half a"}, **draft))
    desk.mask(workspace, case_id, case_of(workspace, case_id).image_sha256, [BOX], by=engineer)
    with workspace.read() as session:
        assert session.scalars(select(Draft)).all() == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE cases SET status = 'ready'",
            "case 1: its status is 'ready' and it was held back",
        ),
        (
            "UPDATE text_events SET step = 'released'",
            "text event 1: its step is 'released' and was recorded as 'held'",
        ),
        (
            "UPDATE text_events SET created_at = '2020-01-01 00:00:00.000000'",
            "text event 1: its created_at is '2020-01-01T00:00:00.000000+00:00' and was recorded",
        ),
        (
            "DELETE FROM text_events",
            "the text event 1 is not on record any more",
        ),
    ],
)
def test_a_case_let_pass_in_silence_is_named(workspace, quarantine, statement, expected):
    came(workspace)
    workspace.sessions.kw["bind"].dispose()
    tampered.tamper(workspace.settings.home, [statement])
    assert expected in verify.verify(workspace, by=OPERATOR).problems[0]


def test_a_masked_case_says_so_to_readers_in_its_record_and_in_the_chain(workspace, engineer):
    case_id = came(workspace)
    desk.mask(workspace, case_id, case_of(workspace, case_id).image_sha256, [BOX], by=engineer)
    case = case_of(workspace, case_id)
    assert case.notes == ["looked at for text by Grace: 1 part of the picture blacked out"]
    record = case.acquisition["deidentification"]
    assert "113101" in [method["code"] for method in record["methods"]]
    assert record["pixels"] == {"confirmed_by": "Grace", "n_masks": 1}
    assert case.acquisition["burnt_in_text"]["looked_at"]["masks"] == [BOX]
    with workspace.read() as session:
        event = session.scalars(
            select(AuditEvent)
            .where(AuditEvent.kind == AuditKind.TEXT_STEP)
            .order_by(AuditEvent.id.desc())
        ).first()
    assert event.actor_id == engineer
    assert event.content["state"]["masks"] == [BOX]


def test_more_can_be_masked_until_somebody_has_judged(workspace, engineer):
    case_id = came(workspace)
    for box in (BOX, [400, 300, 20, 20]):
        desk.mask(workspace, case_id, case_of(workspace, case_id).image_sha256, [box], by=engineer)
    case = case_of(workspace, case_id)
    assert len(case.acquisition["burnt_in_text"]["looked_at"]["masks"]) == 2
    explained(workspace, case_id)
    with workspace.begin() as session:
        prediction = session.scalars(select(Prediction)).one()
        builders.verdict(session, prediction, builders.account(session))
    with pytest.raises(TextError, match="stays as it was shown"):
        desk.mask(workspace, case_id, case.image_sha256, [BOX], by=engineer)


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        ([], "there are 0 masks"),
        ([[0, 0, 501, 10]], "reaches out of the picture of 500 x 400"),
        ([[-1, 0, 10, 10]], "reaches out"),
        ([[0, 395, 10, 10]], "reaches out"),
        ([[0, 0, 0, 10]], "allowed is 1 x 1"),
        ([[0, 0, 1.5, 10]], "in whole pixels"),
        ([[0, 0, True, 10]], "in whole pixels"),
        ([[0, 0, 10]], "in whole pixels"),
        ("all", "a list of boxes"),
        ([[0, 0, 1, 1]] * 201, "allowed are 1 to 200"),
    ],
)
def test_masks_that_are_none_are_refused_in_words(workspace, engineer, masks, words):
    case_id = came(workspace)
    image = case_of(workspace, case_id).image_sha256
    with pytest.raises(MaskError, match=words):
        desk.mask(workspace, case_id, image, masks, by=engineer)
    assert case_of(workspace, case_id).image_sha256 == image


def test_of_two_who_decide_at_once_one_is_told_to_look_again(each_workspace):
    with each_workspace.begin() as session:
        people = [builders.account(session, Role.ENGINEER).id for _ in range(2)]
    case_id = came(each_workspace)
    image = case_of(each_workspace, case_id).image_sha256
    outcomes: list[str] = []
    begin = threading.Barrier(2)

    def decide(who: int, box: list[int]) -> None:
        begin.wait()
        try:
            desk.mask(each_workspace, case_id, image, [box], by=who)
            outcomes.append("done")
        except ConflictError:
            outcomes.append("told")

    both = [
        threading.Thread(target=decide, args=(who, [0, 0, 300 + n, 60]))
        for n, who in enumerate(people)
    ]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted(outcomes) == ["done", "told"]
    with pytest.raises(ConflictError, match="has changed since it was shown"):
        desk.release(each_workspace, case_id, image, by=people[0])


def test_a_job_that_runs_while_masks_are_confirmed_writes_nothing(workspace, engineer):
    with workspace.begin() as session:
        builders.model(session)
    case_id = came(workspace)
    with workspace.begin() as session:
        running = jobs.claim(session, worker="w", lease_seconds=60)
    before = case_of(workspace, case_id)
    desk.mask(workspace, case_id, before.image_sha256, [BOX], by=engineer)
    with workspace.begin() as session:
        assert not jobs.finish(session, running.id, worker="w")
        with pytest.raises(StaleCaseError, match="was masked or held back"):
            insist_same_picture(session, before)
        (waiting,) = session.scalars(select(Job))
    assert waiting.status is JobStatus.QUEUED
    assert waiting.key != running.key


def test_the_same_picture_of_another_case_stays(workspace, engineer):
    first = came(workspace)
    twin = io.BytesIO()
    Image.open(io.BytesIO(picture())).save(twin, "TIFF")
    (second,) = intake.receive(
        workspace, [("b.tif", twin.getvalue())], by=OPERATOR, origin=Origin.UPLOAD
    )
    image = case_of(workspace, first).image_sha256
    assert case_of(workspace, second.case_id).image_sha256 == image
    desk.mask(workspace, first, image, [BOX], by=engineer)
    assert workspace.artifacts.exists(image)
    assert verify.verify(workspace, by=OPERATOR).problems == ()


def test_what_a_crash_left_of_an_unmasked_picture_is_named_and_swept(workspace, engineer):
    case_id = came(workspace)
    image = case_of(workspace, case_id).image_sha256
    unmasked = workspace.artifacts.read(image)
    desk.mask(workspace, case_id, image, [BOX], by=engineer)
    path: Path = workspace.artifacts.path(image)
    path.write_bytes(unmasked)
    (problem,) = verify.verify(workspace, by=OPERATOR).problems
    assert f"case {case_id}: artifact {image} of its unmasked picture" in problem
    pictures.sweep(workspace)
    assert not path.exists()


def test_masks_on_black_change_nothing_else(workspace, engineer):
    case_id = came(workspace)
    desk.mask(workspace, case_id, case_of(workspace, case_id).image_sha256, [BOX], by=engineer)
    explained(workspace, case_id)
    case = case_of(workspace, case_id)
    desk.mask(workspace, case_id, case.image_sha256, [BOX], by=engineer)
    assert case_of(workspace, case_id).image_sha256 == case.image_sha256
    with workspace.read() as session:
        assert len(session.scalars(select(Prediction)).all()) == 1


def test_exports_that_hold_the_unmasked_picture_are_gone_and_others_stay(workspace, engineer):
    case_id, other = came(workspace), came(workspace, "SMITH JOHN 1960-02-02")
    explained(workspace, case_id)
    folder = exports.path_of(workspace, 1).parent
    dataset.export(workspace, ALL, folder / "second-look-export-1.zip", by=engineer)
    with zipfile.ZipFile(folder / "second-look-export-2.zip", "w") as archive:
        archive.writestr("manifest.json", json.dumps({"files": {"a": {"sha256": "0" * 64}}}))
    desk.mask(workspace, other, case_of(workspace, other).image_sha256, [BOX], by=engineer)
    assert exports.download(workspace, 1, by=engineer)
    desk.mask(workspace, case_id, case_of(workspace, case_id).image_sha256, [BOX], by=engineer)
    with pytest.raises(NotFoundError):
        exports.download(workspace, 1, by=engineer)
    assert exports.download(workspace, 2, by=engineer)


def test_an_export_that_is_written_while_masks_are_confirmed_is_refused(
    workspace, engineer, tmp_path
):
    case_id = came(workspace)
    explained(workspace, case_id)

    def meanwhile(n_done: int, n_total: int) -> None:
        if n_done == n_total:
            image = case_of(workspace, case_id).image_sha256
            desk.mask(workspace, case_id, image, [BOX], by=engineer)

    with pytest.raises(ExportError, match="was masked or held back"):
        dataset.export(workspace, ALL, tmp_path / "e.zip", by=engineer, progress=meanwhile)
    assert list(tmp_path.glob("*.zip")) == []


def test_the_whole_range_shows_what_the_window_hides(workspace, engineer):
    case_id = came(workspace)
    with workspace.begin() as session:
        session.get_one(Case, case_id).window_high = 50.0
    shown, whole = (
        from_png(desk.picture(workspace, case_id, by=engineer, whole_range=each))
        for each in (False, True)
    )
    assert shown.min() == shown.max() == 255
    assert whole.min() < whole.max()


def test_a_note_of_old_goes_once_somebody_has_looked(workspace, engineer):
    case_id = came(workspace)
    assert NOTE in case_of(workspace, case_id).notes
    desk.release(workspace, case_id, case_of(workspace, case_id).image_sha256, by=engineer)
    assert NOTE not in case_of(workspace, case_id).notes
