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
