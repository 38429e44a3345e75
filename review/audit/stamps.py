"""Time stamps (RFC 3161) of checkpoints: somebody else's clock and signature, by `openssl ts`.

A checkpoint is dated by this site's clock and signed with this site's key. A stamp proves to those
who trust the stamping authority that the checkpoint was there at a time, and a stamp without its
checkpoint shows that one is gone.
"""

import base64
import fcntl
import hashlib
import json
import os
import re
import subprocess
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

from review.audit.checkpoints import file_of
from review.errors import ReviewError, SettingsError
from review.settings import Settings

URL_VARIABLE = "SECOND_LOOK_STAMP_URL"
CA_VARIABLE = "SECOND_LOOK_STAMP_CA"
SECONDS = 30
LARGEST = 1 << 20
CLOCKS_APART = timedelta(minutes=5)
TIME = re.compile(rb"^Time stamp: (\w+ +\d+ [\d:]+)(?:\.\d+)?( \d+) GMT\s*$", re.MULTILINE)


class StampError(ReviewError):
    """No stamp was given, or it is none of this checkpoint."""


@dataclass(frozen=True)
class Stamps:
    """What the stamps beside a file of checkpoints say.

    Attributes:
        n: How many there are.
        latest_at: By when the latest stamped checkpoint was there; None where nobody's stamp holds.
        problems: What is wrong, in words.
    """

    n: int
    latest_at: datetime | None
    problems: tuple[str, ...]

    @property
    def told(self) -> str:
        """What they prove, in words."""
        if not os.environ.get(CA_VARIABLE):
            return f"by whom was not checked ({CA_VARIABLE} names no certificate)"
        if self.latest_at is None:
            return "none of these stamps holds"
        return f"by {self.latest_at:%Y-%m-%d %H:%M} UTC the latest was there"


def is_wanted() -> bool:
    """Return whether this site has a stamping authority."""
    return bool(os.environ.get(URL_VARIABLE))


