"""What Streamlit's page asks of the site that it runs in, before it connects."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/_stcore/host-config"

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
    """ASGI middleware that answers in place of Streamlit's own route, which it reserves."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        asked = scope["type"] == "http" and scope["path"] == PATH
        answer = JSONResponse(HOST, headers={"Cache-Control": "no-cache"}) if asked else self._app
        await answer(scope, receive, send)
