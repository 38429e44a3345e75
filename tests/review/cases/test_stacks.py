"""What is a case: an image by itself, a stack of slices, the frames of one file."""

import numpy as np
import pytest
from sqlalchemy import select

from db.tables import Case, Job, Source
from db.types import CaseStatus, Origin, Role
from imaging.encode import from_png
from review.burnt_in import desk, noticing
from review.burnt_in.noticing import Choice
from review.cases import intake
from review.cases.intake import FileOutcome
from review.workspace import Workspace
from tests import builders, series
from tests.builders import OPERATOR


def receive(ws: Workspace, *sets) -> list[FileOutcome]:
    files = [(f"{n}.dcm", series.written(ds)) for n, ds in enumerate(sets)]
    return list(intake.receive(ws, files, by=OPERATOR, origin=Origin.UPLOAD))


def case_of(ws: Workspace, outcome: FileOutcome) -> Case:
    assert outcome.case_id, outcome.reason
    with ws.read() as session:
        return session.get_one(Case, outcome.case_id)


def sources(ws: Workspace) -> list[Source]:
    with ws.read() as session:
        return list(session.scalars(select(Source).order_by(Source.id)))


def shown(ws: Workspace, case: Case) -> np.ndarray:
    return from_png(ws.artifacts.read(case.image_sha256))


def jobs(ws: Workspace) -> list[int | None]:
    with ws.read() as session:
        return list(session.scalars(select(Job.case_id)))


def test_slices_of_a_series_are_one_case_that_shows_the_middle_one(workspace):
    with workspace.begin() as session:
        builders.model(session)
    outcomes = receive(workspace, *(series.one_slice(n) for n in (4, 0, 2, 1, 3)))
    assert {(outcome.kind, outcome.case_id) for outcome in outcomes} == {("stored", 1)}
    case = case_of(workspace, outcomes[0])
    assert np.array_equal(shown(workspace, case), series.grey(2))
    assert (case.window_low + case.window_high + 1) / 2 == 1202
    assert jobs(workspace) == [1]
    assert [s.instance_number for s in sources(workspace) if s.is_key] == [2]


def test_every_slice_keeps_its_picture_and_how_it_is_shown(workspace):
    (outcome, *_) = receive(workspace, *(series.one_slice(n) for n in range(3)))
    of_case = {s.instance_number: s for s in sources(workspace)}
    for n in (0, 2):
        pixels = from_png(workspace.artifacts.read(of_case[n].image_sha256))
        assert np.array_equal(pixels, series.grey(n))
        assert (
            of_case[n].shown["window_low"] + of_case[n].shown["window_high"] + 1
        ) / 2 == 1200 + n
    assert (of_case[1].image_sha256, of_case[1].shown) == (None, {})
    assert [of_case[n].position_mm for n in range(3)] == [0, 5, 10]
    assert case_of(workspace, outcome).source_sha256 == of_case[1].source_sha256


def test_a_slice_that_comes_later_joins_and_the_case_shows_what_it_showed(workspace):
    receive(workspace, *(series.one_slice(n) for n in range(3)))
    with workspace.begin() as session:
        builders.prediction(session, session.get_one(Case, 1), builders.model(session))
    (late,) = receive(workspace, series.one_slice(9))
    assert (late.kind, late.case_id) == ("stored", 1)
    assert np.array_equal(shown(workspace, case_of(workspace, late)), series.grey(1))
    assert len(sources(workspace)) == 4


