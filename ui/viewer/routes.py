"""Routes of the reader's screen: drafts, and verdicts that could not be sent as they were signed.

Both name the reader whose screen they are of: the browser may have another account's session by
the time they come.
"""

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from review.errors import EXPECTED, AccessError, ActionError, incident
from review.typed import LARGEST_ID
from review.verdicts import sign, unsigned
from review.verdicts.unsigned import NewerDraftError
from review.workspace import Workspace
from ui.http.bodies import body_of
from ui.viewer import schema
from ui.viewer.actions import sentence
from ui.viewer.payload import draft_json, moment
from ui.workspace import workspace

MAX_BYTES = 64 * 1024  # a full comment, in any script, with every box there may be, takes half
Json = dict[str, Any]

_log = logging.getLogger(__name__)


async def draft(request: Request) -> Response:
    """Keep or discard a draft; 409 answers with the newer one that it would have overwritten."""
    prediction_id = request.path_params["prediction_id"]
    if prediction_id > LARGEST_ID:
        return _refused(404, "There is no such prediction.")

    def keep(ws: Workspace, reader_id: int, sent: Any) -> Json:
        entered = schema.parse_entered(sent)
        schema.check_reader(entered.reader_id, reader_id)
        base_at = _time(entered.base)
        if entered.content is None:
            unsigned.discard(ws, reader_id, prediction_id, base_at=base_at)
            return {"at": None}
        content = unsigned.parse(entered.content)
        kept = unsigned.keep(ws, reader_id, prediction_id, content, base_at=base_at)
        return {"at": moment(kept.updated_at)}

    return await _answer(request, keep)


async def verdict(request: Request) -> Response:
    """Sign a verdict that the browser kept while it could not be sent; sent twice it signs once."""

    def record(ws: Workspace, reader_id: int, sent: Any) -> Json:
        action = schema.parse(sent) if isinstance(sent, dict) else None
        if not isinstance(action, schema.Verdict):
            raise ActionError("this is no verdict")
        schema.check_reader(action.reader_id, reader_id)
        return {"verdict_id": sign.record(ws, reader_id, action.draft).id}

    return await _answer(request, record)


async def _answer(request: Request, do: Callable[[Workspace, int, Any], Json]) -> Response:
    """Do what was sent, and say what became of it: with words where it was refused."""
    body = await body_of(request, MAX_BYTES)
    if body is None:
        return _refused(413, f"This is more than {MAX_BYTES} bytes.")
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return _refused(400, "This is no JSON.")
    try:
        by = request.state.account.id
        return JSONResponse({"ok": True, **await run_in_threadpool(do, workspace(), by, sent)})
    except AccessError as exc:
        return _refused(403, sentence(str(exc)))
    except NewerDraftError as exc:
        newer = draft_json(exc.draft) if exc.draft else None
        return _refused(409, sentence(str(exc)), draft=newer)
    except EXPECTED as exc:
        return _refused(422, sentence(str(exc)))
    except Exception as exc:
        number = incident(_log, "what the reader's screen sent", exc)
        return _refused(500, f"Something went wrong (incident {number}).")


def _refused(status: int, words: str, **more: Any) -> Response:
    return JSONResponse({"ok": False, "words": words, **more}, status)


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise ActionError("the draft's base is no time") from None


ROUTES = [
    Route("/api/draft/{prediction_id:int}", draft, methods=["PUT"]),
    Route("/api/verdict", verdict, methods=["POST"]),
]
