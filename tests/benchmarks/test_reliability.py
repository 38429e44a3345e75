"""The drills in their smallest form, and that they see what they are to see."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.reliability import readers, report
from benchmarks.reliability.command import DRILLS
from benchmarks.reliability.ledger import Ledger, compare
from benchmarks.reliability.mutations import mutated, sources
from benchmarks.reliability.room import KINDS, QUICK, Room
from tests import builders

SMALLEST = replace(
    QUICK, n_cases=3, n_writers=2, n_verdicts=20, n_browsers=0, kill_seconds=(0.1, 0.4)
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_acknowledged_to_killed_writers_is_on_record_once(
    tmp_path, postgresql_server, kind
):
    row = readers.drill(Room(SMALLEST, tmp_path, postgresql_server), kind)
    assert (row["acknowledged"], row["lost"], row["altered"], row["doubled"]) == (20, 0, 0, 0)
    assert row["verify"] == "clean"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


@pytest.fixture
def sign(workspace, ledger):
    """Sign, and enter into the ledger what was to be signed."""
    with workspace.begin() as session:
        prediction = builders.prediction(session, builders.case(session), builders.model(session))
        reader = builders.account(session)

    def record(comment: str, **meant: object) -> None:
        with workspace.begin() as session:
            verdict = builders.verdict(session, prediction, reader, comment=comment)
        ledger.send({"comment": comment, "reader_id": reader.id, "opinion": "accept"} | meant)
        ledger.acknowledge(comment, verdict.id)

    return record


def found(workspace, ledger: Ledger) -> tuple[int, int, int]:
    row = compare(workspace, [ledger.path])
    return row["lost"], row["altered"], row["doubled"]


def test_a_record_that_is_as_it_was_acknowledged_is_well(workspace, ledger, sign):
    sign("one")
    assert found(workspace, ledger) == (0, 0, 0)


def test_an_acknowledged_verdict_that_is_not_on_record_is_lost(workspace, ledger):
    ledger.send({"comment": "one"})
    ledger.acknowledge("one", 1)
    assert found(workspace, ledger) == (1, 0, 0)


def test_a_verdict_that_says_what_was_not_meant_is_altered(workspace, ledger, sign):
    sign("one", opinion="reject")
    assert found(workspace, ledger) == (0, 1, 0)


def test_an_act_that_signed_twice_is_doubled(workspace, ledger, sign):
    sign("one")
    sign("one")
    assert found(workspace, ledger)[2] == 1


def test_a_ledger_goes_on_where_its_writer_was_killed(ledger):
    ledger.send({"comment": "one"})
    with ledger.path.open("ab") as file:
        file.write(b'{"acknowledged": "on')
    again = Ledger(ledger.path)
    assert again.pending == {"comment": "one"}
    again.acknowledge("one", 7)
    assert Ledger(ledger.path).acknowledged == {"one": 7}


def test_mutated_files_are_the_same_in_every_run_and_of_every_kind():
    assert mutated(17) == mutated(17)
    assert {data[:4] for _, data in sources()} >= {b"\x89PNG", b"II*\0", b"PK\x03\x04", b"RIFF"}


def test_each_drill_has_its_place_in_the_document():
    page = report.PAGE.read_text()
    for name in DRILLS:
        assert hasattr(importlib.import_module(f"benchmarks.reliability.{name}"), "rows")
        assert f"<!-- {name}: begin -->" in page


def test_rows_are_written_between_their_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- disks: begin -->\nold\n<!-- disks: end -->\nafter\n")
    report.write("disks", [{"lost": 0, "p99, s": 0.25}, {"lost": 1_000, "p99, s": 2.5}], page=page)
    text = page.read_text()
    assert "| lost | p99, s |\n|---|---|\n| 0 | 0.25 |\n| 1,000 | 2.5 |" in text
    assert "old" not in text
    assert text.endswith("after\n")
