"""What is read of the files that come with pydicom, beside DCMTK; it must be installed."""

from pathlib import Path

import pytest

from docs import beside_dcmtk
from docs.beside_dcmtk import Row

PAGE = Path(beside_dcmtk.__file__).with_name("beside-dcmtk.md")
# Every refusal, judged by a person against the file.
REFUSED = {
    "badVR.dcm": "a radiotherapy dose",
    "liver_1frame.dcm": "a segmentation",
    "liver_expb_1frame.dcm": "a segmentation",
    "JPEG2000-embedded-sequence-delimiter.dcm": "cannot be decoded",  # its SIZ segment is broken
    "MR_truncated.dcm": "truncated",
    "meta_missing_tsyntax.dcm": "lacks Rows",
    "nested_priv_SQ.dcm": "lacks Rows",
} | {
    f"rtdose{kind}.dcm": "a radiotherapy dose"
    for kind in ("", "_1frame", "_expb", "_expb_1frame", "_rle", "_rle_1frame")
}


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(beside_dcmtk.rows())


def test_no_file_is_read_otherwise(rows):
    assert not [row for row in rows if row.outcome == "wrong"]
    assert sum(row.outcome == "right" for row in rows) >= 90


def test_each_refusal_is_one_of_those_that_were_judged(rows):
    refused = {row.name.split("/")[-1]: row.ours for row in rows if row.outcome == "refused"}
    assert refused.keys() == REFUSED.keys()
    assert all(REFUSED[name] in words for name, words in refused.items())


def test_the_page_shows_what_is_so(rows):
    assert "".join(map(beside_dcmtk.line, rows)) in PAGE.read_text(encoding="utf-8")
