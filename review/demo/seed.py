"""The demonstration: two models, 24 synthetic radiographs, and readers who have judged some.

Everything is labelled synthetic. Seeding again keeps what is there and adds what is missing.
"""

from hashlib import sha256
from pathlib import Path

from sqlalchemy import func, select

from db.inserting import insert_if_new
from db.tables import Account, Case, Model
from db.types import Origin, Role
from imaging.encode import to_png
from imaging.image import DecodedImage, Note, Of
from models.phantoms.phantom import Phantom, demo_set
from review.cases import intake
from review.cases.intake import Facts
from review.demo.verdicts import READERS
from review.demo.verdicts import apply_pending as apply_pending
from review.maps.requests import BULK_PRIORITY
from review.models.registry import import_checked
from review.policy import Action, Actor, insist
from review.workspace import Workspace
from xai_core.model.card import read_card

CARDS = Path(__file__).parents[2] / "models"
N_CASES = 24
NOTE = "Synthetic phantom: drawn by a program, of nobody."


def seed(ws: Workspace, *, by: Actor) -> None:
    """Add the demonstration to an installation, as far as it is not there yet.

    Raises:
        AccessError: If the actor may not add accounts and models.
        ReviewError: If a demo model's files are damaged.
        StorageError: If the files cannot be written.
    """
    with ws.read() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
    _add_models(ws, by=by)
    _add_readers(ws)
    with ws.read() as session:
        n_cases = session.scalar(
            select(func.count()).select_from(Case).where(Case.origin == Origin.DEMO)
        )
    if n_cases != N_CASES:
        for phantom in demo_set():
            _add_case(ws, phantom)
    apply_pending(ws)


def _add_models(ws: Workspace, *, by: Actor) -> None:
    with ws.read() as session:
        rows = session.execute(select(Model.name, Model.version))
        there = {(name, version) for name, version in rows}
    for path in sorted(CARDS.glob("*.toml")):
        card = read_card(path)
        if (card.name, card.version) not in there:
            import_checked(ws, path, by=by)


def _add_readers(ws: Workspace) -> None:
    with ws.begin() as session:
        for name, display_name in READERS.items():
            row = {"name": name, "display_name": display_name, "role": Role.READER, "demo": True}
            insert_if_new(session, Account, row)


def _add_case(ws: Workspace, phantom: Phantom) -> None:
    image = DecodedImage(
        pixels=phantom.pixels,
        window=phantom.window,
        source_format="PNG",
        source_sha256=sha256(phantom.pixels.tobytes()).hexdigest(),
        bits=phantom.bits,
        view_position="PA",
        notes=(Note(Of.UNFIT, NOTE),),
    )
    facts = Facts(
        origin=Origin.DEMO,
        priority=BULK_PRIORITY,
        synthetic=True,
        reference_label=phantom.finding.value,
        reference_mask=to_png((phantom.mask * 255).astype("uint8")) if phantom.mask.any() else None,
    )
    intake.store(ws, image, facts)
