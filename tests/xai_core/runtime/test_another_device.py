"""Every method with model and image on a device whose tensors do not mix with the CPU's."""

import pytest
import torch

from tests.every_method import WAYS, picture
from tests.pretended_device import DEVICE, Away, MixedDevicesError, moved, pretended
from tests.small_nets import residual

IMAGE = picture(1)

each_way = pytest.mark.parametrize("way", WAYS, ids=str)
in_chunks = [
    way
    for way in WAYS
    # The adaptive rule decides by what it reads; a smoothed map of many points is a chunk.
    if "chunk_size" in way.options
    and way.options.get("rule") != "adaptive"
    and "of" not in way.options
]


@each_way
def test_a_map_from_another_device_is_the_same_and_comes_back(way):
    expected = way(way.model(), IMAGE)
    with pretended():
        found = way(moved(way.model()), IMAGE)
    assert found.device.startswith(DEVICE.type)
    assert not isinstance(found.values, Away)
    torch.testing.assert_close(found.values, expected.values)


@pytest.mark.parametrize("way", in_chunks, ids=str)
def test_the_host_does_not_wait_for_the_device_between_chunks(way):
    (n_small, reads_small), (n_large, reads_large) = (_counts(way, size) for size in (2, 12))
    assert n_small > n_large
    assert reads_small == reads_large


def _counts(way, chunk_size):
    """Return how many chunks there are, and how often the host reads from the device."""
    reports = []
    with pretended() as device:
        model = moved(way.model())
        way(model, IMAGE, chunk_size=chunk_size, progress=lambda *report: reports.append(report))
    return len(reports), device.n_reads


def test_the_pretended_device_refuses_to_mix():
    with pretended() as device:
        away = torch.ones(2).to(DEVICE)
        with pytest.raises(MixedDevicesError):
            away + torch.ones(2)
        assert (away + 1).sum().item() == 4
        assert device.n_reads == 1
        assert torch.equal((away * 2).cpu(), torch.full((2,), 2.0))


def test_the_pretended_device_differentiates():
    model = residual()
    image = IMAGE.clone().requires_grad_()
    (expected,) = torch.autograd.grad(model(image)[0, 1], image)
    with pretended():
        away = IMAGE.to(DEVICE).requires_grad_()
        (found,) = torch.autograd.grad(moved(model)(away)[0, 1], away)
        torch.testing.assert_close(found.cpu(), expected)
