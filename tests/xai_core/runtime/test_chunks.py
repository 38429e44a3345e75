import pytest
import torch

from xai_core.errors import Cancelled, MemoryExhaustedError
from xai_core.runtime import chunks as module
from xai_core.runtime.chunks import chunks, in_parts, one_image
from xai_core.runtime.run import Run


class Queue:
    """A device that only works on a part once somebody waits for it."""

    def __init__(self, log):
        self.log = log
        self.n_queued = 0

    def end_of(self, result):
        self.n_queued += 1
        return Event(self.log, self.n_queued)


class Event:
    def __init__(self, log, number):
        self.log, self.number = log, number

    def synchronize(self):
        self.log.append(f"waited for {self.number}")


@pytest.fixture
def log(monkeypatch):
    log = []
    monkeypatch.setattr(module, "_end_of", Queue(log).end_of)
    return log


def spans(total, size, work):
    return [result for _, result in in_parts(chunks(total, size), work)]


def test_chunks_cover_the_range_once():
    assert spans(7, 3, lambda chunk: (chunk.start, chunk.stop)) == [(0, 3), (3, 6), (6, 7)]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_a_chunk_that_does_not_fit_is_halved_and_the_next_not_tried(error):
    tried = []

    def work(chunk):
        tried.append(len(chunk))
        if len(chunk) > 2:
            raise error
        return chunk.start, chunk.stop

    assert spans(10, 5, work) == [(0, 2), (2, 3), (3, 5), (5, 7), (7, 8), (8, 10)]
    assert tried == [5, 2, 3, 1, 2, 2, 1, 2]


def test_says_when_nothing_fits():
    def work(chunk):
        raise torch.OutOfMemoryError

    with pytest.raises(MemoryExhaustedError):
        spans(5, 4, work)


def test_other_errors_pass():
    def work(chunk):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        spans(5, 4, work)


def test_one_part_is_queued_while_a_gpu_works_on_another(log):
    parts = in_parts(
        chunks(6, 2),
        lambda chunk: log.append(f"queued {chunk.start // 2 + 1}") or chunk,
        Run(progress=lambda n_done, n_total: log.append(f"{n_done} of {n_total}")),
    )
    assert len(list(parts)) == 3
    first, second = ["queued 1", "queued 2", "waited for 1"], ["2 of 6", "queued 3", "waited for 2"]
    assert log == [*first, *second, "4 of 6", "waited for 3", "6 of 6"]


def test_a_cancel_on_a_gpu_counts_what_is_done(log):
    parts = in_parts(
        chunks(6, 2), lambda chunk: chunk, Run(cancelled=lambda: "waited for 1" in log)
    )
    with pytest.raises(Cancelled, match="after 2 of 6"):
        list(parts)


def test_a_result_on_the_cpu_is_there_at_once():
    assert module._end_of((torch.ones(1), torch.ones(1))) is None
    assert module._end_of(3.0) is None


def test_a_single_image_that_does_not_fit_is_said():
    with pytest.raises(MemoryExhaustedError, match="single image"), one_image():
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(RuntimeError, match="shapes"), one_image():
        raise RuntimeError("shapes do not match")
