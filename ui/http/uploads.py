"""Uploads, streamed to disk: many small files in one request, or one large file.

A request's body is a parcel: for each file the length of a header (4 bytes, big-endian), the header
as JSON ({"name", "size"}), and the file. Streamlit's own uploader keeps whole files in memory.
"""

import json
import secrets
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imaging.limits import Limits
from review.cases import batches
from review.cases.batches import Arrived, Coming, NoRoomError, TooManyFilesError
from review.errors import AccessError
from ui.http.bounds import OWN_UPLOADS
from ui.workspace import workspace

LENGTH = struct.Struct(">I")
MAX_HEADER = 4_096
MAX_NAME = 255
MAX_FILES = 100_000
MAX_FILES_AT_ONCE = 50  # PARCEL_FILES of `ui/browser/upload/upload.js`
AT_ONCE = 1 << 20  # so many bytes are gathered before they are written
MAX_FILE = Limits().max_zip_bytes
MAX_DIGITS = 15
NO_PARCEL = "The request is none that this version knows: reload the page."


class ParcelError(Exception):
    """A body is no parcel."""


@dataclass
class Parcel:
    """Takes a parcel's files out of its bytes, and puts them into a folder as they come."""

    folder: Path
    files: list[Arrived] = field(default_factory=list)
    _rest: bytearray = field(default_factory=bytearray)
    _file: IO[bytes] | None = None
    _name: str = ""
    _size: int = 0
    _left: int = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            ParcelError: If they are none of a parcel.
            OSError: If they cannot be written.
        """
        self._rest += data
        while (file := self._file or self._begin()) is not None:
            taken = self._rest[: self._left]
            file.write(taken)
            del self._rest[: len(taken)]
            self._left -= len(taken)
            if self._left:
                return
            file.close()
            self.files.append(Arrived(self._name, Path(file.name), self._size))
            self._file = None

    @property
    def is_whole(self) -> bool:
        """Whether it ended where a file does."""
        return bool(self.files) and self._file is None and not self._rest

    def drop(self) -> None:
        """Remove what has come."""
        if self._file is not None:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)
        for file in self.files:
            file.path.unlink(missing_ok=True)

    def _begin(self) -> IO[bytes] | None:
        """Open the next file, once its header is there."""
        if len(self._rest) < LENGTH.size:
            return None
        (n_header,) = LENGTH.unpack_from(self._rest)
        if n_header > MAX_HEADER or len(self.files) >= MAX_FILES_AT_ONCE:
            raise ParcelError
        end = LENGTH.size + n_header
        if len(self._rest) < end:
            return None
        self._name, self._size = _read(bytes(self._rest[LENGTH.size : end]))
        del self._rest[:end]
        self._left = self._size
        self._file = (self.folder / secrets.token_hex(16)).open("xb")
        return self._file


async def parcel(request: Request) -> Response:
    """Take a parcel of files; a second one of the same number is the first, sent again."""
    given, ws = request.path_params, workspace()
    n_files = _number(request.query_params.get("of", ""))
    n_bytes = _number(request.headers.get("content-length", ""))
    if n_bytes is None or n_files is None or n_files > MAX_FILES:
        return _said(400, NO_PARCEL)
    if n_bytes > MAX_FILE + MAX_HEADER + LENGTH.size:
        return _said(413, f"It has more than {MAX_FILE / 1e9:g} GB.")
    by = request.state.account.id
    try:
        coming = await run_in_threadpool(batches.begin, ws, given["batch"], n_files, n_bytes, by=by)
    except AccessError as exc:
        return _said(403, str(exc))
    except NoRoomError as exc:
        return _said(429, f"{exc}.")
    with coming:
        return await _take(coming, given["parcel"], request)


async def _take(coming: Coming, number: int, request: Request) -> Response:
    batch = coming.batch
    if not batch.arriving:
        return _said(409, batch.stopped or "This upload has ended.")
    arriving = Parcel(batch.folder)
    try:
        await _feed(arriving, coming, request)
        if not arriving.is_whole:
            raise ParcelError
        await run_in_threadpool(batch.add, number, arriving.files)
    except (ParcelError, TooManyFilesError):
        await run_in_threadpool(arriving.drop)
        return _said(400, NO_PARCEL)
    except OSError as exc:
        await run_in_threadpool(arriving.drop)
        if not batch.folder.exists():  # it was cancelled meanwhile
            return _said(409, batch.stopped or "This upload has ended.")
        return _said(507, f"The server cannot store it: {exc.strerror}.")
    except BaseException:  # the line broke
        arriving.drop()
        raise
    return JSONResponse({"ok": True, "born": batch.born})


async def end(request: Request) -> Response:
    """Hear that nothing more comes, or that what came is not to be stored."""
    by = request.state.account.id
    batch = batches.find(workspace(), request.path_params["batch"], by=by)
    if batch is not None:
        batch.cancel() if request.method == "DELETE" else batch.end()
    return JSONResponse({"ok": batch is not None})


async def _feed(arriving: Parcel, coming: Coming, request: Request) -> None:
    gathered = bytearray()
    async for chunk in request.stream():
        gathered += chunk
        coming.batch.heard()
        if len(gathered) >= AT_ONCE:
            await run_in_threadpool(arriving.feed, bytes(gathered))
            coming.n_here += len(gathered)
            gathered.clear()
    await run_in_threadpool(arriving.feed, bytes(gathered))


def _read(header: bytes) -> tuple[str, int]:
    try:
        given = json.loads(header)
        name, size = given["name"], given["size"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ParcelError from None
    if not isinstance(name, str) or type(size) is not int or not 0 <= size <= MAX_FILE:
        raise ParcelError
    return name[-MAX_NAME:].encode(errors="replace").decode(), size  # half a character is none


def _number(text: str) -> int | None:
    """Return a number of a request; one that is longer than any of ours is none."""
    return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else None


def _said(status: int, words: str) -> JSONResponse:
    return JSONResponse({"ok": False, "words": words}, status)


ROUTES = [
    Route(f"{OWN_UPLOADS}{{batch}}/{{parcel:int}}", parcel, methods=["POST"]),
    Route(f"{OWN_UPLOADS}{{batch}}", end, methods=["PUT", "DELETE"]),
]
