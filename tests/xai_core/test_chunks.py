import pytest
import torch

from xai_core.chunks import in_chunks
from xai_core.errors import MemoryExhaustedError


def spans(total, size, work):
    return list(in_chunks(total, size, work))


def test_chunks_cover_the_range_once():
    assert spans(7, 3, lambda start, stop: (start, stop)) == [(0, 3), (3, 6), (6, 7)]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_a_chunk_that_does_not_fit_is_halved(error):
    def work(start, stop):
        if stop - start > 2:
            raise error
        return start, stop

    assert spans(5, 5, work) == [(0, 2), (2, 4), (4, 5)]


def test_says_when_nothing_fits():
    def work(start, stop):
        raise torch.OutOfMemoryError

    with pytest.raises(MemoryExhaustedError):
        spans(5, 4, work)


def test_other_errors_pass():
    def work(start, stop):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        spans(5, 4, work)