def stamp(settings: Settings) -> datetime:
    """Have the newest checkpoint stamped, and keep that beside the file of checkpoints.

    Returns:
        The time that the authority stamped.

    Raises:
        SettingsError: If its address is none, or a file cannot be read or written.
        StampError: If the authority gives no stamp, or one of something else.
    """
    url = os.environ.get(URL_VARIABLE, "")
    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"{URL_VARIABLE} is {url!r}: an address of http:// or https:// only")
    try:
        lines = file_of(settings).read_bytes().splitlines()
        digest = hashlib.sha256(lines[-1]).hexdigest()
    except (OSError, IndexError) as exc:
        raise SettingsError(f"{file_of(settings)} holds no checkpoint that can be read") from exc
    answer = _asked(url, digest)
    at = _time_of(answer, digest)
    entry = {"checkpoint_sha256": digest, "response": base64.b64encode(answer).decode()}
    path = _beside(settings)
    try:
        with path.open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps(entry, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise SettingsError(f"cannot write {path} ({exc.strerror}): no stamp was kept") from exc
    return at


def read(settings: Settings) -> Stamps:
    """Check every stamp: whose checkpoint is there, and what the authority says of it.

    Raises:
        SettingsError: If a file cannot be read.
    """
    path, authority = _beside(settings), os.environ.get(CA_VARIABLE)
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        checkpoints = file_of(settings)
        signed = checkpoints.read_bytes().splitlines() if checkpoints.exists() else []
    except (OSError, ValueError) as exc:
        raise SettingsError(f"{path} cannot be read: {exc}") from exc
    of_digest = {hashlib.sha256(line).hexdigest(): line for line in signed}
    times, problems = list[datetime](), list[str]()
    for number, line in enumerate(lines, start=1):
        try:
            at = _checked(line, of_digest, authority)
        except StampError as exc:
            problems.append(f"stamp {number}: {exc}")
        else:
            times.append(at)
    latest = max(times, default=None) if authority else None
    return Stamps(len(lines), latest, tuple(problems))


def _beside(settings: Settings) -> Path:
    path = file_of(settings)
    return path.with_name(f"{path.stem}.stamps{path.suffix}")


def _asked(url: str, digest: str) -> bytes:
    """Return the authority's answer."""
    with TemporaryDirectory() as folder:
        query = Path(folder) / "query"
        _openssl("-query", "-digest", digest, "-sha256", "-cert", "-out", str(query))
        request = urllib.request.Request(  # noqa: S310 - of http and https alone, by the caller
            url,
            data=query.read_bytes(),
            headers={"Content-Type": "application/timestamp-query"},
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
                return bytes(answer.read(LARGEST))
        except (OSError, HTTPException) as exc:
            raise StampError(f"{url} gave no stamp: {exc}") from exc


def _checked(line: str, of_digest: dict[str, bytes], authority: str | None) -> datetime:
    """Return the time of a stamp that holds."""
    try:
        entry = json.loads(line)
        digest, answer = entry["checkpoint_sha256"], base64.b64decode(entry["response"])
        checkpoint = of_digest.get(digest)
    except (ValueError, KeyError, TypeError) as exc:
        raise StampError("cannot be read") from exc
    if checkpoint is None:
        raise StampError("its checkpoint is not there any more, or was altered")
    at = _time_of(answer, digest)
    if authority:
        _verify(answer, digest, authority, at)
    said = _said(checkpoint)
    if said is not None and said > at + CLOCKS_APART:
        raise StampError(f"it is of {at:%Y-%m-%d %H:%M}, its checkpoint says {said:%Y-%m-%d %H:%M}")
    return at


def _said(checkpoint: bytes) -> datetime | None:
    """Return when a checkpoint says it was made; one that cannot be read is told of elsewhere."""
    try:
        return datetime.fromisoformat(json.loads(checkpoint)["at"])
    except (ValueError, KeyError, TypeError):
        return None


def _time_of(answer: bytes, digest: str) -> datetime:
    """Return the time in an answer that grants a stamp of this digest; whose it is is not asked."""
    with TemporaryDirectory() as folder:
        told = _openssl("-reply", "-in", _kept(folder, answer), "-text")
    found = TIME.search(told)
    granted = b"Status: Granted" in told
    if not granted or found is None or digest not in _hex_of(told):
        raise StampError("the answer is no stamp of this checkpoint")
    given = (found[1] + found[2]).decode()
    return datetime.strptime(given, "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)


def _hex_of(told: bytes) -> str:
    """Return the digest that openssl prints as a dump, in one piece."""
    rows = re.findall(rb"^ +[0-9a-f]{4} - ((?:[0-9a-f]{2}[ -])+)", told, re.MULTILINE)
    return re.sub(rb"[^0-9a-f]", b"", b"".join(rows)).decode()


def _verify(answer: bytes, digest: str, authority: str, at: datetime) -> None:
    """Refuse a stamp that is not of this authority, by what was valid when it was given."""
    moment = str(int(at.timestamp()))
    with TemporaryDirectory() as folder:
        stamped = ("-digest", digest, "-in", _kept(folder, answer))
        _openssl("-verify", *stamped, "-CAfile", authority, "-attime", moment)


def _kept(folder: str, answer: bytes) -> str:
    path = Path(folder) / "answer"
    path.write_bytes(answer)
    return str(path)


def _openssl(*arguments: str) -> bytes:
    """Return what `openssl ts` prints.

    Raises:
        SettingsError: If it is not installed.
        StampError: If it refuses.
    """
    command = ["openssl", "ts", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=SECONDS)  # noqa: S603 - no shell
    except FileNotFoundError as exc:
        raise SettingsError("openssl is not installed: stamps need it") from exc
    except (subprocess.SubprocessError, OSError) as exc:
        raise StampError("openssl finds that it is no stamp of this authority") from exc
    return done.stdout