@pytest.mark.parametrize(
    "other",
    [
        {"SeriesInstanceUID": "1.2.1.9"},
        {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        {"Modality": "CR"},
    ],
)
def test_what_lies_not_in_the_stack_is_a_case_by_itself(workspace, other):
    first, second = receive(workspace, series.one_slice(1), series.one_slice(2, **other))
    assert (first.case_id, second.case_id) == (1, 2)


def test_a_file_of_many_frames_is_one_case_that_shows_the_middle_one(workspace):
    (outcome,) = receive(workspace, series.cine(5))
    case = case_of(workspace, outcome)
    assert np.array_equal(shown(workspace, case), series.grey(2))
    kept = {s.frame: s for s in sources(workspace)}
    assert sorted(kept) == list(range(5))
    for n in (0, 1, 3, 4):
        pixels = from_png(workspace.artifacts.read(kept[n].image_sha256))
        assert np.array_equal(pixels, series.grey(n))


def test_the_frame_that_a_file_names_stands_for_all(workspace):
    (outcome,) = receive(workspace, series.cine(5, RepresentativeFrameNumber=5))
    assert np.array_equal(shown(workspace, case_of(workspace, outcome)), series.grey(4))


def test_a_file_whose_frames_were_not_all_stored_is_completed(workspace):
    receive(workspace, series.cine(4))
    with workspace.begin() as session:
        session.delete(session.scalars(select(Source).where(Source.frame == 3)).one())
    (again,) = receive(workspace, series.cine(4))
    assert again.kind == "duplicate"
    assert sorted(s.frame for s in sources(workspace)) == [0, 1, 2, 3]


@pytest.mark.parametrize("ds", [series.one_slice(1), series.cine(3)], ids=["slice", "frames"])
def test_an_instance_in_another_encoding_is_the_same_case(workspace, ds):
    receive(workspace, ds)
    before = len(sources(workspace))
    (again,) = receive(workspace, series.transcoded(ds))
    assert (again.kind, again.case_id) == ("duplicate", 1)
    assert again.reason == "the image of case 1 in another encoding"
    assert len(sources(workspace)) == before


def test_pictures_that_all_bear_one_name_are_cases_of_their_own_and_known_again(workspace):
    views = [series.view("1.2.9", "L", "CC", number) for number in (1, 2, 3)]
    first, *others = receive(workspace, *views)
    assert [other.kind for other in (first, *others)] == ["stored"] * 3
    assert [other.case_id for other in (first, *others)] == [1, 2, 3]
    again = receive(workspace, *map(series.transcoded, views))
    assert [(each.kind, each.case_id) for each in again] == [("duplicate", n) for n in (1, 2, 3)]
    with workspace.read() as session:
        notes = session.get_one(Case, 2).notes
    assert "case 1 has its SOP Instance UID, and other pixels" in notes


def test_a_file_of_many_frames_under_anothers_name_is_refused(workspace):
    receive(workspace, series.cine(3))
    other = series.cine(3)
    other.PixelData = bytes(reversed(other.PixelData))
    (refused,) = receive(workspace, other)
    assert refused.kind == "refused"
    assert "SOP Instance UID of case 1, and other pixels" in refused.reason


def test_an_instance_that_lost_by_compression_leads_to_its_case(workspace):
    receive(workspace, series.view("1.2.9", "L", "CC", 1))
    lossy = series.view("1.2.9", "L", "CC", 2, LossyImageCompression="01")
    (other,) = receive(workspace, lossy)
    assert (other.kind, other.case_id) == ("duplicate", 1)
    assert "compressed otherwise" in other.reason


def test_loss_by_compression_excuses_no_other_picture(workspace):
    receive(workspace, series.view("1.2.9", "L", "CC", 1))
    (other,) = receive(workspace, series.view("1.2.9", "L", "CC", 30, LossyImageCompression="01"))
    assert (other.kind, other.case_id) == ("stored", 2)


def test_a_source_says_where_it_belongs_and_names_nobody(workspace):
    receive(workspace, series.view("1.2.9", "L", "MLO", 3), series.view("1.2.10", "R", "MLO", 4))
    left, right = sources(workspace)
    assert (left.laterality, left.view_position, left.instance_number) == ("L", "MLO", 3)
    assert left.study_key == right.study_key
    assert left.series_key != right.series_key
    assert left.acquired_on == right.acquired_on < "2026-03-01"
    told = repr([vars(row) for row in (left, right)])
    assert "1.2.1" not in told
    assert "2026-03-01" not in told


def test_days_keep_their_distance_for_a_patient_and_move_otherwise_for_another(workspace):
    receive(
        workspace,
        series.view("1.2.9", "L", "CC", 1),
        series.view("1.2.10", "L", "CC", 2, AcquisitionDate="20260311"),
        series.view("1.2.11", "L", "CC", 3, PatientID="P-2"),
    )
    first, later, other = (np.datetime64(s.acquired_on) for s in sources(workspace))
    assert later - first == np.timedelta64(10, "D")
    assert other != first


def test_text_in_any_frame_is_noticed_and_masks_leave_no_other_frame(workspace):
    with workspace.begin() as session:
        admin = builders.account(session, Role.ADMINISTRATOR).id
    noticing.choose(workspace, Choice.QUARANTINE, by=admin)
    yes = series.one_slice(3, BurnedInAnnotation="YES")
    (first, *_) = receive(workspace, series.one_slice(1), series.one_slice(2), yes)
    case = case_of(workspace, first)
    assert case.status is CaseStatus.HELD
    assert np.array_equal(shown(workspace, case), series.grey(2))
    before = [s.image_sha256 for s in sources(workspace) if s.image_sha256]
    assert len(before) == 2
    desk.mask(workspace, 1, case.image_sha256, [[1, 1, 8, 8]], by=admin)
    assert [s.image_sha256 for s in sources(workspace)] == [None] * 3
    assert not any(workspace.artifacts.exists(sha256) for sha256 in before)
    (again,) = receive(workspace, series.one_slice(1))
    assert again.kind == "duplicate"
    assert [s.image_sha256 for s in sources(workspace)] == [None] * 3


def test_a_masked_picture_is_known_again_and_another_of_its_name_is_not_lost(workspace):
    with workspace.begin() as session:
        admin = builders.account(session, Role.ADMINISTRATOR).id
    noticing.choose(workspace, Choice.QUARANTINE, by=admin)
    one, other = (series.view("1.2.9", "L", "CC", n, BurnedInAnnotation="YES") for n in (1, 2))
    (first,) = receive(workspace, one)
    desk.mask(workspace, 1, case_of(workspace, first).image_sha256, [[1, 1, 8, 8]], by=admin)
    outcomes = receive(workspace, series.transcoded(one), other)
    assert [(each.kind, each.case_id) for each in outcomes] == [("duplicate", 1), ("stored", 2)]
