"""How long a reader waits: from the server's start until the worklist's first paint."""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.measuring import Pace
from tests.e2e.conftest import CHROMIUM, FLAGS
from tests.server import running

_AT_MOST_S = 3.0


@dataclass(frozen=True)
class Workload:
    """What is opened first."""

    page: str = "Worklist"

    def __str__(self) -> str:
        return f"{self.page}, from the printed link, on an empty installation"


WORKLOADS = (Workload(),)
TOY = WORKLOADS


def measure(work: Workload, pace: Pace) -> dict[str, Any]:
    """Start the server again and again, each time over a home of its own, and return the row."""
    seconds = []
    with sync_playwright() as playwright:
        path = CHROMIUM if CHROMIUM.exists() else None
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for _ in range(max(pace.rounds, 1)):
            with tempfile.TemporaryDirectory() as home:
                seconds.append(_seconds_to_first_paint(browser, Path(home), work.page))
        browser.close()
    median = statistics.median(seconds)
    return {
        "workload": str(work),
        "fastest, s": min(seconds),
        "median, s": median,
        "slowest, s": max(seconds),
        "at most": _AT_MOST_S,
        "met": median <= _AT_MOST_S,
        "rounds": len(seconds),
    }


def _seconds_to_first_paint(browser: Browser, home: Path, heading: str) -> float:
    context = browser.new_context()
    began = time.time()
    with running(home, n_workers=1) as started:
        page = context.new_page()
        page.goto(started.link)
        page.locator("button:focus").press("Enter")
        page.get_by_role("heading", name=heading).wait_for()
        painted_ms: float = page.evaluate(
            "performance.timeOrigin"
            " + performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
        context.close()
    return painted_ms / 1000 - began
