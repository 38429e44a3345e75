"""A worker as of another machine: `python -m benchmarks.reliability.machine_b [LEASE_SECONDS]`.

Devices and workers are known by the machine's name; this process has another.
"""

import socket
import sys

NAME = "drill-b"


def main() -> int:
    """Work until a signal comes."""
    socket.gethostname = lambda: NAME
    from review.cli.parser import main as review
    from review.processes import worker

    if len(sys.argv) > 1:
        worker.LEASE_SECONDS = float(sys.argv[1])
    return review(["worker", "--device", "cpu"])


if __name__ == "__main__":
    sys.exit(main())
