"""The site's secret key: made once, known again by its fingerprint, never replaced in silence.

Patients are grouped by hashes that this key makes. With another key every patient would be a new
one, and nothing would say so.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from db.engine import open_database, read_only
from db.tables import Case, Setting
from db.verdicts import lock
from review.errors import SettingsError
from review.settings import Settings

FINGERPRINT_KEY = "identity_key_fingerprint"
PURPOSE = b"second-look identity key fingerprint"


def settled(settings: Settings, sessions: sessionmaker[Session]) -> Settings:
    """Return the settings with the key that belongs to the database; a fresh one makes its own.

    Raises:
        SettingsError: If the key is missing or is another than the database was made with.
    """
    with sessions() as session:
        read_only(session)
        recorded = _recorded(session)
    if recorded is not None and settings.identity_key:
        _check(settings, recorded)
        return settings
    with sessions.begin() as session:
        # Another process may have come first.
        lock(session)
        recorded = _recorded(session)
        key = settings.identity_key or _read(settings.identity_key_path)
        if not key:
            _refuse_if_keyed(session, settings, recorded)
            key = _made(settings.identity_key_path)
        settings = replace(settings, identity_key=key)
        if recorded is None:
            session.merge(Setting(key=FINGERPRINT_KEY, value={"hmac_sha256": fingerprint(key)}))
        else:
            _check(settings, recorded)
    return settings


def renewed(settings: Settings) -> str:
    """Make a new key in place of one that is lost for good, and return its fingerprint.

    Raises:
        SettingsError: If there is a key.
    """
    path = settings.identity_key_path
    if path.exists():
        raise SettingsError(f"{path} is there: a new key is made only in place of one that is lost")
    sessions = open_database(settings.database_url)
    try:
        with sessions.begin() as session:
            lock(session)
            value = {"hmac_sha256": fingerprint(_made(path))}
            session.merge(Setting(key=FINGERPRINT_KEY, value=value))
    finally:
        sessions.kw["bind"].dispose()
    return value["hmac_sha256"]


def fingerprint(key: bytes) -> str:
    """Return what is recorded of the key; the key cannot be had from it."""
    return hmac.new(key, PURPOSE, hashlib.sha256).hexdigest()


def _recorded(session: Session) -> str | None:
    found = session.get(Setting, FINGERPRINT_KEY)
    return str(found.value.get("hmac_sha256")) if found else None


def _check(settings: Settings, recorded: str) -> None:
    if fingerprint(settings.identity_key) != recorded:
        raise SettingsError(
            f"{settings.identity_key_path} is not the key that this database was made with: "
            "restore the right one from a backup; with another, known patients would count as new"
        )


def _refuse_if_keyed(session: Session, settings: Settings, recorded: str | None) -> None:
    keyed = select(Case.id).where(Case.patient_key.is_not(None)).limit(1)
    if recorded is not None or session.scalar(keyed) is not None:
        raise SettingsError(
            f"{settings.identity_key_path} is missing, and this database was made with it: "
            "restore it from a backup; no new key was made, for known patients would count as new "
            "(if it is lost for good: python -m review new-identity-key)"
        )


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _made(path: Path) -> bytes:
    """Make a key that appears under its name only once it is whole."""
    key = secrets.token_bytes(32)
    partial = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as exc:
        raise SettingsError(f"cannot write {path} ({exc.strerror}): nothing was begun") from exc
    return key
