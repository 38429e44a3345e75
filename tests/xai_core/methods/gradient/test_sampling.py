import itertools

import torch
from torch.testing import assert_close

from xai_core.methods.gradient.sampling import Draws, Moments
from xai_core.runtime.chunks import Chunk


def test_moments_are_those_of_all_maps_together():
    maps = torch.randn(11, 2, 3) + 5
    moments = Moments()
    for part in maps.split([1, 4, 6]):
        moments.add(part)
    assert_close(moments.mean, maps.mean(0))
    assert_close(moments.variance, maps.var(0, correction=0))
    assert_close(moments.standard_error, maps.std(0) / 11**0.5)


def test_draws_asked_for_again_in_pieces_are_the_same():
    numbers = itertools.count()
    draws = Draws(lambda: next(numbers))
    assert draws.at(Chunk(0, 2)) == [0, 1]
    assert draws.at(Chunk(2, 6)) == [2, 3, 4, 5]
    assert draws.at(Chunk(2, 4)) == [2, 3]
    assert draws.at(Chunk(4, 6)) == [4, 5]
    assert draws.at(Chunk(6, 7)) == [6]
