"""The route by which administrators take the audit out, as CSV."""

from collections.abc import Iterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from db.types import now
from review.audit import listing, sheet
from review.audit.listing import AuditFilter
from review.errors import AccessError
from ui.workspace import workspace

PATH = "/api/audit.csv"
LINES_AT_ONCE = 500


async def download(request: Request) -> Response:
    """Serve what the filter in the address chooses to those who may see the audit."""
    wanted = AuditFilter.from_params(request.query_params)
    by = request.state.account.id
    try:
        lines = await run_in_threadpool(listing.taken_out, workspace(), wanted, by=by)
    except AccessError as exc:
        return PlainTextResponse(str(exc), 403)
    name = f"second-look-audit-{now():%Y%m%dT%H%MZ}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(_parts(sheet.rows(lines)), media_type="text/csv", headers=headers)


def _parts(rows: Iterator[str]) -> Iterator[str]:
    """Yield many lines at once: each part is fetched in a thread."""
    part: list[str] = []
    for row in rows:
        part.append(row)
        if len(part) == LINES_AT_ONCE:
            yield "".join(part)
            part = []
    yield "".join(part)


ROUTES = [Route(PATH, download, methods=["GET"])]
