"""Every table of the record.

`created_by` names the account that brought a row in; NULL is the operating system's user, at the
command line, or the demonstration. Rows that tell what was done (verdicts, triage, text and audit
events, accesses) are append-only: database triggers refuse UPDATE and DELETE (see
`db.append_only`). Nothing cascades on delete; every relation is loaded on purpose.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, MetaData, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.types import (
    AccessKind,
    AuditKind,
    CaseStatus,
    Disposition,
    Exposure,
    JobKind,
    JobStatus,
    OpenText,
    Opinion,
    Origin,
    Reasoning,
    Role,
    Text,
    TextStep,
    TriageAction,
    TriageReason,
    Utc,
    now,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
SHA256 = String(64)
Json = dict[str, Any]


class Base(DeclarativeBase):
    """Declarative base with one naming convention for every constraint."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads a plain class attribute
        datetime: Utc(),
        Json: JSON(),
        list[Any]: JSON(),
        Role: Text(Role),
        CaseStatus: Text(CaseStatus),
        Origin: Text(Origin, 16),
        JobKind: OpenText(JobKind),
        JobStatus: Text(JobStatus),
        Opinion: Text(Opinion),
        Reasoning: Text(Reasoning),
        Exposure: Text(Exposure),
        TriageAction: Text(TriageAction),
        TriageReason: Text(TriageReason),
        Disposition: Text(Disposition),
        AuditKind: OpenText(AuditKind),
        AccessKind: OpenText(AccessKind),
        TextStep: Text(TextStep),
    }


def _one_at_a_time(*columns: str) -> Index:
    """Return an index under which only one row that was not removed holds these values."""
    stands = text("removed_at IS NULL")
    return Index(None, *columns, unique=True, sqlite_where=stands, postgresql_where=stands)


class Account(Base):
    """A person (or a demo reader) who may sign in."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(128))
    role: Mapped[Role]
    password_hash: Mapped[str | None] = mapped_column(String(256))
    active: Mapped[bool] = mapped_column(default=True)
    demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)


class WebSession(Base):
    """A signed-in browser; only the hash of its cookie is stored.

    `link_sha256` is the sign-in link that opened it, `nonce_sha256` stands for the ID token that
    did; both NULL where a password did. No ID token opens two. `address` and `browser` say where it
    was opened; NULL before schema 0009.
    """

    __tablename__ = "web_sessions"
    __table_args__ = (Index(None, "nonce_sha256", unique=True),)

    token_sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    link_sha256: Mapped[str | None] = mapped_column(ForeignKey("sign_in_tokens.token_sha256"))
    address: Mapped[str | None] = mapped_column(String(64))
    browser: Mapped[str | None] = mapped_column(String(64))
    nonce_sha256: Mapped[str | None] = mapped_column(SHA256)


class PendingSignIn(Base):
    """A sign-in that waits for its second factor; only the hash of its cookie is stored.

    `link_sha256` is the sign-in link that began it; NULL where a password did. `spent_at` is when
    it became a session, or was voided.
    """

    __tablename__ = "pending_sign_ins"

    token_sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    link_sha256: Mapped[str | None] = mapped_column(ForeignKey("sign_in_tokens.token_sha256"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    spent_at: Mapped[datetime | None]


class SecondFactor(Base):
    """What makes an account's one-time codes (RFC 6238); an account has one at a time.

    `secret` is sealed with the site's key, and goes when the factor is removed. `last_step` is the
    30 s step of the newest code that was used, `failures` when codes were wrong of late.
    """

    __tablename__ = "second_factors"
    __table_args__ = (_one_at_a_time("account_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    secret: Mapped[str | None] = mapped_column(String(256))
    last_step: Mapped[int | None]
    failures: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=now)
    removed_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code that stands in for the second factor once; only its hash is stored.

    `used_at` is when it was used, or voided.
    """

    __tablename__ = "recovery_codes"

    code_sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    factor_id: Mapped[int] = mapped_column(ForeignKey("second_factors.id"), index=True)
    used_at: Mapped[datetime | None]


class OpenIdIdentity(Base):
    """Whom an account is at an OpenID provider; an account is one at a time, and is so alone."""

    __tablename__ = "openid_identities"
    __table_args__ = (_one_at_a_time("account_id"), _one_at_a_time("issuer", "subject"))

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=now)
    removed_at: Mapped[datetime | None]


