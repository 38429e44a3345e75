"""What the server does beside answering: write who is there, end sessions, let old accesses go."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import SQLAlchemyError

from db.errors import RecordError
from review.access import sessions
from review.audit import retention
from review.workspace import Workspace

EVERY_SECONDS = 60.0

_log = logging.getLogger(__name__)


@asynccontextmanager
async def running(ws: Workspace) -> AsyncIterator[None]:
    """Do it until the context ends; what waits to be written then is."""
    ws.trail.start()
    task = asyncio.create_task(_keep_on(ws))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(once, ws)
        await asyncio.to_thread(ws.trail.stop)


def once(ws: Workspace) -> None:
    """Record who is active; end sessions that have run out, remove accesses older than is kept."""
    try:
        sessions.write_seen(ws)
        sessions.end_idle(ws)
        retention.remove_old(ws)
    except (RecordError, SQLAlchemyError):
        _log.exception("sessions or old accesses could not be looked after")


async def _keep_on(ws: Workspace) -> None:
    while True:
        await asyncio.to_thread(once, ws)
        await asyncio.sleep(EVERY_SECONDS)
