"""One worker a device: a lock on a file, which the kernel lets go of when its process ends."""

import fcntl
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class DeviceLock:
    """A device that this process holds.

    Attributes:
        device: Its PyTorch name.
        former: The worker that held it before, and holds it no more; empty if there was none.
    """

    device: str
    former: str
    _descriptor: int

    @classmethod
    def take(cls, folder: Path, devices: Sequence[str], worker: str) -> "DeviceLock | None":
        """Lock the first device that is free, or return None if none is.

        Args:
            folder: Where the lock files lie; shared by every worker of the installation.
            devices: PyTorch names, the best first.
            worker: Name to leave in the file for the next holder.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for device in devices:
            # The folder may be shared by machines, and each has devices of its own.
            name = re.sub(r"[^\w.-]", "-", f"{socket.gethostname()}-{device}.lock")
            descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            former = os.pread(descriptor, 200, 0).decode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, worker.encode(), 0)
            return cls(device, former, descriptor)
        return None

    def release(self) -> None:
        """Let the next worker have the device."""
        os.close(self._descriptor)
