import pytest
from sqlalchemy import select

from db.errors import ArtifactError
from db.tables import AuditEvent, Case, Explanation
from db.types import AuditKind, Origin
from review.cases import intake, reading
from review.maps import again, recorded
from review.models import registry
from review.processes import worker
from review.verdicts.verify import verify
from tests import tiny_models
from tests.builders import OPERATOR
from tests.pictures import png


@pytest.fixture
def damaged(workspace, tmp_path) -> Explanation:
    """A recorded map whose file is damaged."""
    registry.import_checked(workspace, tiny_models.write_card(tmp_path, "tiny"), by=OPERATOR)
    list(intake.receive(workspace, [("a", png())], by=OPERATOR, origin=Origin.UPLOAD))
    work(workspace)
    with workspace.read() as session:
        row = session.scalars(select(Explanation)).first()
    workspace.artifacts.path(row.artifact_sha256).write_bytes(b"damaged")
    return row


def work(ws) -> None:
    worker.run_once(ws, "cpu", stopped=lambda: False)


def jobs_of_maps(ws):
    with ws.read() as session:
        case_id = session.scalars(select(Case.id)).one()
    return reading.open_case(ws, case_id, reader_id=OPERATOR).jobs


def test_a_damaged_map_is_made_again_when_that_is_asked_for_and_recorded(workspace, damaged):
    assert again.request(workspace, damaged.id, by=OPERATOR)
    assert [job is not None for job in jobs_of_maps(workspace)] == [True, False]
    work(workspace)
    assert workspace.artifacts.is_whole(damaged.artifact_sha256)
    assert jobs_of_maps(workspace) == (None, None)
    with workspace.read() as session:
        of_kind = AuditEvent.kind == AuditKind.FILE_REPLACED
        (event,) = session.scalars(select(AuditEvent).where(of_kind))
    assert event.subject_id == damaged.artifact_sha256
    assert event.content["state"]["what"] == f"map {damaged.id}"
    assert verify(workspace, by=OPERATOR).problems == ()


def test_a_map_is_made_again_as_often_as_it_is_damaged(workspace, damaged):
    for _ in range(2):
        workspace.artifacts.path(damaged.artifact_sha256).unlink(missing_ok=True)
        again.request(workspace, damaged.id, by=OPERATOR)
        work(workspace)
        assert workspace.artifacts.is_whole(damaged.artifact_sha256)


def test_a_map_that_is_whole_is_not_made_again(workspace, damaged):
    with workspace.read() as session:
        whole = session.scalars(select(Explanation.id).where(Explanation.id != damaged.id)).one()
    assert again.request(workspace, whole, by=OPERATOR) is None


def test_other_values_become_a_map_of_their_own_and_change_no_record(
    workspace, damaged, monkeypatch
):
    npy = recorded.npy
    monkeypatch.setattr(recorded, "npy", lambda values: npy(values + 1))
    again.request(workspace, damaged.id, by=OPERATOR)
    work(workspace)
    with pytest.raises(ArtifactError):
        workspace.artifacts.read(damaged.artifact_sha256)
    with workspace.read() as session:
        same = Explanation.method == damaged.method
        old, new = session.scalars(select(Explanation).where(same).order_by(Explanation.id))
    assert old.artifact_sha256 == damaged.artifact_sha256
    assert workspace.artifacts.is_whole(new.artifact_sha256)
