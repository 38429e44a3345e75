"""The ASGI entry: `streamlit run app.py`, or `python -m review serve`."""

import asyncio
import gc
import importlib
import logging
import os
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from db.types import AccessKind
from review import leftovers
from review.access import openid_settings, second_factor, start
from review.cases import batches
from review.errors import EXPECTED, incident
from review.exporting import kept
from review.keeping.upgrade import upgrade
from review.policy import OperatingSystemUser
from review.processes import deaths, figures, logs, serving, upkeep
from review.settings import Settings
from review.workspace import Workspace
from ui import errors
from ui.http import (
    assets,
    audit,
    connections,
    health,
    metrics,
    openid,
    pixels,
    proxy,
    second_step,
    sign_in,
    stopping,
    uploads,
)
from ui.http.bounds import BoundedRequests
from ui.http.gate import Gate
from ui.http.headers import SecurityHeaders
from ui.http.host import Host
from ui.http.observed import Observed
from ui.viewer import routes as screen_routes
from ui.workspace import workspace

TIDY_SECONDS = 3600.0
HEAVY = ("pandas", "review.exporting.dataset", "review.maps.agreement")

_log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Open the workspace, run the workers, and say where to sign in."""
    logs.configure()
    connections.limit()
    stopping.bound()
    # A setting that is none is said now, not when it is needed.
    for read in (figures.token, second_factor.required_of, openid_settings.load):
        read()
    batches.share()
    days = kept.days_kept()
    upgrade(Settings.load(), say=serving.tell)
    ws = workspace()
    serving.insist_on_writing(ws)
    for doubt in proxy.doubts(ws.settings):
        _log.warning("%s", doubt)
    health.looked_after()
    host = serving.reachable(st.get_option("server.address") or "")
    me = OperatingSystemUser.current()
    asked_for = os.environ.get(serving.LINK_VARIABLE) == "1"
    token = start.start_link(ws, by=me, asked_for=asked_for)
    here = f"http://{host}:{st.get_option('server.port')}"
    address = serving.link_address(ws, token, here) if token else ws.settings.public_url or here
    ws.trail.note_at_once(AccessKind.COMMAND_RUN, me, command="serve")
    workers = serving.running(n=serving.n_workers(), ended=partial(deaths.record, ws))
    async with upkeep.running(ws), workers:
        serving.answer_at_once()
        serving.announce(address, is_link=token is not None)
        if os.environ.get(serving.BROWSER_VARIABLE) == "1":
            webbrowser.open(address)
        beside = [asyncio.create_task(_warm()), asyncio.create_task(_tidy(ws, days, by=me))]
        yield
        for task in beside:
            task.cancel()


async def _warm() -> None:
    """Load what the first pages need while the browser is still asking for them."""
    ws = workspace()
    for folder in (ws.settings.exports_path, batches.spool_of(ws)):
        await run_in_threadpool(leftovers.sweep, folder)
    await run_in_threadpool(ws.artifacts.sweep)
    for name in HEAVY:
        await run_in_threadpool(importlib.import_module, name)
    gc.collect()
    gc.freeze()  # reruns of many sessions need not walk what imports left behind


async def _tidy(ws: Workspace, days: int | None, *, by: OperatingSystemUser) -> None:
    """Remove exports that the site keeps no longer, now and every hour."""
    while days is not None:
        try:
            await run_in_threadpool(kept.remove_older, ws, days, by=by)
        except (*EXPECTED, OSError) as exc:
            incident(_log, "removing old exports", exc)
        await asyncio.sleep(TIDY_SECONDS)


app = st.App(
    "ui/shell.py",
    lifespan=lifespan,
    routes=[
        *sign_in.ROUTES,
        *second_step.ROUTES,
        *openid.ROUTES,
        *health.ROUTES,
        *metrics.ROUTES,
        *pixels.ROUTES,
        *uploads.ROUTES,
        *audit.ROUTES,
        *assets.ROUTES,
        *screen_routes.ROUTES,
    ],
    middleware=[
        Middleware(Observed),
        Middleware(SecurityHeaders, workspace=workspace),
        Middleware(BoundedRequests),
        Middleware(Gate, workspace=workspace),
        Middleware(Host),
    ],
    on_script_error=errors.unexpected,
)
