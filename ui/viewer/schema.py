"""What the browser sends: one of these actions, as `types.d.ts` has them, or refused in words."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from review.catalogue import PAIR, Stepping
from review.errors import AccessError, ActionError
from review.typed import STRICT, Id, Key, Listed, Named, echo, refusal
from review.verdicts import draft
from review.verdicts.draft import RequestId, VerdictDraft

LARGEST_NUMBER = 2**53 - 1  # up to which a browser counts exactly
MAX_CLASSES = 1_000_000


class _Action(BaseModel):
    model_config = STRICT


class Verdict(_Action):
    """Sign a verdict as the reader on whose screen it was given, and go on to a case.

    None as the case is the next unread one.
    """

    kind: Literal["verdict"]
    reader_id: Id
    next_id: Id | None
    draft: VerdictDraft


class Withdraw(_Action):
    """Undo a verdict."""

    kind: Literal["withdraw"]
    request_id: RequestId
    verdict_id: Id
    case_id: Id
    model_id: Id | None


class Open(_Action):
    """Open a case."""

    kind: Literal["open"]
    case_id: Id
    model_id: Id | None = None


class Explain(_Action):
    """Open the maps of a class; what is not made is asked for."""

    kind: Literal["explain"]
    case_id: Id
    model_id: Id | None
    target: Annotated[int, Field(ge=0, lt=MAX_CLASSES)] | None
    methods: Annotated[tuple[Key, Key], Listed] = PAIR
    preset: Key | None = None
    baseline: Key | None = None
    stepping: Named[Stepping] = Stepping.FIXED


class OfMap(_Action):
    """Check a map thoroughly, or make it again where its file is damaged."""

    kind: Literal["check", "again"]
    explanation_id: Id


class Job(_Action):
    """Stop a job, or queue it again."""

    kind: Literal["cancel", "retry"]
    job_id: Id
    case_id: Id | None = None


class Refresh(_Action):
    """Ask for news."""

    kind: Literal["refresh"]


Action = Verdict | Withdraw | Open | Explain | OfMap | Job | Refresh

KINDS: dict[str, TypeAdapter[Action]] = {
    "verdict": TypeAdapter(Verdict),
    "withdraw": TypeAdapter(Withdraw),
    "open": TypeAdapter(Open),
    "explain": TypeAdapter(Explain),
    "check": TypeAdapter(OfMap),
    "again": TypeAdapter(OfMap),
    "cancel": TypeAdapter(Job),
    "retry": TypeAdapter(Job),
    "refresh": TypeAdapter(Refresh),
}


class Entered(_Action):
    """What is entered of an unsigned verdict; None is that it is discarded.

    `base` names the state of the draft on the server that the screen knew, if it knew of one.
    """

    reader_id: Id
    base: Annotated[str, Field(max_length=40)] | None
    content: Any


ENTERED: TypeAdapter[Entered] = TypeAdapter(Entered)


def check_reader(given_by: int, signed_in: int) -> None:
    """Refuse what another reader did, who used this browser before.

    Raises:
        AccessError: If somebody else is signed in now.
    """
    if given_by != signed_in:
        raise AccessError(
            "this was entered by another reader, and you are signed in now: nothing was signed or "
            "kept under your name"
        )


def parse_entered(sent: Any) -> Entered:
    """Return what the browser sends of a draft; its content is looked at by `review`.

    Raises:
        ActionError: If it is not in its form.
    """
    try:
        return ENTERED.validate_python(sent)
    except ValidationError as exc:
        raise ActionError(refusal(exc, "the draft")) from None


def number_of(sent: Any) -> int | None:
    """Return by which number the browser knows an action; None is an action that has none."""
    seq = sent.get("seq") if isinstance(sent, dict) else None
    return seq if type(seq) is int and 1 <= seq <= LARGEST_NUMBER else None


def parse(sent: dict[str, Any]) -> Action:
    """Return the action that the browser sent.

    Raises:
        ActionError: If this version knows no such action, or a field is not of its type.
        VerdictError: If what is to be signed is not of its type.
    """
    kind = sent.get("kind")
    form = KINDS.get(kind) if isinstance(kind, str) else None
    if form is None:
        words = f"this version does not know the action {echo(kind)}"
        raise ActionError(f"{words}; allowed: {', '.join(KINDS)}")
    fields = {name: value for name, value in sent.items() if name != "seq"}
    if kind == "verdict":
        around = {
            name: fields.pop(name) for name in {"kind", "reader_id", "next_id"} & fields.keys()
        }
        fields = around | {"draft": draft.from_json(fields)}
    try:
        return form.validate_python(fields)
    except ValidationError as exc:
        raise ActionError(refusal(exc, "the action")) from None
