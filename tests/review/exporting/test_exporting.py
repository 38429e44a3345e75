import csv
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select, update

from db import verdicts as chain
from db.errors import ArtifactError
from db.tables import Case, Prediction, TriageFlag, Verdict
from db.types import Disposition, Opinion, Role, now
from review.exporting import dataset
from review.exporting.dataset import ExportError, ExportFilter
from review.exporting.files import defused
from review.exporting.rows import source_key
from review.exporting.schema import TABLES
from review.state.flags import refresh_flags
from review.triage import queue
from review.verdicts import sign
from review.verdicts.sign import VerdictDraft
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR


@pytest.fixture
def judged(workspace: Workspace) -> Workspace:
    """Two predictions: one accepted, superseded and rejected; one never judged."""
    store = workspace.artifacts
    with workspace.begin() as session:
        weights = builders.artifact(session, store)
        model = builders.model(session, name="m", weights_sha256=weights)
        for number in range(2):
            image = builders.artifact(session, store, b"png%d" % number)
            case = builders.case(session, image_sha256=image, reference_label="nodule")
            prediction = builders.prediction(session, case, model)
            builders.explanation(
                session, prediction, artifact_sha256=builders.artifact(session, store)
            )
        first = prediction.id - 1
        token = sign.evidence_token(session, first, [])
        reader = builders.account(session, name="r").id
    drafts = [
        VerdictDraft("a", case.id - 1, first, Opinion.ACCEPT, token, comment='=HYPERLINK("x")'),
        VerdictDraft(
            "b",
            case.id - 1,
            first,
            Opinion.REJECT,
            token,
            reasons=("wrong_finding",),
            corrected_label="effusion",
            supersedes_id=1,
        ),
    ]
    for draft in drafts:
        sign.record(workspace, reader, draft)
    return workspace


def exported(ws: Workspace, path: Path, chosen: ExportFilter | None = None) -> zipfile.ZipFile:
    dataset.export(ws, chosen or ExportFilter(), path, by=OPERATOR)
    return zipfile.ZipFile(path)


def lines(archive: zipfile.ZipFile, table: str) -> list[dict]:
    return [json.loads(line) for line in archive.read(f"{table}.jsonl").splitlines()]


def test_every_verdict_is_in_it_and_superseded_ones_are_marked(judged, tmp_path):
    with exported(judged, tmp_path / "e.zip") as archive:
        first, second = lines(archive, "verdicts")
        (case,) = lines(archive, "cases")
    assert (first["current"], first["superseded_by_id"]) == (False, second["verdict_id"])
    assert (second["current"], second["final_label"]) == (True, "effusion")
    assert (case["final_label"], case["reference_label"]) == ("effusion", "nodule")


def test_readers_sign_while_an_export_is_written(judged, tmp_path, monkeypatch):
    rows = dataset.verdict_rows
    before = len(judged.sessions().scalars(select(Verdict)).all())

    def sign_between_rows(session, ids):
        found = rows(session, ids)
        yield next(found)
        with judged.read() as other:
            token = sign.evidence_token(other, ids[0], [])
            case_id = other.get_one(Prediction, ids[0]).case_id
            last = other.scalars(select(Verdict).order_by(Verdict.id.desc())).first()
        draft = VerdictDraft(
            "while it is written",
            case_id,
            ids[0],
            Opinion.ACCEPT,
            token,
            supersedes_id=last.id,
        )
        sign.record(judged, last.reader_id, draft)
        yield from found

    monkeypatch.setattr(dataset, "verdict_rows", sign_between_rows)
    with exported(judged, tmp_path / "e.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert len(lines(archive, "verdicts")) == before
    assert manifest["counts"]["reconciled"]
    with judged.read() as session:
        assert len(session.scalars(select(Verdict)).all()) == before + 1
    assert not list(tmp_path.glob(".export-*"))


def test_every_cell_of_a_csv_file_is_quoted(judged, tmp_path):
    with exported(judged, tmp_path / "e.zip") as archive:
        for name in TABLES:
            text = archive.read(f"{name}.csv").decode()
            again = io.StringIO()
            csv.writer(again, quoting=csv.QUOTE_ALL).writerows(csv.reader(io.StringIO(text)))
            assert again.getvalue() == text


def test_a_case_that_is_open_in_triage_again_is_not_exported_as_closed(judged, tmp_path):
    with judged.begin() as session:
        engineer = builders.account(session, Role.ENGINEER).id
        prediction = session.query(Prediction).order_by(Prediction.id).first()
        case_id = prediction.case_id
        refresh_flags(session, case_id)
    queue.close(judged, case_id, actor_id=engineer, disposition=Disposition.MODEL_ERROR)
    assert disposition(judged, tmp_path / "closed.zip") == "model_error"
    with judged.begin() as session:
        session.get_one(Prediction, prediction.id).certainty = 0.3
        refresh_flags(session, case_id)
    assert queue.find(judged, case_id, by=OPERATOR).is_open
    assert disposition(judged, tmp_path / "again.zip") is None


def test_how_a_case_was_closed_stands_when_nothing_flags_it_any_more(judged, tmp_path):
    with judged.begin() as session:
        engineer = builders.account(session, Role.ENGINEER).id
        case_id = session.query(Prediction).order_by(Prediction.id).first().case_id
        refresh_flags(session, case_id)
    queue.close(judged, case_id, actor_id=engineer, disposition=Disposition.READER_ERROR)
    with judged.begin() as session:
        session.query(TriageFlag).delete()
    assert disposition(judged, tmp_path / "e.zip") == "reader_error"


def disposition(ws: Workspace, path: Path) -> str | None:
    with exported(ws, path) as archive:
        (case,) = lines(archive, "cases")
    return case["disposition"]


def test_the_three_formats_hold_the_same_rows(judged, tmp_path):
    with exported(judged, tmp_path / "e.zip") as archive:
        for name, columns in TABLES.items():
            names = [column.name for column in columns]
            rows = lines(archive, name)
            table = pq.read_table(io.BytesIO(archive.read(f"{name}.parquet")))
            read = list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode())))
            assert table.column_names == names
            assert all(list(row) == names for row in rows)
            assert table.num_rows == len(read) == len(rows) > 0


