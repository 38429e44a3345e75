"""Homes that hold something worth keeping, and what can be asked of them."""

import hashlib
import sqlite3
from pathlib import Path

from sqlalchemy import select

from db.artifacts import ArtifactStore
from db.contents import Contents
from db.engine import snapshot
from db.tables import Account, Draft, Model, Prediction, SignInToken, WebSession
from db.types import now
from review.settings import Settings
from review.verdicts.verify import VerifyReport, verify
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR


def fill(ws: Workspace) -> None:
    """Put a case with a map and a verdict into a home, its files too, and sign somebody in."""
    with ws.begin() as session:
        reader = builders.account(session, name="ada")
        image, weights, values = (
            builders.artifact(session, ws.artifacts, text) for text in (b"image", b"w", b"values")
        )
        case = builders.case(session, image_sha256=image, patient_key="k" * 64)
        model = builders.model(session, weights_sha256=weights, name="sound")
        prediction = builders.prediction(session, case, model)
        builders.explanation(session, prediction, artifact_sha256=values)
        builders.verdict(session, prediction, reader)
        session.add_all(
            [
                Draft(
                    account_id=reader.id, prediction_id=prediction.id, content={}, updated_at=now()
                ),
                SignInToken(token_sha256="a" * 64, account_id=reader.id, expires_at=now()),
                WebSession(token_sha256="b" * 64, account_id=reader.id, expires_at=now()),
            ]
        )


def add_case(ws: Workspace, data: bytes) -> str:
    """Add a case with an image and a verdict; return the image's hash."""
    with ws.begin() as session:
        sha256 = builders.artifact(session, ws.artifacts, data)
        case = builders.case(session, image_sha256=sha256)
        prediction = builders.prediction(session, case, session.get_one(Model, 1))
        builders.verdict(session, prediction, session.get_one(Account, 1))
    return sha256


def sign_again(ws: Workspace) -> None:
    """Let the reader sign the first prediction once more."""
    with ws.begin() as session:
        prediction = session.get_one(Prediction, 1)
        builders.verdict(session, prediction, session.scalars(select(Account)).first())


def write_artifacts(home: Path) -> None:
    """Write the files of artifacts of which `builders` made the row alone."""
    connection = sqlite3.connect(home / "second-look.db")
    named = {sha256 for (sha256,) in connection.execute("SELECT sha256 FROM artifacts")}
    connection.close()
    store = ArtifactStore(home / "artifacts")
    for data in (f"artifact {number}".encode() for number in range(10_000)):
        if (sha256 := hashlib.sha256(data).hexdigest()) in named:
            store.path(sha256).parent.mkdir(parents=True, exist_ok=True)
            store.path(sha256).write_bytes(data)


def contents(ws: Workspace) -> Contents:
    with snapshot(ws.sessions.kw["bind"]) as connection:
        return Contents.of(connection)


def opened(home: Path, address: str | None = None) -> Workspace:
    return Workspace.open(
        Settings(home, address or f"sqlite:///{home / 'second-look.db'}", key_of(home))
    )


def key_of(home: Path) -> bytes:
    path = home / "identity.key"
    return path.read_bytes() if path.exists() else b""


def close(ws: Workspace) -> None:
    ws.sessions.kw["bind"].dispose()
    if ws.share is not None:
        ws.share.end()


def report(ws: Workspace) -> VerifyReport:
    return verify(ws, by=OPERATOR)
