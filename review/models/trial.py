"""The process in which files from outside are tried, and the web server's end of it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review.errors import ReviewError
from review.models.plugins import MODULES_VARIABLE
from xai_core.model.card import ModelCard, card_to_json

ROOT = Path(__file__).parents[2]
MAX_SECONDS = 300
# What a trial needs of the environment: where code lies; no address, no key.
PASSED_ON = (MODULES_VARIABLE, "PYTHONPATH", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")


class ModelImportError(ReviewError):
    """A model cannot be imported; says what is wrong with its card or its weights."""


@dataclass(frozen=True)
class GoldenPicture:
    """A golden image as a model is given it.

    Attributes:
        unit: (H, W) or (H, W, 3) in [0, 1].
        pixel_aspect: Height of its pixels over their width.
    """

    unit: NDArray[np.float32]
    pixel_aspect: float = 1.0


def tried(card: ModelCard, weights: bytes, golden: GoldenPicture | None = None) -> tuple[str, ...]:
    """Load a model, let it answer, and score its golden image.

    Args:
        card: What to build.
        weights: Its checkpoint.
        golden: The golden image of the card.

    Returns:
        What of the weights was taken off, left out or converted, in words.

    Raises:
        ModelImportError: It does not load, does not answer, or scores its image otherwise.
    """
    files = {"card.json": json.dumps(card_to_json(card)).encode(), "weights": weights}
    if golden is not None:
        packed = BytesIO()
        np.savez(packed, unit=golden.unit, pixel_aspect=golden.pixel_aspect)
        files["golden.npz"] = packed.getvalue()
    return tuple(_run(files)["notes"])


def proposed(weights: bytes, configs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a checkpoint may be, as `xai_core.model.proposal` says.

    Args:
        weights: The checkpoint.
        configs: "config" and "preprocessor", as files beside it say, or nothing.

    Raises:
        ModelImportError: It cannot be read, or nothing that is known fits.
    """
    found: list[dict[str, Any]] = _run(
        {"asked.json": json.dumps(configs).encode(), "weights": weights}
    )["proposals"]
    return found


def _run(files: Mapping[str, bytes]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        try:
            done = subprocess.run(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", "review.models.check", folder],
                cwd=ROOT,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=MAX_SECONDS,
                check=True,
            )
        except subprocess.TimeoutExpired:
            raise ModelImportError(
                f"trying the model took more than {MAX_SECONDS} s; it was not imported"
            ) from None
        except subprocess.CalledProcessError as exc:
            raise ModelImportError(
                f"trying the model ended its process (code {exc.returncode}); it was not imported"
            ) from exc
    said: dict[str, Any] = json.loads(done.stdout)
    if error := said["error"]:
        raise ModelImportError(error)
    return said
