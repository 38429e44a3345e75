"""What lies under rectangles of a map, also over its ends."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from xai_core.incremental.padded_map import PaddedMap
from xai_core.incremental.span import Span

HEIGHT, WIDTH = 6, 7
VALUES = torch.arange(2.0 * HEIGHT * WIDTH).view(1, 2, HEIGHT, WIDTH)


def under(padded, rows, columns):
    spans = Span(np.array(rows), 3, HEIGHT), Span(np.array(columns), 2, WIDTH)
    return padded.under(*spans)


@pytest.mark.parametrize("rows", [[0, 2], [0, 1, 3], [2]], ids=["even", "uneven", "one"])
@pytest.mark.parametrize("columns", [[1, 3, 5], [0, 4, 5], [4]], ids=["even", "uneven", "one"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_each_rectangle_is_a_part_of_the_map(rows, columns, layout):
    found = under(PaddedMap(VALUES.contiguous(memory_format=layout), (2, 3)), rows, columns)
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            assert_close(found[i, j], VALUES[0, :, top : top + 3, left : left + 2])


def test_beyond_the_ends_lies_what_was_said():
    padded = PaddedMap(VALUES, (2, 3), outside=-1.0)
    corner = under(padded, [-2], [6])[0, 0]
    assert_close(corner[0], torch.tensor([[-1.0, -1.0], [-1.0, -1.0], [6.0, -1.0]]))
    assert_close(under(padded, [4], [-1])[0, 0, 0, 2], torch.tensor([-1.0, -1.0]))


def test_where_rectangles_lie_evenly_nothing_is_copied():
    padded = PaddedMap(VALUES, (2, 3))
    assert under(padded, [0, 1, 2], [0, 2, 4]).data_ptr() == VALUES.data_ptr()
