import pytest
import torch

from xai_core.errors import InputError
from xai_core.runtime import device as devices

CPU = torch.device("cpu")


def test_a_gpu_is_taken_where_there_is_one():
    assert devices.pick_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_refuses_devices_that_are_not_there(name):
    with pytest.raises(InputError, match=f"device is '{name}'"):
        devices.pick_device(name)


def test_names_the_device_for_the_record():
    assert devices.device_name(CPU).startswith("cpu (")


@pytest.mark.parametrize(
    ("bytes_per_image", "limit", "expected"),
    [(2**50, 9, 1), (2**10, 9, 9), (64 * 2**20, 9, 4), (1, 10**6, 256)],
)
def test_chunk_follows_the_memory_of_an_image(monkeypatch, bytes_per_image, limit, expected):
    monkeypatch.setattr(devices, "free_bytes", lambda device: 2**32)
    assert devices.chunk_size(bytes_per_image, CPU, limit=limit) == expected


def test_free_memory_respects_the_container(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("3000\n")
    monkeypatch.setattr(devices, "_CGROUP", tmp_path)
    assert devices.free_bytes(CPU) == 2000
    (tmp_path / "memory.max").write_text("max\n")
    assert devices.free_bytes(CPU) > 2000
