"""The audit in a spreadsheet and on a terminal: text there does nothing."""

import csv
import io
from datetime import UTC, datetime

import pytest

from review.audit import sheet
from review.audit.telling import AuditLine

AT = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)


def line(**fields: object) -> AuditLine:
    given = {
        "at": AT,
        "who": "Ada",
        "account": "ada",
        "what": "Case opened",
        "case_id": 17,
        "details": "",
        "address": "10.0.0.7",
        "session": "abcdef",
        "refused": False,
    }
    return AuditLine(**(given | fields))


def test_every_cell_is_quoted_and_comes_back():
    text = "".join(sheet.rows([line(details='map 3, "Occlusion"')]))
    assert text.splitlines()[0].startswith('"time (UTC)","who","account"')
    header, row = csv.reader(io.StringIO(text))
    assert len(header) == len(row)
    assert row == [
        *("2026-03-01 12:30:15", "Ada", "ada", "Case opened", "17"),
        *('map 3, "Occlusion"', "10.0.0.7", "abcdef"),
    ]
    assert text.splitlines()[1].count('","') == len(row) - 1


@pytest.mark.parametrize(
    "name",
    [
        '=HYPERLINK("http://evil.example";"x")',
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(1)",
        "  =1+1",
        "\t=1+1",
        "\r=1+1",
        "＝1+1",
        "|calc",
    ],
)
def test_a_formula_is_text(name):
    row = next(csv.reader(io.StringIO("".join(sheet.rows([line(who=name)])).split("\r\n", 1)[1])))
    assert row[1].startswith("'")
    assert sheet.harmless(name) == row[1]


@pytest.mark.parametrize(
    "name", ["\x1b[2J\x1b]0;owned\x07", "a\nb", "a\u202eb", "a\u2028b", "\x9b31m"]
)
def test_a_terminal_obeys_nothing(name):
    shown = "".join(sheet.words(line(who=name)))
    assert shown.isprintable()


def test_ordinary_names_stay_as_they_are():
    assert sheet.harmless("Jörg O'Neill-Sánchez (2)") == "Jörg O'Neill-Sánchez (2)"
