import io

import pytest

from review.cli import output
from review.cli.output import ProgressLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(output, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("seconds", "n_done", "shown"),
    [
        (1, 1, "1%  Occlusion"),
        (10, 20, "20%  Occlusion, about 40 s left"),
        (60, 20, "20%  Occlusion, about 4 min left"),
        (60, 100, "100%  Occlusion"),
    ],
)
def test_a_terminal_is_told_how_far_and_how_long(monkeypatch, clock, seconds, n_done, shown):
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    line = ProgressLine()
    clock.now = seconds
    line(n_done, 100, "Occlusion")
    assert terminal.getvalue().strip() == shown


def test_a_file_is_told_nothing(monkeypatch):
    monkeypatch.setattr("sys.stderr", file := io.StringIO())
    ProgressLine()(1, 2, "Occlusion")
    assert file.getvalue() == ""


def test_a_name_tells_the_terminal_nothing(capsys):
    output.say("\x1b]0;owned\x07\x1b[2Jscan\u202egnp.exe\x9b1m\udcff.png")
    assert capsys.readouterr().out == (
        "\\x1b]0;owned\\x07\\x1b[2Jscan\\u202egnp.exe\\x9b1m\\udcff.png\n"
    )


def test_letters_of_every_script_are_printed_as_they_are(capsys):
    output.say("Röntgen 胸部 صدر\n  second line")
    assert capsys.readouterr().out == "Röntgen 胸部 صدر\n  second line\n"
