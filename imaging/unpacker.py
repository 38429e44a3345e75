"""The unpacking process: reads an archive on stdin, sends its files, can reach nothing else."""

import json
import resource
import sys
from mmap import ACCESS_COPY

from imaging import confined
from imaging.archive import Mapped, expand
from imaging.limits import Limits
from imaging.messages import send


def main() -> None:
    """Send each file of the archive: its name before it is unpacked, then its bytes or why not."""
    given = json.loads(sys.argv[1])
    limits = Limits(**given["limits"])
    archive = Mapped(sys.stdin.fileno(), 0, access=ACCESS_COPY)
    max_memory = limits.max_memory_bytes + len(archive)  # mapped, it counts
    resource.setrlimit(resource.RLIMIT_AS, (max_memory, max_memory))
    confined.limit()
    confined.confine()
    out = sys.stdout.buffer
    for entry in expand(
        given["name"],
        archive,
        limits=limits,
        first=given["first"],
        n_used=given["n_used"],
        begins=lambda label: send(out, {"begins": label}, b""),
    ):
        header = {"name": entry.name}
        if entry.error is not None:
            header |= {"error": type(entry.error).__name__, "message": str(entry.error)}
        send(out, header, entry.data or b"")
    send(out, {"ends": True}, b"")


if __name__ == "__main__":
    main()
