"""Files that were damaged or lost, put back where the same bytes come in or are made again."""

import hashlib

from sqlalchemy.orm import Session

from db import audit
from db.types import AuditKind
from review.workspace import Workspace

REPLACED = "the stored copy was damaged; it has been replaced"


def heal(
    ws: Workspace,
    session: Session,
    data: bytes,
    *,
    media_type: str,
    what: str,
    by: int | None,
    case_id: int | None = None,
) -> bool:
    """Put back a stored file that is damaged or missing, and record that; False where it is whole.

    Args:
        ws: The installation.
        session: The caller's transaction.
        data: The file's bytes.
        media_type: Of what kind they are.
        what: What the file is, in a word.
        by: The account that brought them; None as in `db.tables`.
        case_id: The case that the file is of.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    if ws.artifacts.is_whole(sha256):
        return False
    ws.artifacts.put(session, data, media_type=media_type)
    audit.append(
        session.connection(),
        kind=AuditKind.FILE_REPLACED,
        actor_id=by,
        subject="artifact_files",
        subject_id=sha256,
        content={
            **audit.known_of_actor(session),
            "state": {"what": what, "case_id": case_id, "n_bytes": len(data)},
        },
    )
    return True
