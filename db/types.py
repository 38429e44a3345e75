"""The vocabulary of the record: enumerations stored by value, and the UTC timestamp column."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator


class Role(StrEnum):
    """What an account may do; an administrator may do everything an engineer may."""

    READER = "reader"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"


class CaseStatus(StrEnum):
    """Where a case stands on its way from intake to verdict; HELD back for text in its picture."""

    QUEUED = "queued"
    EXPLAINING = "explaining"
    READY = "ready"
    FAILED = "failed"
    REVIEWED = "reviewed"
    HELD = "held"


class Origin(StrEnum):
    """How a case came into the record."""

    UPLOAD = "upload"
    IMPORT = "import"
    DEMO = "demo"


class JobKind(StrEnum):
    """What a durable job does."""

    EXPLAIN = "explain"
    CHECK = "check"
    EXPORT = "export"


class JobStatus(StrEnum):
    """The life of a durable job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Opinion(StrEnum):
    """A reader's judgement of the answer; WITHDRAWN is how a verdict is undone."""

    ACCEPT = "accept"
    MODIFY = "modify"
    REJECT = "reject"
    CANNOT_ASSESS = "cannot_assess"
    WITHDRAWN = "withdrawn"


class Call(StrEnum):
    """What is said of one finding."""

    PRESENT = "present"
    ABSENT = "absent"
    INDETERMINATE = "indeterminate"


class Reasoning(StrEnum):
    """A reader's judgement of the model's reason, apart from its answer."""

    SOUND = "sound"
    UNSOUND = "unsound"
    UNSURE = "unsure"


class Plausibility(StrEnum):
    """A reader's judgement of one explanation, apart from the prediction."""

    PLAUSIBLE = "plausible"
    IMPLAUSIBLE = "implausible"
    UNSURE = "unsure"


class Exposure(StrEnum):
    """What of the model's output the reader had seen when judging."""

    IMAGE_ONLY = "image_only"
    PREDICTION = "prediction"
    EXPLANATION = "explanation"


class TriageReason(StrEnum):
    """Why a case needs an engineer."""

    REJECTED = "rejected"
    MODIFIED = "modified"
    UNSOUND_REASONING = "unsound_reasoning"
    LOW_CONFIDENCE = "low_confidence"
    MAPS_DISAGREE = "maps_disagree"
    READERS_DISAGREE = "readers_disagree"
    IMPLAUSIBLE_EXPLANATION = "implausible_explanation"
    CORNER_ATTRIBUTION = "corner_attribution"
    UNTRUSTWORTHY_MAP = "untrustworthy_map"


class TriageAction(StrEnum):
    """One step in the handling of a triaged case; the history of them is its state."""

    ASSIGN = "assign"
    COMMENT = "comment"
    CLOSE = "close"
    REOPEN = "reopen"


class Disposition(StrEnum):
    """How an engineer closed a triaged case."""

    SHORTCUT = "model_shortcut"
    MODEL_ERROR = "model_error"
    DATA_ISSUE = "data_issue"
    EXPLANATION_ISSUE = "explanation_issue"
    READER_ERROR = "reader_error"
    NO_ACTION = "no_action"


class TextStep(StrEnum):
    """One step with a case in whose picture text may stand; the history of them is its state."""

    NOTICED = "noticed"
    HELD = "held"
    RELEASED = "released"
    MASKED = "masked"


class AuditKind(StrEnum):
    """What an event of the audit chain tells."""

    UPGRADED = "upgraded"
    FOUND = "found"
    ACCOUNT_ADDED = "account_added"
    ACCOUNT_CHANGED = "account_changed"
    LINK_ISSUED = "link_issued"
    TRIAGE_STEP = "triage_step"
    SETTING_CHANGED = "setting_changed"
    MODEL_IMPORTED = "model_imported"
    MODEL_CHANGED = "model_changed"
    EXPORTED = "exported"
    EXPORT_REMOVED = "export_removed"
    FILE_REPLACED = "file_replaced"
    RESTORED = "restored"
    TEXT_STEP = "text_step"
    SECOND_FACTOR_SET = "second_factor_set"
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    OPENID_LINKED = "openid_linked"
    OPENID_UNLINKED = "openid_unlinked"


class AccessKind(StrEnum):
    """What an access tells: what somebody looked at, tried or was refused."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    SESSION_ENDED = "session_ended"
    CASE_OPENED = "case_opened"
    CASE_SENT_AHEAD = "case_sent_ahead"
    PIXELS_FETCHED = "pixels_fetched"
    MAP_FETCHED = "map_fetched"
    MAPS_COMPARED = "maps_compared"
    EXPORT_ASKED = "export_asked"
    EXPORT_DOWNLOADED = "export_downloaded"
    REFUSED = "refused"
    COMMAND_RUN = "command_run"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    AUDIT_SEEN = "audit_seen"
    AUDIT_DOWNLOADED = "audit_downloaded"


class Utc(TypeDecorator[datetime]):
    """A timezone-aware timestamp: refuses naive values, returns UTC on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert to UTC on the way in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("timestamps are timezone-aware; got a naive one")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Mark as UTC on the way out (SQLite forgets the zone)."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Text(TypeDecorator[StrEnum]):
    """A StrEnum stored by its value in a short text column."""

    impl = String
    cache_ok = True

    def __init__(self, enum: type[StrEnum], n_characters: int = 32) -> None:
        super().__init__(n_characters)
        self.enum = enum

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Refuse values outside the enumeration."""
        return None if value is None else self.enum(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002
        """Return the enumeration's member."""
        return None if value is None else self.enum(value)


class OpenText(Text):
    """A StrEnum to which a newer version may have added: what it stored is read as it stands."""

    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Return the enumeration's member, or the text that is none."""
        known = value in self.enum.__members__.values()
        return super().process_result_value(value, dialect) if known else value


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)
