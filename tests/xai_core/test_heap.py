"""What becomes of memory that is freed, counted in pages that the system had to clear."""

import resource
from pathlib import Path

import torch

from xai_core import heap

N_VALUES = 16 * 2**20
PAGES = 4 * N_VALUES // resource.getpagesize()


def pages_cleared():
    """Fill and free a block again and again, and count what the system cleared for the last."""
    counts = []
    for _ in range(30):  # glibc 2.36 may take another place for a block a few times
        torch.zeros(N_VALUES)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    return counts[-1] - counts[-2]


def test_a_block_is_cleared_each_time_outside_only():
    with heap.kept():
        with heap.kept():
            assert pages_cleared() < 0.1 * PAGES
        assert pages_cleared() < 0.1 * PAGES
    assert pages_cleared() > 0.9 * PAGES


def test_memory_is_given_back():
    with heap.kept():
        pages_cleared()
        within = resident_bytes()
    assert within - resident_bytes() > 0.9 * 4 * N_VALUES


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
