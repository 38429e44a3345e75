from db.types import Role
from tests import builders


def test_an_empty_worklist_says_what_to_do(open_page):
    page = open_page("worklist")
    assert not page.exception
    assert "No cases yet" in [heading.value for heading in page.subheader]


def test_cases_are_listed_with_what_was_predicted(open_page, ws):
    with ws.begin() as session:
        case = builders.case(session)
        builders.prediction(session, case, builders.model(session, name="m"))
    page = open_page("worklist")
    assert not page.exception
    (row,) = page.dataframe[0].value.to_dict("records")
    assert (row["Case"], row["Finding"], row["Status"]) == (case.id, "nodule 90% (m)", "To read")


def test_an_address_sets_the_filters(open_page, ws):
    with ws.begin() as session:
        builders.prediction(session, builders.case(session), builders.model(session))
    page = open_page("worklist", Role.READER, text="zebra")
    assert not page.exception
    assert "No case matches" in page.info[0].value


def test_nobody_sees_nothing(open_page, ws):
    with ws.begin() as session:
        builders.case(session)
    page = open_page("worklist", None)
    assert len(page.dataframe) == 0
    assert "Sign in" in page.subheader[0].value
