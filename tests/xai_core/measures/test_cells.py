import numpy as np
import pytest
import torch

from tests.small_nets import Linear
from xai_core.errors import Cancelled
from xai_core.measures.cells import MOST_CELLS, Cells, first_of
from xai_core.runtime.run import Run
from xai_core.scoring import target_score


def cells(height, width, *, baseline=0.0):
    image = torch.arange(1.0, 1 + height * width).view(1, 1, height, width)
    score = target_score(Linear(torch.ones(height, width)).eval(), image, 1)
    return Cells(score, image, torch.full_like(image, baseline))


def test_cells_that_are_kept_show_the_image_and_the_others_the_baseline():
    four = Cells(*_four_cells())
    keep = np.array([[[True, False], [False, False]], [[False, True], [True, True]]])
    assert four.side == 2
    np.testing.assert_allclose(four.scores(keep), [1 + 3 * 100, 2 + 3 + 4 + 100])


def _four_cells():
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    score = target_score(Linear(torch.ones(2, 2)).eval(), image, 1)
    return score, image, torch.full_like(image, 100.0)


def test_sides_that_cells_do_not_divide_are_cut_as_maps_are():
    wide = cells(20, 33)
    assert wide.side == MOST_CELLS
    keep = np.zeros((1, 16, 16), bool)
    keep[0, 3, 5] = True
    rows, columns = slice(20 * 3 // 16, 20 * 4 // 16), slice(33 * 5 // 16, 33 * 6 // 16)
    expected = float(wide.image[0, 0, rows, columns].sum())
    assert wide.scores(keep)[0] == pytest.approx(expected)


def test_chunks_change_nothing_and_are_reported():
    keep = np.random.default_rng(0).random((7, 4, 4)) < 0.5
    reports = []
    run = Run(chunk_size=3, progress=lambda *done: reports.append(done))
    in_chunks = cells(4, 4).scores(keep, run)
    np.testing.assert_allclose(in_chunks, cells(4, 4).scores(keep))
    assert reports == [(3, 7), (6, 7), (7, 7)]
    with pytest.raises(Cancelled):
        cells(4, 4).scores(keep, Run(cancelled=lambda: True))


def test_the_first_of_an_order_are_masked_row_by_row():
    order = np.array([2, 0, 3, 1])
    expected = [[[False, False], [True, False]], [[True, False], [True, True]]]
    np.testing.assert_array_equal(first_of(order, [1, 3], 2), expected)
