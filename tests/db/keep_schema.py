"""Write a filled database of the present schema to `data/`, for later versions to upgrade."""

import sqlite3
import tempfile
from pathlib import Path

from db import accesses
from db.engine import open_database
from db.migrate import NEWEST
from db.tables import (
    Draft,
    Export,
    OpenIdIdentity,
    PendingSignIn,
    RecoveryCode,
    SecondFactor,
    SignInAttempt,
    SignInToken,
    Source,
    TextEvent,
    TriageEvent,
    TriageFlag,
    WebSession,
)
from db.types import (
    AccessKind,
    Disposition,
    Opinion,
    Role,
    TextStep,
    TriageAction,
    TriageReason,
    now,
)
from tests import builders

DATA = Path(__file__).parent / "data"


def fill(address: str) -> None:
    """Put rows into every table."""
    sessions = open_database(address)
    with sessions.begin() as session:
        reader = builders.account(session, name="ada")
        engineer = builders.account(session, Role.ENGINEER, name="grace")
        case = builders.case(session, modality="CR", synthetic=True, stack_key="d" * 32)
        model = builders.model(session, name="sound")
        prediction = builders.prediction(session, case, model)
        made = {"preset": "standard", "baseline": "black"}
        builders.explanation(session, prediction)
        builders.explanation(
            session, prediction, method="occlusion", recipe=made, channels_share=True
        )
        builders.job(session, case_id=case.id)
        builders.verdict(session, prediction, reader, comment="first – ünïcode")
        builders.verdict(
            session, prediction, reader, opinion=Opinion.REJECT, reasons=["wrong_finding"]
        )
        builders.verdict(session, prediction, engineer, boxes=[{"x": 1.5, "y": 2}])
        session.add_all(
            [
                Source(
                    case_id=case.id,
                    source_sha256=case.source_sha256,
                    study_key="e" * 32,
                    instance_key="f" * 32,
                    position_mm=-2.5,
                    orientation=[1, 0, 0, 0, 1, 0],
                    acquired_on="2021-03-01",
                ),
                TriageFlag(
                    case_id=case.id,
                    prediction_id=prediction.id,
                    reason=TriageReason.REJECTED,
                    detail="no class given",
                ),
                TriageEvent(
                    case_id=case.id,
                    actor_id=engineer.id,
                    action=TriageAction.CLOSE,
                    disposition=Disposition.SHORTCUT,
                ),
                Draft(
                    account_id=reader.id,
                    prediction_id=prediction.id,
                    content={"comment": "half a"},
                    updated_at=now(),
                ),
                TextEvent(
                    case_id=case.id,
                    actor_id=engineer.id,
                    step=TextStep.MASKED,
                    image_sha256="c" * 64,
                    masks=[[1, 2, 3, 4]],
                    removed=["c" * 64],
                ),
                Export(schema_version="1", filters={}, manifest={"n": 1}, created_by=engineer.id),
                SignInAttempt(name="ada", address="127.0.0.1", succeeded=True),
                SignInToken(
                    token_sha256="a" * 64,
                    account_id=reader.id,
                    issued_by=engineer.id,
                    expires_at=now(),
                    used_at=now(),
                    used_from="127.0.0.1",
                ),
            ]
        )
        session.flush()
        session.add(
            WebSession(
                token_sha256="b" * 64,
                account_id=reader.id,
                expires_at=now(),
                link_sha256="a" * 64,
                address="127.0.0.1",
                browser="Chromium on Linux",
            )
        )
        factor = SecondFactor(account_id=reader.id, secret="sealed", last_step=5, failures=[])
        session.add_all(
            [
                factor,
                PendingSignIn(
                    token_sha256="d" * 64,
                    account_id=reader.id,
                    link_sha256="a" * 64,
                    expires_at=now(),
                ),
                OpenIdIdentity(
                    account_id=engineer.id, issuer="https://login.example", subject="grace"
                ),
            ]
        )
        session.flush()
        session.add(RecoveryCode(code_sha256="e" * 64, factor_id=factor.id))
        seen = {"account_id": reader.id, "session": "b" * 12, "address": "127.0.0.1"}
        for kind in (AccessKind.SIGNED_IN, AccessKind.CASE_OPENED):
            row = {"kind": kind, "created_at": now(), "case_id": case.id, **seen}
            accesses.append(session, [row])
    sessions.kw["bind"].dispose()


def main() -> None:
    """Write `data/schema_<revision>.sql`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.db"
        fill(f"sqlite:///{path}")
        connection = sqlite3.connect(path)
        lines = "\n".join(connection.iterdump())
        connection.close()
    (DATA / f"schema_{NEWEST}.sql").write_text(lines + "\n")


if __name__ == "__main__":
    main()
