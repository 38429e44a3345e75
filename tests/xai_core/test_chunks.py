import pytest
import torch

from xai_core.chunks import chunks, in_parts
from xai_core.errors import MemoryExhaustedError


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
