import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_core.incremental.span import Kernel, Span


def span(starts, size, length):
    return Span(np.array(starts), size, length)


@given(
    kernel=st.builds(
        Kernel, st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(1, 2)
    ),
    length=st.integers(10, 20),
    start=st.integers(0, 9),
    size=st.integers(1, 10),
)
def test_reached_outputs_are_those_that_read_an_input(kernel, length, start, size):
    size = min(size, length - start)
    n_outputs = (length + 2 * kernel.padding - kernel.extent) // kernel.stride + 1
    changed = set(range(start, start + size))
    reached = [
        o
        for o in range(n_outputs)
        if changed
        & {o * kernel.stride - kernel.padding + t * kernel.dilation for t in range(kernel.size)}
    ]
    found = span([start], size, length).reached(kernel, n_outputs)
    if reached:
        assert found.starts[0] <= reached[0]
        assert reached[-1] < found.ends[0]
        slack = (kernel.dilation - 1) * (kernel.size - 1)  # gaps between taps are not looked into
        assert found.size <= reached[-1] - reached[0] + 1 + 2 * slack
    assert found.starts[0] >= 0
    assert found.ends[0] <= n_outputs


def test_outputs_read_their_kernels():
    kernel = Kernel(size=3, stride=2, padding=1)
    read = span([0, 2], 2, 8).read_by(kernel, 16)
    np.testing.assert_array_equal(read.starts, [-1, 3])
    assert read.size == 5


def test_intervals_are_moved_onto_the_map_and_no_wider_than_need_be():
    found = Span.within(np.array([-3, -1, 1]), np.array([3, 5, 7]), 6)
    np.testing.assert_array_equal(found.starts, [0, 0, 1])
    assert found.size == 5


def test_union_holds_both():
    both = span([0, 4], 3, 20).union(span([2, 3], 3, 20))
    np.testing.assert_array_equal(both.starts, [0, 3])
    assert both.size == 5


@pytest.mark.parametrize(
    ("starts", "step"), [([4], 0), ([0, 0, 0], 0), ([1, 4, 7], 3), ([1, 4, 8], None)]
)
def test_step(starts, step):
    assert span(starts, 2, 20).step == step


def test_offset_is_known_where_it_is_the_same_for_all():
    assert span([0, 5], 9, 20).offset(span([2, 7], 3, 20)) == 2
    assert span([0, 5], 9, 20).offset(span([2, 8], 3, 20)) is None