def test_formulas_are_defused_in_csv_only(judged, tmp_path):
    with exported(judged, tmp_path / "e.zip") as archive:
        read = list(csv.DictReader(io.StringIO(archive.read("verdicts.csv").decode())))
        assert read[0]["comment"] == '\'=HYPERLINK("x")'
        assert lines(archive, "verdicts")[0]["comment"] == '=HYPERLINK("x")'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "  =1", "\r=1"])
def test_every_formula_start_is_defused(text):
    assert defused(text) == "'" + text


def test_the_manifest_counts_and_hashes_every_file(judged, tmp_path):
    with exported(judged, tmp_path / "e.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        names = set(archive.namelist()) - {"manifest.json", "README.md"}
        assert set(manifest["files"]) == names
        for name, entry in manifest["files"].items():
            assert len(archive.read(name)) == entry["n_bytes"]
    with judged.read() as session:
        assert manifest["heads"]["verdicts"]["row_sha256"] == chain.head(session)[1]
    counts = manifest["counts"]
    assert counts["rows"] == {"verdicts": 2, "cases": 1, "predictions": 1, "explanations": 1}
    assert (counts["verdicts_in_database"], counts["verdicts_outside_filter"]) == (2, 0)
    assert manifest["software"]["second-look"]


def test_images_and_maps_are_the_stored_bytes(judged, tmp_path):
    with exported(judged, tmp_path / "e.zip") as archive:
        (case,) = lines(archive, "cases")
        assert archive.read(case["image_file"]) == b"png0"
        assert archive.read(lines(archive, "explanations")[0]["map_file"])


@pytest.mark.parametrize(
    ("chosen", "n_predictions", "n_verdicts"),
    [
        (ExportFilter(unjudged=True), 2, 2),
        (ExportFilter(opinions=(Opinion.REJECT,)), 1, 2),
        (ExportFilter(opinions=(Opinion.ACCEPT,)), 0, 0),
        (ExportFilter(model_ids=(99,)), 0, 0),
        (ExportFilter(since=now() - timedelta(hours=1)), 1, 2),
        (ExportFilter(until=now() - timedelta(hours=1)), 0, 0),
    ],
)
def test_filters_choose_predictions_with_all_their_verdicts(
    judged, tmp_path, chosen, n_predictions, n_verdicts
):
    counts = dataset.preview(judged, chosen, by=OPERATOR)
    assert (counts.n_predictions, counts.n_verdicts) == (n_predictions, n_verdicts)
    with exported(judged, tmp_path / "e.zip", chosen) as archive:
        assert len(lines(archive, "verdicts")) == n_verdicts
        rows = json.loads(archive.read("manifest.json"))["counts"]
    assert rows["verdicts_outside_filter"] == 2 - n_verdicts


def test_a_filter_survives_json(judged):
    chosen = ExportFilter((1, 2), (Opinion.MODIFY,), since=now(), synthetic=False)
    assert ExportFilter.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen


def test_nothing_is_left_when_it_cannot_be_written(judged, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(ExportError, match="nothing was exported"):
        dataset.export(judged, ExportFilter(), blocked / "e.zip", by=OPERATOR)


def test_cancelling_leaves_no_file(judged, tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dataset.export(
            judged, ExportFilter(), tmp_path / "out" / "e.zip", progress=stop, by=OPERATOR
        )
    assert list((tmp_path / "out").iterdir()) == []


def test_the_received_file_s_hash_leaves_the_house_only_keyed(judged, tmp_path):
    with judged.read() as session:
        (source, *_) = session.scalars(select(Case.source_sha256).order_by(Case.id))
    with exported(judged, tmp_path / "e.zip") as archive:
        (case,) = lines(archive, "cases")
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert case["source_key"] == source_key(source, judged.settings.identity_key)
    assert case["source_key"] != source_key(source, b"k" * 32)
    assert source.encode() not in everything


def test_a_code_that_an_earlier_version_let_in_does_not_leave_the_house(judged, tmp_path):
    with judged.begin() as session:
        session.execute(update(Case).values(modality="DOE JANE", view_position="SMITH 19480312"))
    with exported(judged, tmp_path / "e.zip") as archive:
        (case,) = lines(archive, "cases")
    assert (case["modality"], case["view_position"]) == (None, None)


def test_what_may_be_burnt_in_and_what_was_left_behind_go_with_the_case(judged, tmp_path):
    facts = {"laterality": "L", "burnt_in_text": {"suspected": True}, "deidentification": {"n": 1}}
    with judged.begin() as session:
        session.execute(update(Case).values(acquisition=facts))
    with exported(judged, tmp_path / "e.zip") as archive:
        (case,) = lines(archive, "cases")
    assert {key: case[key] for key in facts} == facts


def test_what_of_a_case_is_damaged_is_said_and_nothing_is_left(judged, tmp_path):
    with judged.read() as session:
        case = session.scalars(select(Case).order_by(Case.id)).first()
    judged.artifacts.path(case.image_sha256).write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match=f"images/case_{case.id:06d}.png cannot be exported"):
        exported(judged, tmp_path / "e.zip")
    assert not (tmp_path / "e.zip").exists()
