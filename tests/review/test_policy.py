"""Every use case of every room, asked for by everybody."""

import ast
import importlib
import inspect
import pkgutil
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import select

import review
from db import accesses
from db.errors import NotFoundError
from db.tables import Access, Base, Case, Job, Model, OpenIdIdentity, SecondFactor, Setting
from db.types import AccessKind, Disposition, JobStatus, Opinion, Role
from imaging.encode import to_png
from review import policy
from review.access import (
    accounts,
    openid,
    openid_settings,
    own_password,
    own_sessions,
    second_factor,
    start,
    ways,
)
from review.audit import checkpoints, listing, retention
from review.audit.listing import AuditFilter
from review.burnt_in import desk, noticing, search
from review.burnt_in.noticing import Choice
from review.cases import batches, intake, pixels, reading, studies, worklist
from review.cases.worklist import WorklistQuery
from review.demo import seed
from review.errors import AccessError
from review.exporting import dataset, kept
from review.exporting import requests as exports
from review.exporting.dataset import ExportFilter
from review.keeping import backup
from review.maps import again, agreement, checks, explain_file, requests
from review.maps.recipes import Recipe, RecipeError
from review.models import proposals, registry, trial
from review.policy import TABLE, Action, Actor, OperatingSystemUser
from review.settings import Settings
from review.state.flags import refresh_flags
from review.triage import model_summary, queue
from review.triage.queue import TriageFilter
from review.verdicts import asked, sign, unsigned, verify
from review.verdicts.evidence import evidence_token
from review.verdicts.unsigned import DraftContent
from review.workspace import Workspace
from tests import builders, tiny_models
from tests.builders import OPERATOR

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"
ISSUER = "https://login.example"


@dataclass(frozen=True)
class Site:
    """An installation that holds one of everything, and where files may be written."""

    ws: Workspace
    folder: Path
    actors: dict[str, Actor]
    case_id: int
    closed_case_id: int
    model_id: int
    prediction_id: int
    explanation_id: int
    job_id: int
    export_id: int
    other_id: int
    guarded_id: int
    elsewhere_id: int
    token: str
    suspected_case_id: int
    suspected_sha256: str


Call = Callable[[Site, Actor], object]


def _record(site: Site, by: Actor, request_id: str = "signed") -> sign.VerdictView:
    opinion, case_id = Opinion.ACCEPT, site.case_id
    draft = sign.VerdictDraft(request_id, case_id, site.prediction_id, opinion, site.token)
    return sign.record(site.ws, by, draft)


def _withdraw(site: Site, by: Actor) -> object:
    """Withdraw a verdict that the actor signed, as far as they can have."""
    signed_id = 1
    with suppress(AccessError):
        signed_id = _record(site, by).id
    return sign.withdraw(site.ws, by, signed_id, "withdrawn")


def _again(site: Site, by: Actor) -> None:
    with suppress(RecipeError):  # the record does not say how this map was made
        again.request(site.ws, site.explanation_id, by=by)


def _explain_file(site: Site, by: Actor) -> None:
    order = explain_file.Order("none of this name", Recipe())
    with pytest.raises(NotFoundError):
        explain_file.explain_file(
            site.ws, site.folder / "image", site.folder, order, by=by, progress=lambda *_: None
        )


def _change_password(site: Site, by: Actor) -> None:
    accounts.change_password(site.ws, by, PASSWORD, current="", session_token=None)


def _upload_model(site: Site, by: Actor) -> object:
    card = tiny_models.write_card(site.folder, "new")
    weights = card.with_suffix(".safetensors").read_bytes()
    return registry.import_uploaded(site.ws, card.read_bytes(), weights, by=by)


def _set_up(site: Site, by: Actor) -> tuple[str, ...]:
    offer = second_factor.offer(site.ws, SimpleNamespace(id=by, name="somebody"))
    code = pyotp.TOTP(offer.secret).now()
    return second_factor.set_up(site.ws, by, offer.sealed, code, password="")


