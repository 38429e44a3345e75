"""A line to a server that can be cut: a TCP forwarder on loopback, for drills."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")

CHUNK = 65_536
STOP_SECONDS = 10


class Line:
    """Forwards a port of its own to a server's, until it is cut and once it is mended."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._is_up = True
        self._is_heard = self._is_answered = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._forward, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """Base address of the near end, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Drop every connection, and each new one until the line is mended."""
        self._call(self._drop())

    def swallow(self) -> None:
        """Let nothing through any more, with both ends believing that the line stands."""
        self._is_heard = self._is_answered = False

    def swallow_answers(self) -> None:
        """Let through what is sent, and no answer."""
        self._is_answered = False

    def mend(self) -> None:
        """Let new connections through again, all of them; those of before have to be cut first."""
        self._is_up = self._is_heard = self._is_answered = True

    def stop(self) -> None:
        """Drop everything and end the thread."""
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(STOP_SECONDS)

    async def _drop(self) -> None:
        self._is_up = False
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _end(self) -> None:
        await self._drop()
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_up:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        if not self._is_up:
            writer.transport.abort()
            far_writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        with suppress(asyncio.CancelledError):  # at the end of the line
            await asyncio.gather(
                _pump(reader, far_writer, lambda: self._is_heard),
                _pump(far_reader, writer, lambda: self._is_answered),
            )
        self._writers -= ends


@contextmanager
def line_to(netloc: str) -> Iterator[Line]:
    """A line to `host:port`, up until it is cut."""
    host, port = netloc.split(":")
    line = Line(host, int(port))
    try:
        yield line
    finally:
        line.stop()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: Callable[[], bool]
) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            if passes():
                writer.write(chunk)
                await writer.drain()
    writer.close()
