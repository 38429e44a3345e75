"""Studies, their series and frames in order, and what the worklist tells of them."""

import pytest

from db.tables import Case
from db.types import CaseStatus, Origin
from review.cases import intake, reading, studies, worklist
from review.cases.studies import Standing
from review.cases.worklist import WorklistQuery
from review.errors import HeldError
from review.workspace import Workspace
from tests import series
from tests.builders import OPERATOR


@pytest.fixture
def mammography(workspace: Workspace) -> Workspace:
    """Four views in two series, the later one of the left first, and a case of another study."""
    views = [
        series.view("1.2.20", "L", "MLO", 2),
        series.view("1.2.21", "R", "CC", 3),
        series.view("1.2.22", "L", "CC", 1),
        series.view("1.2.23", "R", "MLO", 4),
        series.view("1.2.24", "L", "CC", 1, StudyInstanceUID="1.2.99", SeriesInstanceUID="1.2.98"),
    ]
    files = [("a.dcm", series.written(ds)) for ds in views]
    list(intake.receive(workspace, files, by=OPERATOR, origin=Origin.UPLOAD))
    return workspace


def listed(ws: Workspace, **fields) -> dict[int, Standing]:
    rows = worklist.search(ws, WorklistQuery(**fields), by=OPERATOR).rows
    return {row.case_id: row.standing for row in rows}


def test_a_study_gives_its_series_and_cases_in_order(mammography):
    found = studies.study(mammography, 4, by=OPERATOR)
    order = [[case.case_id for case in one.cases] for one in found.series]
    assert order == [[3, 1], [2, 4]]
    (first, *_) = found.series[0].cases
    assert (first.modality, first.laterality, first.view_position) == ("MG", "L", "CC")
    assert found.acquired_on is not None


def test_the_worklist_says_which_of_its_study_a_case_is_and_lists_the_others(mammography):
    places = {case_id: (s.number, s.n_cases) for case_id, s in listed(mammography).items()}
    assert places == {1: (2, 4), 2: (3, 4), 3: (1, 4), 4: (4, 4), 5: (1, 1)}
    assert set(listed(mammography, study=2)) == {1, 2, 3, 4}
    assert set(listed(mammography, study=5)) == {5}


def test_a_case_that_is_held_back_is_not_counted(mammography):
    with mammography.begin() as session:
        session.get_one(Case, 3).status = CaseStatus.HELD
    assert listed(mammography, study=1)[1] == Standing(1, 3)
    with pytest.raises(HeldError):
        studies.study(mammography, 3, by=OPERATOR)


def test_frames_are_given_in_order_with_the_one_that_is_shown(workspace):
    files = [("a", series.written(series.one_slice(n))) for n in (2, 0, 1)]
    list(intake.receive(workspace, files, by=OPERATOR, origin=Origin.UPLOAD))
    found = studies.study(workspace, 1, by=OPERATOR)
    frames = found.series[0].cases[0].frames
    assert [frame.position_mm for frame in frames] == [0, 5, 10]
    assert [frame.is_key for frame in frames] == [False, True, False]
    assert all(workspace.artifacts.exists(str(frame.image_sha256)) for frame in frames)
    levels = [frame.drawn["window_low"] for frame in frames]
    assert levels[2] - levels[1] == levels[1] - levels[0] == 1
    case = reading.open_case(workspace, 1, reader_id=OPERATOR)
    assert case.standing == Standing(1, 1, 3, 2)


def test_a_picture_without_study_is_by_itself(workspace):
    from tests.pictures import png

    list(intake.receive(workspace, [("a.png", png())], by=OPERATOR, origin=Origin.UPLOAD))
    found = studies.study(workspace, 1, by=OPERATOR)
    assert [case.case_id for one in found.series for case in one.cases] == [1]
