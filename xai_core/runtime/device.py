"""Where to compute, and how many images at once fit there."""

import os
import platform
from pathlib import Path

import torch

from xai_core.errors import InputError

_CGROUP = Path("/sys/fs/cgroup")
_CPU_WORKING_SET = 256 * 2**20  # bytes of activations; larger batches only wait for memory
_LARGEST_CHUNK = 256


def pick_device(preferred: str | None = None) -> torch.device:
    """Return the device to compute on: the preferred one, else a GPU where there is one.

    Args:
        preferred: A PyTorch device name such as "cpu" or "cuda:1".

    Raises:
        InputError: The preferred device is not a device, or is not present.
    """
    if preferred is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(preferred)
    except RuntimeError as exc:
        raise InputError(f"device is {preferred!r}; allowed: cpu, cuda, cuda:N") from exc
    n_gpus = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        raise InputError(f"device is {preferred!r}, but this machine has {n_gpus} CUDA devices")
    return device


def device_name(device: torch.device) -> str:
    """Return a name for the record, such as "cuda:0 (NVIDIA H100)" or "cpu (x86_64)"."""
    if device.type == "cuda":
        return f"cuda:{device.index or 0} ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({platform.machine()})"


def free_bytes(device: torch.device) -> int:
    """Measure the memory in bytes that this process may still take on the device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + cached
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        available = int(fields["MemAvailable"].split()[0]) * 1024
    return min(available, _cgroup_free_bytes() or available)


def chunk_size(bytes_per_image: int, device: torch.device, *, limit: int) -> int:
    """Choose how many images to pass at once, between 1 and `limit`.

    Half of the free memory is left to the backward pass and to the neighbours.

    Args:
        bytes_per_image: Activations that one image keeps, measured with
            `xai_core.scoring.activation_bytes`.
        device: Where the images will be passed.
        limit: The number of images there are.
    """
    budget = free_bytes(device) // 4
    if device.type == "cpu":
        budget = min(budget, _CPU_WORKING_SET)
    return max(1, min(budget // max(bytes_per_image, 1), limit, _LARGEST_CHUNK))


def _cgroup_free_bytes() -> int | None:
    """Return what the container's memory limit leaves, or None without a limit."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(int(limit) - used, 0)
