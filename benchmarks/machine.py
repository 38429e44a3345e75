"""Where figures come from, and with what they were made."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

_PACKAGES = ("torch", "captum", "monai", "grad-cam", "zennit")


def machine(device: torch.device) -> str:
    """Describe what computes: the processor and its threads, or the GPU."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {_arithmetic()}"
    n = torch.get_num_threads()
    return f"{processor()}, {n} thread" if n == 1 else f"{processor()}, {n} threads"


def versions() -> dict[str, str]:
    """Return the versions of PyTorch and of the peers that are installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def load_per_core() -> float:
    """Return how many processes wanted each core in the last minute; above 1 others disturb."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def _arithmetic() -> str:
    uses_tf32 = torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32
    return "TF32" if uses_tf32 else "float32"


def processor() -> str:
    """Return the processor's name and its widest vector instructions, which set the peak."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    name = next(names, platform.machine())
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"
