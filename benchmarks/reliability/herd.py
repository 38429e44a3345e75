"""Processes that are killed at random moments and started again until they are done."""

import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess

# Each is forked of a process that has imported what they need, and has nothing open.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["benchmarks.reliability.writer"])
NO_KILLS = (1e9, 1e9)
PATIENCE_SECONDS = 900.0

Start = Callable[[], BaseProcess]


def calls(function: Callable[..., object], *arguments: object) -> Start:
    """Return what starts a process that calls a function."""

    def start() -> BaseProcess:
        process = CONTEXT.Process(target=function, args=arguments)
        process.start()
        return process

    return start


def drive(
    starts: Sequence[Start],
    draw: random.Random,
    every: tuple[float, float] = NO_KILLS,
    *,
    beside: Callable[[], bool] = lambda: False,
) -> int:
    """Run processes until each has ended by itself, killing one now and then.

    Args:
        starts: What starts each.
        draw: Draws whom and when.
        every: Seconds from one kill to the next, at least and at most.
        beside: Called a few times a second; kills go on for as long as it returns true.

    Returns:
        How many were killed.

    Raises:
        RuntimeError: If one fails of itself, or they do not come to an end.
    """
    running = {number: start() for number, start in enumerate(starts)}
    n_kills, end = 0, time.monotonic() + PATIENCE_SECONDS
    kill_at = time.monotonic() + draw.uniform(*every)
    try:
        while beside() or running:
            for number, process in list(running.items()):
                process.join(0.05 / max(1, len(running)))
                if process.exitcode is None:
                    continue
                if process.exitcode != 0:
                    raise RuntimeError(f"a process ended by itself with {process.exitcode}")
                del running[number]
            if running and time.monotonic() >= kill_at:
                number = draw.choice(list(running))
                running[number].kill()
                running[number].join()
                running[number] = starts[number]()
                n_kills += 1
                kill_at = time.monotonic() + draw.uniform(*every)
            if time.monotonic() > end:
                raise RuntimeError(f"{len(running)} processes did not come to an end")
            if not running:
                time.sleep(0.05)
    finally:
        for process in running.values():
            process.kill()
            process.join()
    return n_kills
