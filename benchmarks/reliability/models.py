"""A site's plug-in: models that take their time, that hang, and that end their process."""

import os
import signal
import threading
import time

from torch import Tensor

from tests.tiny_models import Linear
from xai_core.model.loading import ARCHITECTURES, register_architecture

PASS_SECONDS = 0.1


class Slow(Linear):
    """Sound, and at work long enough to be killed amid it."""

    def forward(self, batch: Tensor) -> Tensor:
        """Return (N, K) scores of (N, 1, H, W)."""
        time.sleep(PASS_SECONDS)
        return super().forward(batch)


class Hanging(Linear):
    """Never answers."""

    def forward(self, batch: Tensor) -> Tensor:
        """Return nothing, ever."""
        threading.Event().wait()
        return super().forward(batch)


class Crashing(Linear):
    """Ends its process as a fault in native code does."""

    def forward(self, batch: Tensor) -> Tensor:
        """Return nothing."""
        os.kill(os.getpid(), signal.SIGSEGV)
        return super().forward(batch)


for _name, _factory in (("slow", Slow), ("hanging", Hanging), ("crashing", Crashing)):
    if f"drill/{_name}" not in ARCHITECTURES:
        register_architecture(f"drill/{_name}", _factory)
