"""Models that compute in milliseconds, and their cards; also a site's plugin module for workers."""

import json
import os
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from xai_core.model.architectures import ARCHITECTURES, register_architecture

CLASSES = ["normal", "nodule", "effusion"]
SIDE_PX = 32
STUCK_VARIABLE = "TINY_MODEL_STUCK"


class Linear(nn.Module):
    """Class scores are weighted sums of the pixels."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.last = nn.Linear(SIDE_PX * SIDE_PX, n_classes)

    def forward(self, batch: Tensor) -> Tensor:
        """Return (N, K) scores of (N, 1, H, W)."""
        return self.last(batch.flatten(1))


class Grey(Linear):
    """Averages its channels before it weighs them, so that their slopes are equal."""

    def forward(self, batch: Tensor) -> Tensor:
        """Return (N, K) scores of (N, 3, H, W)."""
        return super().forward(batch.mean(1, keepdim=True))


class Stuck(Linear):
    """Never answers while the environment names a file; touches that file instead."""

    def forward(self, batch: Tensor) -> Tensor:
        """Return (N, K) scores of (N, 1, H, W), or nothing."""
        if path := os.environ.get(STUCK_VARIABLE):
            Path(path).touch()
            threading.Event().wait()
        return super().forward(batch)


for _name, _factory in (("tiny/linear", Linear), ("tiny/grey", Grey), ("tiny/stuck", Stuck)):
    if _name not in ARCHITECTURES:
        register_architecture(_name, _factory)


def weights(seed: int = 0, *, n_classes: int = len(CLASSES)) -> bytes:
    """Return a safetensors file for the tiny architectures."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(n_classes, SIDE_PX * SIDE_PX, generator=generator) / 100
    return save({"last.weight": weight, "last.bias": torch.zeros(n_classes)})


def write_card(folder: Path, name: str = "tiny", *, seed: int = 0, **changes: Any) -> Path:
    """Write a card and its weights into a folder; return the card's path."""
    folder.mkdir(parents=True, exist_ok=True)
    data = weights(seed)
    (folder / f"{name}.safetensors").write_bytes(data)
    card = {
        "name": name,
        "version": "1",
        "architecture": "tiny/linear",
        "weights": f"{name}.safetensors",
        "weights_sha256": sha256(data).hexdigest(),
        "classes": CLASSES,
        "scores": "softmax",
        "intended_use": "tests",
        "preprocessing": {
            "resize": [SIDE_PX, SIDE_PX],
            "channels": 1,
            "mean": [0.5],
            "std": [0.25],
        },
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(card | changes), encoding="utf-8")
    return path
