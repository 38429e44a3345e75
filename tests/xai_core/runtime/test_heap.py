"""What becomes of memory that is freed, in a process of its own: holes in a heap outlast tests."""

import subprocess
import sys

import pytest

SETUP = """
import resource
from pathlib import Path
import torch
from xai_core.runtime import heap

N_VALUES = 16 * 2**20
PAGES = 4 * N_VALUES // resource.getpagesize()

def pages_cleared():
    counts = []
    for _ in range(30):  # glibc 2.36 may take another place for a block a few times
        torch.zeros(N_VALUES)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    return counts[-1] - counts[-2]

def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])
"""

CLEARED_OUTSIDE_ONLY = """
assert pages_cleared() > 0.9 * PAGES
with heap.kept():
    with heap.kept():
        assert pages_cleared() < 0.1 * PAGES
    assert pages_cleared() < 0.1 * PAGES
"""

GIVEN_BACK = """
with heap.kept():
    pages_cleared()
    within = resident_pages()
assert within - resident_pages() > 0.9 * PAGES
"""


@pytest.mark.parametrize("script", [CLEARED_OUTSIDE_ONLY, GIVEN_BACK], ids=["cleared", "given"])
def test_memory_is_kept_inside_and_given_back_at_the_end(script):
    done = subprocess.run(
        [sys.executable, "-c", SETUP + script], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
