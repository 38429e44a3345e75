"""The ASGI entry: `streamlit run app.py`, or `python -m review serve`."""

import asyncio
import gc
import importlib
import os
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from review.access import accounts
from review.exporting import leftovers
from review.policy import OperatingSystemUser
from review.processes import deaths, serving
from ui import errors
from ui.http import connections, health, pixels, sign_in
from ui.http.bounds import BoundedRequests
from ui.http.gate import Gate
from ui.http.headers import SecurityHeaders
from ui.viewer import assets
from ui.workspace import workspace

HEAVY = ("pandas", "review.exporting.dataset", "review.maps.agreement")


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Open the workspace, run the workers, and say where to sign in."""
    connections.limit()
    ws = workspace()
    health.looked_after()
    host = serving.reachable(st.get_option("server.address") or "")
    me = OperatingSystemUser.current()
    token = accounts.issue_link(ws, accounts.ensure_administrator(ws, by=me).id, by=me)
    link = serving.link_address(ws, token, f"http://{host}:{st.get_option('server.port')}")
    async with serving.running(n=serving.n_workers(), ended=partial(deaths.record, ws)):
        serving.answer_at_once()
        serving.announce(link)
        if os.environ.get(serving.BROWSER_VARIABLE) == "1":
            webbrowser.open(link)
        warming = asyncio.create_task(_warm())
        yield
        warming.cancel()


async def _warm() -> None:
    """Load what the first pages need while the browser is still asking for them."""
    ws = workspace()
    await run_in_threadpool(leftovers.sweep, ws.settings.exports_path)
    await run_in_threadpool(ws.artifacts.sweep)
    for name in HEAVY:
        await run_in_threadpool(importlib.import_module, name)
    gc.collect()
    gc.freeze()  # reruns of many sessions need not walk what imports left behind


app = st.App(
    "ui/shell.py",
    lifespan=lifespan,
    routes=[*sign_in.ROUTES, *health.ROUTES, *pixels.ROUTES, *assets.ROUTES],
    middleware=[
        Middleware(SecurityHeaders),
        Middleware(BoundedRequests),
        Middleware(Gate, workspace=workspace),
    ],
    on_script_error=errors.unexpected,
)
