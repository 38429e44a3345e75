"""Real browsers whose readers read and sign by the keyboard, whatever becomes of the server.

Contexts of one Chromium: each has cookies and a storage of its own, as a browser has.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import Error as PlaywrightError

from benchmarks.reliability.ledger import Ledger
from db.types import Opinion
from tests.e2e.conftest import CHROMIUM, FLAGS
from ui.http.cookies import SESSION_COOKIE

VIEWPORT = {"width": 1366, "height": 768}
PATIENCE_SECONDS = 600.0
OPEN_MS = 60_000
ANSWER_MS = 15_000
SCREEN = ".reader[data-drawn]"


def browse(
    port: int, tokens: Sequence[str], readers: Sequence[int], ledgers: Sequence[Path], n: int
) -> None:
    """Let a browser for each reader sign `n` verdicts.

    Args:
        port: Where the server listens, or will.
        tokens: Of the readers' sessions.
        readers: Their accounts.
        ledgers: Of what each browser has shown to be signed.
        n: How many verdicts of each.
    """
    if readers:
        asyncio.run(_browse(port, tokens, readers, ledgers, n))


async def _browse(
    port: int, tokens: Sequence[str], readers: Sequence[int], ledgers: Sequence[Path], n: int
) -> None:
    async with async_playwright() as playwright:
        path = CHROMIUM if CHROMIUM.exists() else None
        chromium = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        each = zip(tokens, readers, map(Ledger, ledgers), strict=True)
        await asyncio.gather(*(_read(chromium, port, *one, n) for one in each))
        await chromium.close()


async def _read(
    chromium: Browser, port: int, token: str, reader_id: int, ledger: Ledger, n: int
) -> None:
    url = f"http://127.0.0.1:{port}"
    context = await chromium.new_context(viewport=VIEWPORT, base_url=url)
    cookie = {"name": SESSION_COOKIE, "value": token, "url": url}
    await context.add_cookies([cookie | {"sameSite": "Strict", "httpOnly": True}])
    page, case_id = await context.new_page(), 1
    await _open(page, case_id)
    for number in range(n):
        case_id = number + 1
        if await _on_screen(page) != case_id:
            await _open(page, case_id)
        await _sign(page, ledger, reader_id, case_id, f"browser {reader_id}, verdict {number}")
    await context.close()


async def _sign(page: Page, ledger: Ledger, reader_id: int, case_id: int, comment: str) -> None:
    """Reject with a comment, until the page says that it is signed."""
    ledger.send(
        {
            "case_id": case_id,
            "reader_id": reader_id,
            "opinion": Opinion.REJECT.value,
            "comment": comment,
        }
    )
    signed = page.get_by_text(re.compile(rf"^Signed: Reject, case {case_id}\b"))
    end, n_tries = time.monotonic() + PATIENCE_SECONDS, 0
    while True:
        try:
            if await page.get_by_text("You signed: Reject.").count() and n_tries:
                ledger.acknowledge(comment)  # it had waited, and was sent when the page opened
                return
            await _enter(page, comment)
            began = time.perf_counter()
            await page.keyboard.press("Control+Enter")
            await signed.first.wait_for(timeout=ANSWER_MS)
            seconds = time.perf_counter() - began
            ledger.acknowledge(comment, seconds=None if n_tries else seconds)
            return
        except PlaywrightError as exc:
            if time.monotonic() > end:
                raise
            n_tries += 1
            ledger.trouble(str(exc).splitlines()[0])
            await _open(page, case_id)


async def _enter(page: Page, comment: str) -> None:
    field = page.get_by_label("Comment")
    if await field.input_value(timeout=ANSWER_MS) == comment:
        await field.focus()
        return
    for key in ("Escape", "r", "1", "t"):
        await page.keyboard.press(key)
    await field.fill("")
    await page.keyboard.type(comment)


async def _open(page: Page, case_id: int) -> None:
    """Open a case, as often as it takes."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with suppress(PlaywrightError):
            await page.goto(f"/review?case={case_id}")
            await page.locator(f'.reader[data-drawn="{case_id}"]').wait_for(timeout=OPEN_MS)
            return
        await asyncio.sleep(1.0)
    raise TimeoutError(f"case {case_id} was not shown in {PATIENCE_SECONDS:.0f} s")


async def _on_screen(page: Page) -> int | None:
    """Return the case that is on screen by itself after the last verdict."""
    with suppress(PlaywrightError):
        shown = await page.locator(SCREEN).get_attribute("data-drawn", timeout=1_000)
        return int(shown) if shown else None
    return None