def _recovery_code(site: Site, by: Actor) -> str:
    """Return a recovery code of the actor's, as far as they can have a second factor."""
    with suppress(AccessError):
        return _set_up(site, by)[0]
    return ""


ANY = WorklistQuery()
ALL = ExportFilter(unjudged=True)
NO_ACTION = Disposition.NO_ACTION
USE_CASES: dict[str, tuple[Action, Call]] = {
    # --- cases
    "cases.worklist.search": (Action.READ, lambda s, by: worklist.search(s.ws, ANY, by=by)),
    "cases.worklist.choices": (Action.READ, lambda s, by: worklist.choices(s.ws, by=by)),
    "cases.worklist.place": (
        Action.READ,
        lambda s, by: worklist.place(s.ws, ANY, s.case_id, by=by),
    ),
    "cases.worklist.next_unread": (
        Action.READ,
        lambda s, by: worklist.next_unread(s.ws, by, ANY, s.case_id),
    ),
    "cases.worklist.unread_model": (
        Action.READ,
        lambda s, by: worklist.unread_model(s.ws, by, ANY, s.case_id),
    ),
    "cases.studies.study": (Action.READ, lambda s, by: studies.study(s.ws, s.case_id, by=by)),
    "cases.reading.open_case": (
        Action.READ,
        lambda s, by: reading.open_case(s.ws, s.case_id, reader_id=by),
    ),
    "cases.reading.open_ahead": (
        Action.READ,
        lambda s, by: reading.open_ahead(s.ws, s.case_id, reader_id=by),
    ),
    "cases.pixels.image_sha256": (
        Action.READ,
        lambda s, by: pixels.image_sha256(s.ws, s.case_id, by=by),
    ),
    "cases.pixels.thumbnail_sha256": (
        Action.READ,
        lambda s, by: pixels.thumbnail_sha256(s.ws, s.case_id, by=by),
    ),
    "cases.pixels.drawn_map": (
        Action.READ,
        lambda s, by: pixels.drawn_map(s.ws, s.explanation_id, by=by),
    ),
    "cases.intake.receive": (
        Action.UPLOAD,
        lambda s, by: list(intake.receive(s.ws, [("a", b"junk")], by=by, origin="upload")),
    ),
    # --- maps
    "maps.requests.request": (
        Action.EXPLAIN,
        lambda s, by: requests.request(s.ws, s.case_id, by=by, recipe=Recipe("quick")),
    ),
    "maps.requests.request_all": (
        Action.MANAGE_MODELS,
        lambda s, by: requests.request_all(s.ws, s.model_id, by=by),
    ),
    "maps.requests.progress": (
        Action.READ,
        lambda s, by: requests.progress(s.ws, by=by, case_ids=[s.case_id]),
    ),
    "maps.requests.cancel": (Action.EXPLAIN, lambda s, by: requests.cancel(s.ws, s.job_id, by=by)),
    "maps.requests.retry": (Action.EXPLAIN, lambda s, by: requests.retry(s.ws, s.job_id, by=by)),
    "maps.agreement.pair": (
        Action.READ,
        lambda s, by: agreement.pair(s.ws, s.explanation_id, s.explanation_id, by=by),
    ),
    "maps.checks.request": (
        Action.EXPLAIN,
        lambda s, by: checks.request(s.ws, s.explanation_id, by=by),
    ),
    "cases.batches.begin": (
        Action.UPLOAD,
        lambda s, by: batches.begin(s.ws, "b", 1, 0, by=by).batch.cancel(),
    ),
    "maps.again.request": (
        Action.EXPLAIN,
        _again,
    ),
    "maps.explain_file.explain_file": (Action.EXPLAIN, _explain_file),
    # --- verdicts
    "verdicts.sign.record": (Action.SIGN, _record),
    "verdicts.sign.withdraw": (Action.SIGN, _withdraw),
    "verdicts.sign.history": (
        Action.KNOW_VERDICTS,
        lambda s, by: sign.history(s.ws, s.case_id, by=by),
    ),
    "verdicts.unsigned.keep": (
        Action.SIGN,
        lambda s, by: unsigned.keep(s.ws, by, s.prediction_id, DraftContent(), base_at=None),
    ),
    "verdicts.unsigned.discard": (
        Action.SIGN,
        lambda s, by: unsigned.discard(s.ws, by, s.prediction_id, base_at=None),
    ),
    "audit.checkpoints.sign": (
        Action.VERIFY,
        lambda s, by: checkpoints.sign(s.ws, by=by),
    ),
    "audit.listing.page": (
        Action.SEE_AUDIT,
        lambda s, by: listing.page(s.ws, AuditFilter(), by=by),
    ),
    "audit.listing.taken_out": (
        Action.SEE_AUDIT,
        lambda s, by: listing.taken_out(s.ws, AuditFilter(), by=by),
    ),
    "audit.listing.people": (Action.SEE_AUDIT, lambda s, by: listing.people(s.ws, by=by)),
    "audit.retention.days_kept": (
        Action.SEE_AUDIT,
        lambda s, by: retention.days_kept(s.ws, by=by),
    ),
    "audit.retention.keep": (Action.KEEP_AUDIT, lambda s, by: retention.keep(s.ws, 90, by=by)),
    "verdicts.verify.verify": (Action.VERIFY, lambda s, by: verify.verify(s.ws, by=by)),
    # --- triage
    "triage.queue.queue": (
        Action.SEE_TRIAGE,
        lambda s, by: queue.queue(s.ws, TriageFilter(), by=by),
    ),
    "triage.queue.find": (Action.SEE_TRIAGE, lambda s, by: queue.find(s.ws, s.case_id, by=by)),
    "triage.queue.engineers": (Action.SEE_TRIAGE, lambda s, by: queue.engineers(s.ws, by=by)),
    "triage.queue.history": (
        Action.SEE_TRIAGE,
        lambda s, by: queue.history(s.ws, s.case_id, by=by),
    ),
    "triage.model_summary.model_summaries": (
        Action.SEE_TRIAGE,
        lambda s, by: model_summary.model_summaries(s.ws, by=by),
    ),
    "triage.queue.assign": (
        Action.TRIAGE,
        lambda s, by: queue.assign(
            s.ws, s.case_id, actor_id=by, assignee_id=s.actors[Role.ENGINEER]
        ),
    ),
    "triage.queue.comment": (
        Action.TRIAGE,
        lambda s, by: queue.comment(s.ws, s.case_id, actor_id=by, text="seen"),
    ),
    "triage.queue.close": (
        Action.TRIAGE,
        lambda s, by: queue.close(s.ws, s.case_id, actor_id=by, disposition=NO_ACTION),
    ),
    "triage.queue.reopen": (
        Action.TRIAGE,
        lambda s, by: queue.reopen(s.ws, s.closed_case_id, actor_id=by),
    ),
    # --- exporting
    "exporting.dataset.preview": (Action.EXPORT, lambda s, by: dataset.preview(s.ws, ALL, by=by)),
    "exporting.dataset.export": (
        Action.EXPORT,
        lambda s, by: dataset.export(s.ws, ExportFilter(), s.folder / "e.zip", by=by),
    ),
    "exporting.kept.kept": (Action.EXPORT, lambda s, by: kept.kept(s.ws, by=by)),
    "exporting.kept.remove": (Action.EXPORT, lambda s, by: kept.remove(s.ws, s.export_id, by=by)),
    "exporting.kept.remove_older": (
        Action.EXPORT,
        lambda s, by: kept.remove_older(s.ws, 1, by=by),
    ),
    "keeping.backup.backup": (
        Action.BACK_UP,
        # Its rows name artifacts that nobody made.
        lambda s, by: backup.backup(
            s.ws, s.folder / "backups", by=by, chosen=backup.Choice(despite_damage=True)
        ),
    ),
    "exporting.requests.request": (Action.EXPORT, lambda s, by: exports.request(s.ws, ALL, by=by)),
    "exporting.requests.exports": (Action.EXPORT, lambda s, by: exports.exports(s.ws, by=by)),
    "exporting.requests.download": (
        Action.EXPORT,
        lambda s, by: exports.download(s.ws, s.export_id, by=by),
    ),
    "exporting.requests.cancel": (
        Action.EXPORT,
        lambda s, by: exports.cancel(s.ws, s.export_id, by=by),
    ),
    "exporting.requests.models": (Action.EXPORT, lambda s, by: exports.models(s.ws, by=by)),
    # --- models
    "models.registry.list_models": (Action.READ, lambda s, by: registry.list_models(s.ws, by=by)),
    "models.registry.find": (Action.READ, lambda s, by: registry.find(s.ws, "tiny", by=by)),
    "models.registry.set_active": (
        Action.MANAGE_MODELS,
        lambda s, by: registry.set_active(s.ws, s.model_id, active=False, by=by),
    ),
    "models.registry.resume": (
        Action.MANAGE_MODELS,
        lambda s, by: registry.resume(s.ws, s.model_id, by=by),
    ),
    "models.registry.import_model": (
        Action.MANAGE_MODELS,
        lambda s, by: registry.import_model(s.ws, tiny_models.write_card(s.folder, "new"), by=by),
    ),
    "models.proposals.propose": (
        Action.PROPOSE_MODELS,
        lambda s, by: proposals.propose(s.ws, b"weights", {}, by=by),
    ),
    "models.registry.import_uploaded": (Action.MANAGE_MODELS, _upload_model),
    "models.registry.import_checked": (
        Action.MANAGE_MODELS,
        lambda s, by: registry.import_checked(s.ws, tiny_models.write_card(s.folder, "new"), by=by),
    ),
    # --- settings
    "verdicts.asked.site_list": (Action.READ, lambda s, by: asked.site_list(s.ws, by=by)),
    "verdicts.asked.known": (Action.READ, lambda s, by: asked.known(s.ws, by=by)),
    "verdicts.asked.choose": (
        Action.MANAGE_SETTINGS,
        lambda s, by: asked.choose(s.ws, (), by=by),
    ),
    # --- accounts
    "access.accounts.create_account": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: accounts.create_account(s.ws, "new", by=by, role=Role.ADMINISTRATOR),
    ),
    "access.accounts.ensure_administrator": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: accounts.ensure_administrator(s.ws, by=by),
    ),
    "access.accounts.list_accounts": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: accounts.list_accounts(s.ws, by=by),
    ),
    "access.accounts.account_named": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: accounts.account_named(s.ws, "other", by=by),
    ),
    "access.accounts.set_password": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: accounts.set_password(s.ws, s.other_id, PASSWORD, by=by),
    ),
    "access.accounts.reset_password": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: accounts.reset_password(s.ws, s.other_id, by=by),
    ),
    "access.accounts.issue_link": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: accounts.issue_link(s.ws, s.other_id, by=by),
    ),
    "access.accounts.set_role": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: accounts.set_role(s.ws, s.other_id, Role.ADMINISTRATOR, by=by),
    ),
    "access.accounts.deactivate": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: accounts.deactivate(s.ws, s.other_id, by=by),
    ),
    "access.accounts.activate": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: accounts.activate(s.ws, s.other_id, by=by),
    ),
    "access.accounts.change_password": (Action.OWN_PASSWORD, _change_password),
    "access.accounts.end_sessions": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: accounts.end_sessions(s.ws, s.other_id, by=by),
    ),
    "access.start.start_link": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: start.start_link(s.ws, by=by),
    ),
    "access.own_sessions.own_sessions": (
        Action.OWN_SESSIONS,
        lambda s, by: own_sessions.own_sessions(s.ws, by),
    ),
    "access.own_sessions.end_own_sessions": (
        Action.OWN_SESSIONS,
        lambda s, by: own_sessions.end_own_sessions(s.ws, by, ("none",)),
    ),
    "access.own_password.insist_on_password": (
        Action.OWN_PASSWORD,
        lambda s, by: own_password.insist_on_password(s.ws, by, "", to=Action.OWN_PASSWORD),
    ),
    # --- ways in
    "access.ways.ways_of_all": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: ways.ways_of_all(s.ws, by=by),
    ),
    "access.ways.own_ways": (Action.OWN_SECOND_FACTOR, lambda s, by: ways.own_ways(s.ws, by)),
    "access.second_factor.standing": (
        Action.OWN_SECOND_FACTOR,
        lambda s, by: second_factor.standing(s.ws, by),
    ),
    "access.second_factor.set_up": (Action.OWN_SECOND_FACTOR, _set_up),
    "access.second_factor.turn_off": (
        Action.OWN_SECOND_FACTOR,
        lambda s, by: second_factor.turn_off(s.ws, by, _recovery_code(s, by), password=""),
    ),
    "access.second_factor.renew_codes": (
        Action.OWN_SECOND_FACTOR,
        lambda s, by: second_factor.renew_codes(s.ws, by, _recovery_code(s, by), password=""),
    ),
    "access.second_factor.remove": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: second_factor.remove(s.ws, s.guarded_id, by=by),
    ),
    "access.openid.link": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: openid.link(s.ws, s.other_id, "subject", by=by),
    ),
    "access.openid.unlink": (
        Action.MANAGE_ACCOUNTS,
        lambda s, by: openid.unlink(s.ws, s.elsewhere_id, by=by),
    ),
    # --- text in pictures
    "burnt_in.noticing.choice": (Action.READ, lambda s, by: noticing.choice(s.ws, by=by)),
    "burnt_in.noticing.choose": (
        Action.MANAGE_SETTINGS,
        lambda s, by: noticing.choose(s.ws, Choice.QUARANTINE, by=by),
    ),
    "burnt_in.desk.waiting": (Action.CHECK_TEXT, lambda s, by: desk.waiting(s.ws, by=by)),
    "burnt_in.desk.look": (
        Action.CHECK_TEXT,
        lambda s, by: desk.look(s.ws, s.suspected_case_id, by=by),
    ),
    "burnt_in.desk.picture": (
        Action.CHECK_TEXT,
        lambda s, by: desk.picture(s.ws, s.suspected_case_id, by=by),
    ),
    "burnt_in.desk.release": (
        Action.CHECK_TEXT,
        lambda s, by: desk.release(s.ws, s.suspected_case_id, s.suspected_sha256, by=by),
    ),
    "burnt_in.desk.mask": (
        Action.CHECK_TEXT,
        lambda s, by: desk.mask(
            s.ws, s.suspected_case_id, s.suspected_sha256, [[1, 1, 4, 4]], by=by
        ),
    ),
    "burnt_in.search.look_for_text": (
        Action.MANAGE_SETTINGS,
        lambda s, by: search.look_for_text(s.ws, by=by),
    ),
    "demo.seed.seed": (Action.MANAGE_ACCOUNTS, lambda s, by: seed.seed(s.ws, by=by)),
}

