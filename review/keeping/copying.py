"""Copying the record to another database, as from SQLite to a hospital's PostgreSQL."""

from dataclasses import dataclass, replace

from db.artifacts import ArtifactStore
from db.contents import Contents
from db.engine import engine_at, open_database, parsed
from db.errors import CopyError
from db.transfer import transfer
from review import in_use
from review.audit.walk import Expected
from review.errors import BackupError
from review.keeping.upgrade import database_file, insist_alone
from review.policy import OperatingSystemUser
from review.progress import Progress
from review.settings import Settings
from review.verdicts.verify import VerifyReport, size_problem, verify
from review.workspace import Workspace


@dataclass(frozen=True)
class Copied:
    """A record that stands in two databases.

    Attributes:
        address: Of the new one, without its password.
        contents: What both hold.
        report: What verifying the new one found.
    """

    address: str
    contents: Contents
    report: VerifyReport


def copy_to(settings: Settings, address: str, *, progress: Progress | None = None) -> Copied:
    """Copy every row of a home's database to an empty one, and verify the copy.

    The artifacts and the key stay in the home; the old database stays as it was.

    Args:
        settings: Of the home.
        address: Of the database to copy to.
        progress: Called with (rows copied, rows in all).

    Raises:
        InUseError: If a server, a worker or a command has the home open.
        SchemaError: If an address is none, or the database has to be upgraded first.
        CopyError: If the target is not empty, or cannot hold the same.
        BackupError: If the copy is not sound.
    """
    if parsed(address) == parsed(settings.database_url):
        raise CopyError("the target is the database itself: nothing was copied")
    source, target = engine_at(settings.database_url), engine_at(address)
    try:
        with in_use.alone(settings.home, database=database_file(source)):
            open_database(settings.database_url).kw["bind"].dispose()  # it is of this version
            insist_alone(source)
            made = transfer(source, target, progress=progress)
            report = _verified(replace(settings, database_url=address), made)
    finally:
        source.dispose()
        target.dispose()
    return Copied(parsed(address).render_as_string(hide_password=True), made, report)


def _verified(settings: Settings, made: Contents) -> VerifyReport:
    expected = [
        Expected(chain, head["n_rows"], head["row_sha256"], "the database that was copied")
        for chain, head in made.heads.items()
    ]
    sessions = open_database(settings.database_url)
    ws = Workspace(settings, ArtifactStore(settings.artifacts_path), sessions)
    try:
        report = verify(
            ws,
            by=OperatingSystemUser.current(),
            expected=expected,
            check_artifact=size_problem,
        )
    finally:
        sessions.kw["bind"].dispose()
    if report.n_problems:
        raise BackupError(
            f"the record was copied and is not sound ({report.problems[0]}): stay with the old "
            "database; `verify` tells whether it is so there too"
        )
    return report
