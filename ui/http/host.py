"""What of Streamlit's own routes, which it reserves, is answered otherwise."""

from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HOST_CONFIG = "/_stcore/host-config"  # asked for by its page before that connects
METRICS = "/_stcore/metrics"  # `/metrics` is ours, for whoever has the token

# Errors are told by our own banner (`ui.line_watch`): Streamlit's window over the page takes the
# focus from whoever types. No other site may send messages to the page.
HOST = {
    "allowedOrigins": [],
    "useExternalAuthToken": False,
    "enableCustomParentMessages": False,
    "enforceDownloadInNewTab": False,
    "metricsUrl": "",
    "blockErrorDialogs": True,
    "resourceCrossOriginMode": None,
}


class Host:
    """ASGI middleware that answers in place of Streamlit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path == HOST_CONFIG:
            await JSONResponse(HOST, headers={"Cache-Control": "no-cache"})(scope, receive, send)
        elif path.rstrip("/") == METRICS:
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