class SignInToken(Base):
    """A one-time sign-in link, as `make run` prints; only its hash is stored.

    `issued_by` is NULL for the operating system's user, whom the audit chain names. `used_from` is
    the address that used it; NULL where it was not used but voided. `told_at` is when the account
    took note of its use.
    """

    __tablename__ = "sign_in_tokens"

    token_sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    issued_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_from: Mapped[str | None] = mapped_column(String(64))
    told_at: Mapped[datetime | None]


class SignInAttempt(Base):
    """One attempt to sign in, kept to limit their rate."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (Index(None, "name", "attempted_at"), Index(None, "address", "attempted_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    succeeded: Mapped[bool]
    attempted_at: Mapped[datetime] = mapped_column(default=now)


class Artifact(Base):
    """Bytes kept by content: the row says what they are, the file store holds them."""

    __tablename__ = "artifacts"

    sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    media_type: Mapped[str] = mapped_column(String(64))
    n_bytes: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Case(Base):
    """What a reader reads: an image by itself, or a stack, of which one frame is shown.

    `window_low` and `window_high` are in units of the stored pixels: the first display window,
    and the range a model sees as [0, 1]. `identifiers` is always empty: earlier versions kept
    direct identifiers there where a site asked for it, and nothing reads them. `source_sha256`
    finds a file that came before; it leaves the house only keyed (`review.exporting.rows`).
    `stack_key` finds the stack that a slice belongs to; NULL for all else.
    """

    __tablename__ = "cases"
    __table_args__ = (
        Index(None, "status", "id"),
        Index(None, "patient_key"),
        Index(None, "created_at"),
        Index(None, "stack_key", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source_sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    image_sha256: Mapped[str] = mapped_column(ForeignKey("artifacts.sha256"))
    thumbnail_sha256: Mapped[str | None] = mapped_column(ForeignKey("artifacts.sha256"))
    source_format: Mapped[str] = mapped_column(String(16))
    width_px: Mapped[int]
    height_px: Mapped[int]
    n_channels: Mapped[int]
    bits: Mapped[int]
    window_low: Mapped[float]
    window_high: Mapped[float]
    rescale_slope: Mapped[float] = mapped_column(default=1.0)
    rescale_intercept: Mapped[float] = mapped_column(default=0.0)
    modality: Mapped[str | None] = mapped_column(String(16))
    view_position: Mapped[str | None] = mapped_column(String(16))
    patient_key: Mapped[str | None] = mapped_column(String(64))
    stack_key: Mapped[str | None] = mapped_column(String(64))
    acquisition: Mapped[Json] = mapped_column(default=dict)
    identifiers: Mapped[Json] = mapped_column(default=dict)
    notes: Mapped[list[Any]] = mapped_column(default=list)
    origin: Mapped[Origin]
    synthetic: Mapped[bool] = mapped_column(default=False)
    reference_label: Mapped[str | None] = mapped_column(String(64))
    reference_mask_sha256: Mapped[str | None] = mapped_column(ForeignKey("artifacts.sha256"))
    status: Mapped[CaseStatus] = mapped_column(default=CaseStatus.QUEUED)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Source(Base):
    """One frame of a file that came in, and the case that it belongs to.

    The keys are hashes that only this site can compute; `instance_key` tells an image again that
    is sent in another encoding. `acquired_on` is moved back, all of a patient's by as many days.
    `position_mm` goes across the frame's plane. The case shows the frame that `is_key`, whose
    picture is the case's; the others have one of their own (`image_sha256`), and in `shown` what
    the case's columns would say of it. Without picture are those that were removed with an
    unmasked one.
    """

    __tablename__ = "sources"
    __table_args__ = (
        UniqueConstraint("source_sha256", "frame"),
        UniqueConstraint("instance_key", "frame"),
        Index(None, "study_key", "case_id"),
        Index(None, "series_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    source_sha256: Mapped[str] = mapped_column(SHA256)
    frame: Mapped[int] = mapped_column(default=0)
    n_frames: Mapped[int] = mapped_column(default=1)
    is_key: Mapped[bool] = mapped_column(default=True)
    study_key: Mapped[str | None] = mapped_column(String(64))
    series_key: Mapped[str | None] = mapped_column(String(64))
    instance_key: Mapped[str | None] = mapped_column(String(64))
    instance_number: Mapped[int | None]
    position_mm: Mapped[float | None]
    orientation: Mapped[list[Any]] = mapped_column(default=list)
    spacing_mm: Mapped[list[Any]] = mapped_column(default=list)
    laterality: Mapped[str | None] = mapped_column(String(16))
    view_position: Mapped[str | None] = mapped_column(String(16))
    acquired_on: Mapped[str | None] = mapped_column(String(10))
    image_sha256: Mapped[str | None] = mapped_column(ForeignKey("artifacts.sha256"))
    shown: Mapped[Json] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Model(Base):
    """A model version: a card and the hash of its weights.

    `suspended` says why its jobs wait, where they ended their workers.
    """

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(32))
    architecture: Mapped[str] = mapped_column(String(64))
    weights_sha256: Mapped[str] = mapped_column(ForeignKey("artifacts.sha256"))
    card: Mapped[Json]
    active: Mapped[bool] = mapped_column(default=True)
    suspended: Mapped[str | None] = mapped_column(String(200))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Job(Base):
    """A durable unit of work: `key` makes it idempotent, the lease lets a dead worker's be retaken.

    `payload` holds what it is asked to do; `n_deaths` counts the workers that it ended.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index(None, "status", "priority", "id"), Index(None, "case_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(SHA256, unique=True)
    kind: Mapped[JobKind]
    payload: Mapped[Json]
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"))
    status: Mapped[JobStatus] = mapped_column(default=JobStatus.QUEUED)
    priority: Mapped[int] = mapped_column(default=0)
    n_done: Mapped[int] = mapped_column(default=0)
    n_total: Mapped[int] = mapped_column(default=0)
    stage: Mapped[str] = mapped_column(String(64), default="")
    error: Mapped[str | None] = mapped_column(String(2000))
    n_attempts: Mapped[int] = mapped_column(default=0)
    n_deaths: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(128))
    lease_until_at: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Prediction(Base):
    """What one model version said of one case.

    `scores` lists a score per class, in the order of the model card. `answer` and `certainty` are
    what the scores say by the card (`xai_core.model.answer`); `target`, `label` and `score` are the
    class that the maps explain, whether it is present or not. `geometry` places the model's input
    on the image (x, y, width, height in image pixels).
    """

    __tablename__ = "predictions"
    __table_args__ = (
        UniqueConstraint("case_id", "model_id"),
        Index(None, "answer", "case_id"),
        Index(None, "case_id", "certainty"),
        Index(None, "model_id", "answer"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    target: Mapped[int]
    label: Mapped[str] = mapped_column(String(128))
    score: Mapped[float]
    scores: Mapped[list[Any]]
    answer: Mapped[str] = mapped_column(String(128))
    certainty: Mapped[float]
    geometry: Mapped[Json]
    software: Mapped[Json]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Explanation(Base):
    """One attribution map with its parameters, trust measures and provenance.

    The artifact is a NumPy file of the float32 attribution, (C, H, W) in the model's input frame.
    `key` hashes (image, model version, method, parameters, target). `recipe` names preset, baseline
    and stepping by which it was made, None where an older version did not record them.
    `channels_share` says that each channel holds the whole effect, which is then counted once.
    """

    __tablename__ = "explanations"
    __table_args__ = (Index(None, "prediction_id", "method"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(SHA256, unique=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"))
    method: Mapped[str] = mapped_column(String(48))
    target: Mapped[int]
    params: Mapped[Json]
    recipe: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    channels_share: Mapped[bool]
    artifact_sha256: Mapped[str] = mapped_column(ForeignKey("artifacts.sha256"))
    width_px: Mapped[int]
    height_px: Mapped[int]
    convergence_delta: Mapped[float | None]
    relative_delta: Mapped[float | None]
    trust: Mapped[Json] = mapped_column(default=dict)
    seconds: Mapped[float]
    device: Mapped[str] = mapped_column(String(64))
    software: Mapped[Json]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Verdict(Base):
    """One reader's judgement of one prediction: append-only, superseded but never edited.

    `opinion` judges the answer and `reasoning` its reason; `findings` says of each class that was
    judged whether it is there (`db.types.Call`, by class name). Rows of hash versions 1 and 2 have
    neither. `evidence` names by hash everything the reader was shown. `row_sha256` hashes the row
    together with `previous_sha256`, so that an altered, missing or inserted row breaks the chain;
    `hash_version` says which columns that hash covers (`db.verdicts.HASHED`).
    """

    __tablename__ = "verdicts"
    __table_args__ = (
        Index(None, "case_id", "reader_id"),
        Index(None, "prediction_id"),
        Index(None, "reader_id", "prediction_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(String(64), unique=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"))
    reader_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    opinion: Mapped[Opinion]
    reasons: Mapped[list[Any]] = mapped_column(default=list)
    corrected_label: Mapped[str | None] = mapped_column(String(128))
    findings: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    reasoning: Mapped[Reasoning | None]
    plausibility: Mapped[Json] = mapped_column(default=dict)
    comment: Mapped[str] = mapped_column(String(4000), default="")
    boxes: Mapped[list[Any]] = mapped_column(default=list)
    exposure: Mapped[Exposure]
    active_seconds: Mapped[float]
    evidence: Mapped[Json]
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("verdicts.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    previous_sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    row_sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    hash_version: Mapped[int] = mapped_column(server_default="1")


class Draft(Base):
    """What a reader has entered on a prediction and not signed.

    Not of the record: it is overwritten as they type, and gone when they sign or discard it.
    """

    __tablename__ = "drafts"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"), primary_key=True)
    content: Mapped[Json]
    updated_at: Mapped[datetime]


class AuditEvent(Base):
    """One thing that was done beside signing: append-only and chained, as verdicts are.

    `subject` and `subject_id` name a row of another table, `content` holds the state that it was
    given, without patient data. `actor_id` is None for the site itself and whoever runs it.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index(None, "subject", "subject_id", "id"),
        Index(None, "created_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[AuditKind]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    subject: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(64))
    content: Mapped[Json]
    created_at: Mapped[datetime] = mapped_column(default=now)
    hash_version: Mapped[int]
    previous_sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    row_sha256: Mapped[str] = mapped_column(SHA256, unique=True)


class Access(Base):
    """One thing that somebody looked at, tried or was refused: append-only and chained.

    The oldest rows may be removed, as far as the horizon (`db.accesses`). `account_id` is who came,
    or whose name was tried; None for the operating system's user and for strangers. `session` is
    the beginning of the hash of the session's token, `content` holds what else is to be told,
    without patient data.
    """

    __tablename__ = "accesses"
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "account_id", "created_at", "id"),
        Index(None, "case_id", "created_at", "id"),
        Index(None, "kind", "created_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[AccessKind]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    session: Mapped[str | None] = mapped_column(String(12))
    address: Mapped[str | None] = mapped_column(String(64))
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"))
    content: Mapped[Json]
    created_at: Mapped[datetime]
    hash_version: Mapped[int]
    previous_sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    row_sha256: Mapped[str] = mapped_column(SHA256, unique=True)


class TriageEvent(Base):
    """One step in an engineer's handling of a case; append-only."""

    __tablename__ = "triage_events"
    __table_args__ = (Index(None, "case_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    actor_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    action: Mapped[TriageAction]
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    disposition: Mapped[Disposition | None]
    comment: Mapped[str] = mapped_column(String(4000), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)


class TextEvent(Base):
    """One step with a case in whose picture text may stand; append-only.

    `actor_id` is None where the site's own choice held the case back or let it pass. `masks` are
    the boxes (x, y, width, height in image pixels) that were blacked out of the picture
    `image_sha256`, and `removed` the artifacts that left the house with it: that picture, its
    thumbnail and its maps.
    """

    __tablename__ = "text_events"
    __table_args__ = (Index(None, "case_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    step: Mapped[TextStep]
    image_sha256: Mapped[str] = mapped_column(SHA256)
    masks: Mapped[list[Any]] = mapped_column(default=list)
    removed: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=now)


class TriageFlag(Base):
    """A reason why a case needs an engineer, recomputed when predictions or verdicts change."""

    __tablename__ = "triage_flags"
    __table_args__ = (
        UniqueConstraint("case_id", "prediction_id", "reason"),
        Index(None, "reason", "case_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"))
    reason: Mapped[TriageReason]
    detail: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Export(Base):
    """A dataset that was exported: its filters, counts and the hash of its manifest."""

    __tablename__ = "exports"

    id: Mapped[int] = mapped_column(primary_key=True)
    schema_version: Mapped[str] = mapped_column(String(16))
    filters: Mapped[Json]
    manifest: Mapped[Json]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Setting(Base):
    """A site-wide choice made in the application rather than in its environment."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[Json]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
