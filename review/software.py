"""Which software computed something: kept with every prediction, map, verdict and export."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "torchvision", "captum", "numpy", "pillow", "pydicom", "streamlit")
OWN_VERSION = "0.1.0"


@cache
def versions() -> dict[str, str]:
    """Return the versions of ourselves, Python and the libraries that results depend on."""
    found = {"second-look": OWN_VERSION, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
