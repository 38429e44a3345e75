"""Decoding bytes from outside in processes of their own, under limits, out of reach of all else."""

import atexit
import json
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from imaging import errors
from imaging.errors import CorruptImageError, DecodeTimeoutError, ImagingError, TooLargeError
from imaging.image import (
    DecodedImage,
    Identity,
    Note,
    Of,
    Place,
    RangeFrom,
    Shading,
    Window,
)
from imaging.limits import Limits as Limits
from imaging.messages import Message, receive, send

MAX_CHILDREN = 3  # while one is at a hostile file until its time is up, the others decode
MAX_USES = 500
ROOT = Path(__file__).parent.parent


def decode(
    data: bytes,
    *,
    identity_key: bytes,
    limits: Limits | None = None,
    frame: int | None = None,
    grey_range: Window | None = None,
) -> DecodedImage:
    """Decode an image of any accepted format.

    Args:
        data: The file's bytes; their format is told from them.
        identity_key: The site's secret that keys the hashes of identity.
        limits: What decoding may take.
        frame: Which frame, page or slice, from 0. None is the one that stands for all
            of a DICOM file or a volume (see `frames`), and the first of a picture.
        grey_range: (black, white) in the file's own values, for whatever states none itself: grey
            of more than 8 bits, and DICOM without a window.

    Raises:
        ImagingError: If the file is refused; the message says why.
    """
    limits = limits or Limits()
    _insist_size(data, limits)
    asked = {"limits": asdict(limits), "frame": frame, "grey_range": grey_range}
    with _borrowed(limits.max_memory_bytes) as child:
        child.ask(asked | {"all_frames": False}, data, limits.max_seconds)
        answer = child.answer(limits.max_seconds)
    return _image(answer, identity_key)


def frames(
    data: bytes,
    *,
    identity_key: bytes,
    limits: Limits | None = None,
    grey_range: Window | None = None,
) -> Generator[DecodedImage, None, None]:
    """Decode every frame or slice of a file; of a picture with several pages the first alone.

    Args:
        data: As for `decode`.
        identity_key: As for `decode`.
        limits: What decoding may take; `max_seconds` is for each frame.
        grey_range: As for `decode`.

    Yields:
        First the frame that stands for all (the middle one, where the file names none), then the
        others in order.

    Raises:
        ImagingError: If the file or, after others, a frame is refused.
    """
    limits = limits or Limits()
    _insist_size(data, limits)
    asked = {"limits": asdict(limits), "frame": None, "grey_range": grey_range}
    with _borrowed(limits.max_memory_bytes) as child:
        child.ask(asked | {"all_frames": True}, data, limits.max_seconds)
        n_told, n_frames = 0, 1
        try:
            while n_told < n_frames:
                answer = child.answer(limits.max_seconds)
                n_told += 1
                image = _image(answer, identity_key)
                n_frames = image.n_frames
                yield image
        finally:
            if n_told < n_frames:  # nobody listens to what it still says
                child.close()


def _insist_size(data: bytes, limits: Limits) -> None:
    if len(data) > limits.max_bytes:
        raise TooLargeError(
            f"the file has {len(data) / 1e6:,.1f} MB; allowed are {limits.max_bytes / 1e6:,.0f} MB"
        )


def close() -> None:
    """End the decoding processes that wait for work; the next image starts another."""
    with _lock:
        while _idle:
            _idle.pop().close()


class _Child:
    """A decoding process, used for many images one after another."""

    def __init__(self, max_memory_bytes: int) -> None:
        self.max_memory_bytes = max_memory_bytes
        self.n_uses = 0
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", "imaging.child", str(max_memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env={"OMP_NUM_THREADS": "1"},
        )
        self._stdin = cast(IO[bytes], self._process.stdin)
        self._stdout = cast(IO[bytes], self._process.stdout)

    @property
    def is_usable(self) -> bool:
        """Whether it lives and has not been used too often (codecs leak)."""
        return self._process.poll() is None and self.n_uses < MAX_USES

    def ask(self, header: dict[str, Any], data: bytes, max_seconds: float) -> None:
        """Send one request; a process that fails is not used again.

        Raises:
            DecodeTimeoutError: If it took too long.
            CorruptImageError: If the process died over it.
        """
        self.n_uses += 1
        with self._timed(max_seconds):
            send(self._stdin, header, data)

    def answer(self, max_seconds: float) -> Message:
        """Return what it says next.

        Raises:
            DecodeTimeoutError: If it took too long.
            CorruptImageError: If the process died over it.
        """
        with self._timed(max_seconds):
            reply = receive(self._stdout)
            if reply is None:
                raise BrokenPipeError
        return reply

    @contextmanager
    def _timed(self, max_seconds: float) -> Iterator[None]:
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._process.kill()

        timer = threading.Timer(max_seconds, expire)
        timer.start()
        try:
            yield
        except (OSError, json.JSONDecodeError) as exc:
            self.close()
            if expired.is_set():
                raise DecodeTimeoutError(
                    f"decoding took more than {max_seconds:g} s; it was stopped"
                ) from exc
            raise CorruptImageError(
                "the file made its decoder fail; it is damaged or hostile"
            ) from exc
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the process and its pipes."""
        self._process.kill()
        self._process.communicate()


_places = threading.BoundedSemaphore(MAX_CHILDREN)
_lock = threading.Lock()
_idle: list[_Child] = []
atexit.register(close)


@contextmanager
def _borrowed(max_memory_bytes: int) -> Iterator[_Child]:
    """Yield a decoding process that nobody else uses meanwhile; wait for one if all are at work."""
    with _places:
        with _lock:
            child = _idle.pop() if _idle else None
        if child is None or not child.is_usable or child.max_memory_bytes != max_memory_bytes:
            if child is not None:
                child.close()
            child = _Child(max_memory_bytes)
        try:
            yield child
        finally:
            with _lock:
                _idle.append(child)


def _image(answer: Message, identity_key: bytes) -> DecodedImage:
    reply, body = answer
    if "error" in reply:
        kind = getattr(errors, str(reply["error"]), ImagingError)
        raise kind(reply["message"])
    facts = dict(reply["facts"])
    facts |= {name: tuple(facts[name]) for name in ("window", "rescale")}
    facts["windows"] = tuple(map(tuple, facts["windows"]))
    facts["notes"] = tuple(Note(Of(note["of"]), note["words"]) for note in facts["notes"])
    facts["shading"] = Shading.of(facts)
    facts["range_from"] = RangeFrom(facts["range_from"])
    facts["identity"] = Identity(**facts["identity"]).keyed(identity_key)
    place = facts["place"]
    facts["place"] = Place(**place | {"orientation": tuple(place["orientation"])})
    pixels: Any = np.frombuffer(body, dtype=reply["dtype"]).reshape(reply["shape"])
    return DecodedImage(pixels=pixels, **facts)
