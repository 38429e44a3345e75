import pytest
import torch

from xai_core.errors import InputError
from xai_core.runtime import device
from xai_core.runtime.run import UNWATCHED, Run

CPU = torch.device("cpu")


def refuse_to_measure():
    raise AssertionError("the caller chose")


@pytest.fixture
def reports():
    return []


@pytest.fixture
def run(reports):
    return Run(progress=lambda *done: reports.append(done))


@pytest.mark.parametrize("size", [0, -3])
def test_a_chunk_holds_one_pass_or_more(size):
    with pytest.raises(InputError, match=f"chunk_size is {size}; allowed: 1 or more"):
        Run(chunk_size=size)


def test_the_caller_chooses_how_much_is_done_at_once():
    assert Run(chunk_size=7).at_once(100, CPU, refuse_to_measure) == 7


def test_else_it_is_what_the_free_memory_holds(monkeypatch):
    monkeypatch.setattr(device, "free_bytes", lambda _: 4 * 1000)
    assert UNWATCHED.at_once(100, CPU, lambda: 100) == 10
    assert UNWATCHED.at_once(3, CPU, lambda: 100) == 3


def test_parts_report_as_one_whole(run, reports):
    for number in range(2):
        run.part(number, 2).progress(1, 4)
        run.part(number, 2).progress(4, 4)
    assert reports == [(1, 8), (4, 8), (5, 8), (8, 8)]


def test_what_follows_is_counted_on(run, reports):
    run.after(3, 10).progress(2, 5)
    assert reports == [(5, 10)]


def test_what_is_done_again_is_no_progress(run, reports):
    rising = run.rising()
    for done in (1, 3, 1, 2, 3, 4):
        rising.progress(done, 4)
    assert reports == [(1, 4), (3, 4), (4, 4)]


def test_where_nobody_watches_nothing_is_wrapped():
    assert UNWATCHED.part(1, 2) is UNWATCHED
    assert UNWATCHED.rising() is UNWATCHED
