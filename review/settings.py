"""Where a site's state lives and what its environment says."""

import logging
import os
import stat
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from review.errors import SettingsError

IDENTITY_KEY = "identity.key"
_log = logging.getLogger(__name__)

HOME_VARIABLE = "SECOND_LOOK_HOME"
DATABASE_VARIABLE = "SECOND_LOOK_DATABASE_URL"
KEEP_IDENTIFIERS_VARIABLE = "SECOND_LOOK_KEEP_IDENTIFIERS"
PUBLIC_URL_VARIABLE = "SECOND_LOOK_PUBLIC_URL"
IDLE_VARIABLE = "SECOND_LOOK_IDLE_MINUTES"
SHARED_VARIABLE = "SECOND_LOOK_SHARED_WORKSTATIONS"
MIN_IDLE_MINUTES, IDLE_MINUTES, MAX_IDLE_MINUTES = 5, 60, 720
YES, NO = frozenset({"1", "true", "yes"}), frozenset({"", "0", "false", "no"})
USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Settings:
    """The settings of one installation.

    Attributes:
        home: Folder that holds the database, the artifacts and the site's secret key.
        database_url: SQLAlchemy address of the database.
        identity_key: Site secret that keys every hash of a patient's identity; empty until
            `Workspace.open` has made it for a fresh installation.
        public_url: Address at which readers reach the site, where it is not on loopback; written
            as a browser writes it in `Origin`.
        idle: How long somebody may do nothing and stay signed in.
        shared_workstations: Whether closing the browser signs out.
    """

    home: Path
    database_url: str
    identity_key: bytes
    public_url: str | None = None
    idle: timedelta = timedelta(minutes=IDLE_MINUTES)
    shared_workstations: bool = False

    @property
    def is_https(self) -> bool:
        """Whether readers come by https, whatever a proxy in front makes of their requests."""
        return (self.public_url or "").startswith("https://")

    @property
    def identity_key_path(self) -> Path:
        """The file that holds the site's secret."""
        return self.home / IDENTITY_KEY

    @property
    def artifacts_path(self) -> Path:
        """Folder of the content-addressed files."""
        return self.home / "artifacts"

    @property
    def exports_path(self) -> Path:
        """Folder of the archives that can be downloaded."""
        return self.home / "exports"

    @classmethod
    def load(cls, home: Path | None = None) -> "Settings":
        """Read the environment, creating the home folder when it is new.

        Raises:
            SettingsError: If the folder cannot be written or a variable holds nonsense.
        """
        home = home or Path(os.environ.get(HOME_VARIABLE) or "~/.second-look")
        home = home.expanduser().absolute()
        try:
            os.umask(0o077)  # whatever is made from now on is the site's alone
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            _close_to_others(home)
            key = _site_key(home / IDENTITY_KEY)
        except OSError as exc:
            raise SettingsError(
                f"cannot use {home} ({exc.strerror}): set {HOME_VARIABLE} to a folder "
                "that this account may write"
            ) from exc
        url = os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{home / 'second-look.db'}"
        _refuse_keeping_identifiers()
        return cls(home, url, key, _public_url(), _idle(), _is_yes(SHARED_VARIABLE))


def _close_to_others(home: Path) -> None:
    """Take the rights that others have of the home folder and of what lies in it.

    Where another account owns it, only that one can.
    """
    for path in (home, *home.iterdir()):
        try:
            mode = path.lstat().st_mode
            if mode & 0o077 and not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) & ~0o077)
        except FileNotFoundError:  # another process is done with it
            continue
        except OSError as exc:
            words = "%s can be reached by other accounts of this machine, and stays so: %s"
            _log.warning(words, path, exc.strerror)


def _site_key(path: Path) -> bytes:
    """Return the site's key; empty where there is none yet (see `review.identity`)."""
    if not path.exists():
        return b""
    key = path.read_bytes()
    if len(key) != 32:
        raise SettingsError(
            f"{path} holds {len(key)} bytes, not 32: restore it from a backup; a new key "
            "would break the grouping of patients"
        )
    return key


def _public_url() -> str | None:
    value = os.environ.get(PUBLIC_URL_VARIABLE, "").strip().rstrip("/")
    if not value:
        return None
    try:
        parts = urlsplit(value)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = parts.port or USUAL_PORTS[parts.scheme]
    except (ValueError, KeyError):
        host = None
    if not host or "@" in value or value.lower().partition("://")[2] != parts.netloc.lower():
        raise SettingsError(
            f"{PUBLIC_URL_VARIABLE} is {value!r}: allowed is http:// or https:// and a host, "
            "with a port where it is not the usual one"
        )
    return f"{parts.scheme}://{host}" + (f":{port}" if port != USUAL_PORTS[parts.scheme] else "")


def _idle() -> timedelta:
    value = os.environ.get(IDLE_VARIABLE, "").strip() or str(IDLE_MINUTES)
    if not (value.isdecimal() and MIN_IDLE_MINUTES <= int(value) <= MAX_IDLE_MINUTES):
        raise SettingsError(
            f"{IDLE_VARIABLE} is {value!r}: allowed are {MIN_IDLE_MINUTES} to {MAX_IDLE_MINUTES}"
        )
    return timedelta(minutes=int(value))


def _is_yes(variable: str) -> bool:
    value = os.environ.get(variable, "").strip().lower()
    if value not in YES | NO:
        raise SettingsError(f"{variable} is {value!r}: allowed are yes and no")
    return value in YES


def _refuse_keeping_identifiers() -> None:
    """Say that a setting of earlier versions is gone, rather than let a site rely on it."""
    if os.environ.get(KEEP_IDENTIFIERS_VARIABLE, "").strip().lower() not in NO:
        raise SettingsError(
            f"{KEEP_IDENTIFIERS_VARIABLE} is set, but direct identifiers are no longer stored: "
            "unset it (docs/input-formats.md says what became of those stored before)"
        )
