import pytest
import torch
from scipy.ndimage import label

from xai_core.errors import InputError
from xai_core.superpixels import (
    as_segments,
    describe_segments,
    grid_segments,
    numbered,
    superpixels,
)


def halves(channels):
    """A dark half beside a bright one, the edge at column 19 of 32, with a little texture."""
    image = torch.full((channels, 24, 32), 0.2)
    image[:, :, 19:] = 0.8
    return image + 0.02 * torch.rand(image.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_regions_keep_to_the_edge_are_connected_and_numbered(channels):
    image = halves(channels)
    segments = superpixels(image, n_segments=12)
    assert segments.dtype == torch.int64
    assert segments.shape == (24, 32)
    n_segments = len(segments.unique())
    assert torch.equal(segments.unique(), torch.arange(n_segments))
    assert 6 <= n_segments <= 18
    assert not set(segments[:, :19].unique().tolist()) & set(segments[:, 19:].unique().tolist())
    for number in range(n_segments):
        assert label((segments == number).numpy())[1] == 1
    assert torch.equal(segments, superpixels(image.clone(), n_segments=12))


def test_colours_of_equal_lightness_are_told_apart():
    image = torch.zeros(3, 16, 32)
    image[0, :, :13] = 0.6
    image[1, :, 13:] = 0.35
    segments = superpixels(image, n_segments=4)
    assert not set(segments[:, :13].unique().tolist()) & set(segments[:, 13:].unique().tolist())


def test_compactness_makes_regions_square():
    image = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))

    def in_grid(compactness):
        segments = superpixels(image, n_segments=16, compactness=compactness)
        return float((segments == grid_segments(32, 32, cell=8)).float().mean())

    assert in_grid(1e6) > 0.75
    assert in_grid(1e-3) < 0.5


def test_a_flat_image_is_divided_too():
    assert len(superpixels(torch.zeros(1, 32, 32), n_segments=16).unique()) == 16


def test_a_grid_counts_row_by_row_and_is_cut_at_the_edge():
    expected = [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]
    assert grid_segments(3, 5, cell=2).tolist() == expected
    assert grid_segments(2, 2, cell=9).tolist() == [[0, 0], [0, 0]]


def test_labels_are_numbered_in_their_own_order():
    assert numbered(torch.tensor([[7, -2], [40, 7]])).tolist() == [[1, 0], [2, 1]]


def test_segments_are_accepted_in_any_integer_type():
    image = torch.zeros(1, 3, 2, 2)
    for dtype in (torch.uint8, torch.int32, torch.int64):
        checked = as_segments(torch.tensor([[0, 1], [1, 2]], dtype=dtype), image)
        assert checked.dtype == torch.int64


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([[0]], "is a list"),
        (torch.zeros(3, 2, dtype=torch.int64), r"shape \(3, 2\); allowed here: \(2, 2\)"),
        (torch.zeros(2, 2), "is torch.float32; allowed: integers"),
        (torch.zeros(2, 2, dtype=torch.bool), "is torch.bool"),
        (torch.tensor([[0, 0], [2, 2]]), "2 labels from 0 to 2"),
        (torch.tensor([[-1, 0], [0, 0]]), "2 labels from -1 to 0"),
    ],
)
def test_other_segments_are_refused(segments, message):
    with pytest.raises(InputError, match=message):
        as_segments(segments, torch.zeros(1, 3, 2, 2))


def test_the_record_tells_divisions_apart():
    first, second = grid_segments(4, 4, cell=2), grid_segments(4, 4, cell=2).T.contiguous()
    assert describe_segments(first)["n_segments"] == 4
    assert describe_segments(first) == describe_segments(first.clone())
    assert describe_segments(first) != describe_segments(second)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: superpixels(torch.zeros(1, 1, 4, 4)), r"allowed: \(C, H, W\)"),
        (lambda: superpixels(torch.full((1, 4, 4), 2.0)), "runs from 2 to 2"),
        (lambda: superpixels(torch.full((1, 4, 4), torch.nan)), "runs from nan"),
        (lambda: superpixels(torch.zeros(1, 4, 4), n_segments=0), "n_segments is 0"),
        (lambda: superpixels(torch.zeros(1, 4, 4), compactness=0), "compactness is 0"),
        (lambda: grid_segments(4, 4, cell=0), "cell is 0"),
        (lambda: grid_segments(4, 2.5, cell=1), "width is 2.5"),
    ],
)
def test_unusable_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
