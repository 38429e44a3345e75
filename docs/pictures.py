"""Takes the pictures of the screens under docs/images/, from a running demonstration.

`make run`, wait until every case is explained, then
`python -m docs.pictures "http://127.0.0.1:8501/sign-in/link?token=..."`.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

IMAGES = Path(__file__).parent / "images"
VIEWPORT = {"width": 1500, "height": 950}
SETTLED_MS, SLOW_MS = 2500, 120_000
SOUND, SHORTCUT = "phantom-a", "phantom-b"


def review(case_id: int, model: str, *keys: str) -> Callable[[Page], None]:
    """Return what opens a case as a model saw it and presses keys."""

    def show(page: Page) -> None:
        page.goto(f"/review?case={case_id}")
        page.locator(f'.reader[data-drawn="{case_id}"]').wait_for()
        page.get_by_role("tab", name=model).click()
        page.locator(f'.reader[data-drawn="{case_id}"]').wait_for()
        page.wait_for_timeout(SETTLED_MS)
        for key in keys:
            page.keyboard.press(key)

    return show


def badge(page: Page) -> None:
    """Show what is behind a badge."""
    review(6, SHORTCUT)(page)
    page.locator(".badge").first.hover()


def at(address: str) -> Callable[[Page], None]:
    """Return what opens a page."""
    return lambda page: page.goto(address) and None


SCREENS: dict[str, Callable[[Page], None]] = {
    "worklist": at("/"),
    "review": review(4, SOUND),
    "review-shortcut": review(6, SHORTCUT),
    "disagreement": review(1, SOUND, "d"),
    "badge": badge,
    "keys": review(4, SOUND, "?"),
    "triage": at("/triage"),
    "models": at("/models"),
    "upload": at("/upload"),
    "export": at("/export"),
    "accounts": at("/accounts"),
    "help": at("/help"),
}


def main(link: str) -> None:
    """Sign in by a link and take every picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        base = link.split("/sign-in")[0]
        signed_out = browser.new_page(viewport=VIEWPORT, base_url=base)
        signed_out.goto("/sign-in", timeout=SLOW_MS)
        signed_out.screenshot(path=IMAGES / "sign-in.png")
        page = browser.new_page(viewport=VIEWPORT, base_url=base)
        page.set_default_timeout(SLOW_MS)
        page.goto(link)
        page.locator("button:focus").press("Enter")
        for name, show in SCREENS.items():
            show(page)
            page.wait_for_load_state("networkidle")
            expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=SLOW_MS)
            page.wait_for_timeout(SETTLED_MS)
            page.screenshot(path=IMAGES / f"{name}.png")
            page.evaluate("localStorage.clear()")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