_FINDS_OUT = "finds out who asks"
_ALLOWED = "does what was allowed when it was asked for"
_SERVES = "is told nothing of the record but that it is there"
NO_USE_CASES = {
    "access.accounts.acting_as": _FINDS_OUT,
    "access.openid.begin": _FINDS_OUT,
    "access.openid.enter": _FINDS_OUT,
    "access.second_factor.accepted": "is a part of what asks for a code",
    "access.second_factor.add": "is a part of `set_up`, and of the second step",
    "access.second_factor.offer": "makes a secret that is nobody's",
    "access.second_factor.offered": "tells a form what it brings back",
    "access.second_factor.offered_secret": "tells a form what it brings back",
    "access.second_step.enter": _FINDS_OUT,
    "access.second_step.enter_by_setting_up": _FINDS_OUT,
    "access.second_step.waiting": _FINDS_OUT,
    "access.links.notices": "tells an account of its own links",
    "access.links.take_note": "is of an account's own links, for its own session",
    "access.sessions.end_idle": "ends what has run out",
    "access.sessions.sign_in": _FINDS_OUT,
    "access.sessions.look_at_link": _FINDS_OUT,
    "access.sessions.redeem_link": _FINDS_OUT,
    "access.sessions.time_left": _FINDS_OUT,
    "access.sessions.account_of": _FINDS_OUT,
    "access.sessions.touch": _FINDS_OUT,
    "access.sessions.write_seen": "records what `touch` found",
    "access.sessions.sign_out": "ends the session that is named by its own secret",
    "audit.live.row_problems": "is a part of `verify`",
    "audit.retention.remove_old": "does what `keep` said",
    "burnt_in.pictures.erase_removed": "ends what `mask` was allowed to do",
    "burnt_in.pictures.sweep": "ends what `mask` was allowed to do",
    "cases.batches.at_work": "finds an account's own",
    "cases.batches.find": "finds an account's own",
    "cases.batches.spool_of": _ALLOWED,
    "cases.batches.state_range": "keeps an account's own choice; beginning a batch asks",
    "cases.stacks.add": "is how `receive` keeps frames",
    "cases.stacks.settle": "is how `receive` ends",
    "cases.intake.store": "is how `receive` and the demonstration store",
    "cases.pixels.raw_image": "reads by a hash that `image_sha256` tells",
    "cases.pixels.raw_map": "reads by a hash that `drawn_map` tells",
    "demo.verdicts.apply_pending": "the demo readers sign, by `record`",
    "exporting.dataset.write": _ALLOWED,
    "exporting.kept.path_of": _ALLOWED,
    "exporting.requests.forget": "is a part of `mask`",
    "healing.heal": "is a part of storing and making",
    "maps.agreement.agreement": "compares maps that `pair` tells",
    "maps.check_job.prepare": _ALLOWED,
    "maps.explain_job.prepare": _ALLOWED,
    "maps.recorded.attribution": _ALLOWED,
    "maps.recorded.loaded": _ALLOWED,
    "maps.recorded.unit_image": _ALLOWED,
    "processes.deaths.record": _ALLOWED,
    "processes.figures.gather": "tells numbers alone, to whoever has the site's token",
    "processes.serving.insist_on_writing": _SERVES,
    "processes.serving.link_address": _SERVES,
    "processes.upkeep.once": "does what `keep` said, and ends what has run out",
    "processes.upkeep.running": "does what `keep` said, and ends what has run out",
    "processes.worker.holding_device": _ALLOWED,
    "processes.worker.run": _ALLOWED,
    "processes.worker.run_once": _ALLOWED,
    "triage.outdated.refresh_outdated": "computes again what follows from the record",
}
ACTORS = [*Role, "closed", "unknown", "operating system"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Site]:
    """The installation that each test gets a copy of."""
    home = tmp_path_factory.mktemp("original")
    shutil.copy(empty_database, home / "second-look.db")
    for ws in opened(home):
        yield filled(ws, home)


