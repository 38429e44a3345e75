"""The components' scripts, served as they are: native modules, no build step.

Their address holds a hash of them all, so that a browser keeps them for as long as they are true.
"""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

FOLDER = Path(__file__).parents[1] / "browser" / "viewer"
SCRIPTS = {path.name: path.read_bytes() for path in sorted(FOLDER.glob("*.js"))}
STYLE = (FOLDER / "viewer.css").read_text()
VERSION = hashlib.sha256(b"".join(SCRIPTS.values())).hexdigest()[:16]


def entry_script(module: str) -> str:
    """Return the script that Streamlit loads for a component, which imports it by its address."""
    entry = (FOLDER.parent / "entry.js").read_text()
    return entry.replace("VERSION", VERSION).replace("MODULE", module)


def script(request: Request) -> Response:
    """Serve one module."""
    found = SCRIPTS.get(request.path_params["name"])
    if found is None:
        return PlainTextResponse("No such script.", 404)
    current = request.path_params["version"] == VERSION
    kept = "private, max-age=31536000, immutable" if current else "no-store"
    return Response(found, media_type="text/javascript", headers={"Cache-Control": kept})


ROUTES = [Route("/viewer/{version}/{name}", script)]