@pytest.fixture
def site(original: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(trial, "tried", lambda *_: ())
    monkeypatch.setattr(trial, "proposed", lambda *_: [])
    monkeypatch.setattr(seed, "_add_case", lambda ws, phantom: None)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    monkeypatch.setenv(checkpoints.KEY_VARIABLE, pem)
    for name, value in (("ISSUER", ISSUER), ("CLIENT_ID", "us"), ("ROLES", "readers=reader")):
        monkeypatch.setenv(f"{openid_settings.PREFIX}{name}", value)
    for ws in opened(shutil.copytree(original.folder, tmp_path / "home")):
        yield replace(original, ws=ws, folder=tmp_path / "files")


def opened(home: Path) -> Iterator[Workspace]:
    (home / "identity.key").write_bytes(bytes(32))
    ws = Workspace.open(Settings(home, f"sqlite:///{home / 'second-look.db'}", bytes(32)))
    yield ws
    ws.sessions.kw["bind"].dispose()


def filled(ws: Workspace, folder: Path) -> Site:
    model_id = registry.import_checked(ws, tiny_models.write_card(folder), by=OPERATOR).id
    with ws.begin() as session:
        actors: dict[str, Actor] = {role: builders.account(session, role).id for role in Role}
        closed = builders.account(session, Role.ADMINISTRATOR, active=False)
        actors |= {"closed": closed.id, "unknown": 999, "operating system": OPERATOR}
        other = builders.account(session, name="other")
        guarded, elsewhere = builders.account(session), builders.account(session)
        session.add(SecondFactor(account_id=guarded.id, secret="sealed"))
        session.add(OpenIdIdentity(account_id=elsewhere.id, issuer=ISSUER, subject="somebody"))
        closed_case, case = (
            builders.case(session, thumbnail_sha256=builders.artifact(session)) for _ in range(2)
        )
        model = session.get_one(Model, model_id)
        for each in (closed_case, case):
            prediction = builders.prediction(session, each, model, score=0.3)
            refresh_flags(session, each.id)
        explanation = builders.explanation(session, prediction)
        payload = {"case_id": case.id, "model_id": model.id}
        job = builders.job(session, case_id=case.id, payload=payload)
        export = builders.job(session, kind="export", payload=ALL.to_json())
        token = evidence_token(session, prediction.id, [])
        png = to_png(np.full((48, 64), 90, np.uint8))
        suspected = builders.case(
            session,
            image_sha256=builders.artifact(session, ws.artifacts, png),
            acquisition={"burnt_in_text": {"suspected": True, "why": [], "boxes": []}},
        )
        noticing.notice(session, suspected)
    queue.close(ws, closed_case.id, actor_id=actors[Role.ENGINEER], disposition=NO_ACTION)
    archive = kept.path_of(ws, export.id)
    archive.parent.mkdir()
    archive.touch()
    return Site(
        ws,
        folder,
        actors,
        case_id=case.id,
        closed_case_id=closed_case.id,
        model_id=model_id,
        prediction_id=prediction.id,
        explanation_id=explanation.id,
        job_id=job.id,
        export_id=export.id,
        other_id=other.id,
        guarded_id=guarded.id,
        elsewhere_id=elsewhere.id,
        token=token,
        suspected_case_id=suspected.id,
        suspected_sha256=suspected.image_sha256,
    )


def held(ws: Workspace) -> tuple[object, ...]:
    """Return every row of every table but the accesses, and the names of all files."""
    heads = Setting.__table__.c.key == accesses.HEAD_KEY
    with ws.read() as session:
        rows = [
            session.execute(
                select(table).where(~heads) if table is Setting.__table__ else select(table)
            ).all()
            for table in Base.metadata.sorted_tables
            if table is not Access.__table__
        ]
    return rows, sorted(path for path in ws.settings.artifacts_path.rglob("*") if path.is_file())


def n_refused(ws: Workspace, action: Action) -> int:
    """Return how many refusals of something are on record."""
    with ws.read() as session:
        told = session.scalars(select(Access.content).where(Access.kind == AccessKind.REFUSED))
        return [content["action"] for content in told].count(action)


def allowed(name: str, action: Action) -> bool:
    if name == "operating system":
        return TABLE[action][-1]
    return name in list(Role) and policy.may(SimpleNamespace(role=name, active=True), action)


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("name", USE_CASES)
def test_a_use_case_does_what_the_table_allows_and_nothing_else(site, name, actor):
    action, call = USE_CASES[name]
    if allowed(actor, action):
        call(site, site.actors[actor])
        return
    before, n_before = held(site.ws), n_refused(site.ws, action)
    with pytest.raises(AccessError, match=f"may not {action}; {policy.who(action)} may"):
        call(site, site.actors[actor])
    assert held(site.ws) == before
    # A refusal changes nothing, and is on record.
    assert n_refused(site.ws, action) == n_before + 1


def functions() -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield every public function of the rooms that takes a workspace, by its name."""
    for module in pkgutil.walk_packages(review.__path__, "review."):
        if module.name.endswith("__main__"):
            continue
        for name, found in vars(importlib.import_module(module.name)).items():
            own = inspect.isfunction(found) and found.__module__ == module.name
            if own and not name.startswith("_"):
                taken = inspect.signature(inspect.unwrap(found)).parameters.values()
                if any(parameter.annotation is Workspace for parameter in taken):
                    yield f"{module.name.removeprefix('review.')}.{name}", found


def test_every_function_that_takes_a_workspace_is_listed_here():
    assert sorted(name for name, _ in functions()) == sorted(USE_CASES | NO_USE_CASES)


def test_no_use_case_has_an_actor_by_default():
    for name, function in functions():
        if name in USE_CASES:
            taken = inspect.signature(function).parameters
            (actor,) = [p for p in ("by", "reader_id", "actor_id") if p in taken] or ["account_id"]
            assert taken[actor].default is inspect.Parameter.empty


def test_a_role_and_a_closed_account_hold_from_the_next_call_on(site):
    engineer = site.actors[Role.ENGINEER]
    queue.comment(site.ws, site.case_id, actor_id=engineer, text="seen")
    accounts.set_role(site.ws, engineer, Role.READER, by=OPERATOR)
    with pytest.raises(AccessError, match="may not assign, comment"):
        queue.comment(site.ws, site.case_id, actor_id=engineer, text="seen")
    _record(site, engineer)
    accounts.deactivate(site.ws, engineer, by=OPERATOR)
    with pytest.raises(AccessError, match="unknown or closed may not sign"):
        _record(site, engineer, "again")


def test_a_reader_cancels_what_they_asked_for_and_nothing_of_anothers(site):
    reader, engineer = site.actors[Role.READER], site.actors[Role.ENGINEER]
    with site.ws.begin() as session:
        job = session.get_one(Job, site.job_id)
        job.created_by, job.status = engineer, JobStatus.QUEUED
    with pytest.raises(AccessError, match="may not cancel what another account has asked for"):
        requests.cancel(site.ws, site.job_id, by=reader)
    with site.ws.begin() as session:
        session.get_one(Job, site.job_id).created_by = reader
    requests.cancel(site.ws, site.job_id, by=reader)
    with site.ws.begin() as session:
        job = session.get_one(Job, site.job_id)
        assert job.status is JobStatus.CANCELLED
        job.status = JobStatus.QUEUED
    requests.cancel(site.ws, site.job_id, by=engineer)


def test_an_upload_stops_as_soon_as_its_account_is_closed(site):
    reader = site.actors[Role.READER]
    outcomes = intake.receive(site.ws, [("a", b"junk"), ("b", b"junk")], by=reader, origin="upload")
    assert next(outcomes).kind == "refused"
    accounts.deactivate(site.ws, reader, by=OPERATOR)
    with pytest.raises(AccessError):
        next(outcomes)


def test_a_row_names_the_account_that_made_it_and_nobody_for_the_command_line(site):
    made = []
    for by in (site.actors[Role.ENGINEER], OPERATOR):
        card = tiny_models.write_card(site.folder, f"of-{len(made)}")
        made.append(registry.import_model(site.ws, card, by=by).id)
    with site.ws.read() as session:
        authors = [session.get_one(Model, model_id).created_by for model_id in made]
        assert session.get_one(Case, site.case_id).created_by is None
    assert authors == [site.actors[Role.ENGINEER], None]


def test_whoever_runs_the_process_is_named_as_the_system_names_them():
    assert str(OperatingSystemUser.current()).startswith("the operating system's user ")
    assert OperatingSystemUser.current().name


def test_roles_are_told_apart_in_one_place():
    """No set of roles, and no comparison with one, grows back elsewhere."""
    told_apart = ["review/access/accounts.py", "review/demo/seed.py", "review/policy.py"]
    found = []
    for folder in ("review", "ui", "pages", "app.py"):
        for path in [ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                member = isinstance(node, ast.Attribute) and node.attr in Role.__members__
                if member and isinstance(node.value, ast.Name) and node.value.id == "Role":
                    found.append(str(path.relative_to(ROOT)))
    assert set(found) <= set(told_apart)


def test_the_documents_show_the_same_table():
    rows = "".join(
        f"| {action} | {' | '.join('yes' if may else '' for may in columns)} |\n"
        for action, columns in TABLE.items()
    )
    assert rows.replace("  ", " ") in (ROOT / "docs" / "serving.md").read_text()
