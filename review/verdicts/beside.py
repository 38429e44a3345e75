"""Holding what was signed against the rows as they now stand."""

from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.tables import Account, Artifact, Case, Explanation, Model, Prediction, Verdict
from review.audit.walk import UNREADABLE
from review.audit.words import first_difference
from review.digests import digest
from review.state.answers import answer_of
from review.state.consensus import SINCE_FINDINGS
from review.verdicts.evidence import shown, shown_map

ARTIFACT_KEYS = {"image_sha256", "weights_sha256", "sha256"}
LARGEST_ID = 1 << 63
# Software is what computed, at signing or for a map; what was signed of it has no row of its own.
UNCOMPARED = {"software", "maps"}
# The columns that evidence is made of, and no others: an enumeration altered elsewhere in a row
# must not keep it from being read.
COLUMNS: dict[str, tuple[InstrumentedAttribute[Any], ...]] = {
    "reader's account": (Account.id, Account.name),
    "case": (
        *(Case.id, Case.image_sha256, Case.window_low, Case.window_high),
        *(Case.rescale_slope, Case.rescale_intercept, Case.width_px, Case.height_px),
        *(Case.n_channels, Case.bits, Case.synthetic, Case.modality, Case.view_position),
        Case.acquisition,
    ),
    "model": (
        *(Model.id, Model.name, Model.version, Model.architecture, Model.weights_sha256),
        Model.card,
    ),
    "prediction": (
        *(Prediction.id, Prediction.case_id, Prediction.model_id, Prediction.target),
        *(Prediction.label, Prediction.score, Prediction.scores, Prediction.geometry),
        *(Prediction.answer, Prediction.certainty),
    ),
    "map": (
        *(Explanation.id, Explanation.prediction_id, Explanation.method, Explanation.target),
        *(Explanation.artifact_sha256, Explanation.params, Explanation.trust),
        *(Explanation.software, Explanation.recipe, Explanation.channels_share),
        Explanation.relative_delta,
    ),
}
FIELDS = {
    "case_id": "its prediction's case",
    "image_sha256": "its case's image",
    "window": "its case's display window",
    "rescale": "its case's rescale",
    "pixels": "its case's",
    "drawn": "its case's way of being drawn",
    "synthetic": "its case's mark as synthetic",
    "acquired": "its case's",
    "model": "its prediction's model",
    "weights_sha256": "its model's weights",
    "architecture": "its model's architecture",
    "classes": "its model's class list",
    "scoring": "its model's kind of scores",
    "thresholds": "its model's thresholds",
    "preprocessing": "its model's preprocessing",
    "target": "its prediction's target",
    "answer": "its prediction's answer",
    "label": "its prediction's label",
    "score": "its prediction's score",
    "scores": "its prediction's scores",
    "scores_sha256": "its prediction's scores, as a hash,",
    "geometry": "its prediction's place on the image",
    "reader": "its reader's account",
}
MAP_FIELDS = {"sha256": "artifact"}


class Altered(Exception):  # noqa: N818 - not an error, a finding
    """A row is gone or cannot be read; in words."""


class Live:
    """The rows that a batch of verdicts rests on, read once."""

    def __init__(self, session: Session, verdicts: Sequence[Verdict]) -> None:
        self._session = session
        self._rows: dict[tuple[str, int], Row[Any] | None] = {}
        self.load("reader's account", {verdict.reader_id for verdict in verdicts})
        self.load("prediction", {verdict.prediction_id for verdict in verdicts})
        self.load("case", {row.case_id for row in self._loaded("prediction")})
        self.load("model", {row.model_id for row in self._loaded("prediction")})
        self.load("map", {i for v in verdicts for i in _map_ids(v.evidence)})

    def load(self, kind: str, ids: set[Any]) -> None:
        """Read the rows of a kind, one by one where some cannot be read."""
        columns = COLUMNS[kind]
        found = select(*columns)
        try:
            for row in self._session.execute(found.where(columns[0].in_(ids))):
                self._rows[kind, row.id] = row
        except UNREADABLE:
            for row_id in ids:
                self._load_one(kind, columns[0] == row_id, row_id)

    def get(self, kind: str, row_id: int) -> Any:
        """Return a row.

        Raises:
            Altered: If it is not there or cannot be read.
        """
        row = self._rows.get((kind, row_id), ...)
        if row is ...:
            raise Altered(f"its {kind} {row_id} is not on record any more")
        if row is None:
            raise Altered(f"a value of its {kind} {row_id} was altered and cannot be read")
        return row

    def _load_one(self, kind: str, is_it: ColumnElement[bool], row_id: int) -> None:
        try:
            row = self._session.execute(select(*COLUMNS[kind]).where(is_it)).one_or_none()
        except UNREADABLE:
            self._rows[kind, row_id] = None
        else:
            if row is not None:
                self._rows[kind, row_id] = row

    def _loaded(self, kind: str) -> list[Any]:
        return [row for (of, _), row in self._rows.items() if of == kind and row is not None]


def problems(session: Session, verdicts: Sequence[Verdict]) -> dict[int, str]:
    """Return what the live rows say otherwise than what was signed, by verdict id."""
    absent = _absent(session, [verdict.evidence for verdict in verdicts])
    live = Live(session, verdicts)
    found = {}
    for verdict in verdicts:
        if missing := absent.intersection(_artifacts_of(verdict.evidence)):
            found[verdict.id] = f"its evidence {min(missing)} is not on record"
            continue
        try:
            problem = _problem(live, verdict)
        except Altered as altered:
            problem = str(altered)
        except UNREADABLE:
            problem = "its evidence cannot be compared"
        if problem:
            found[verdict.id] = problem
    return found


def _problem(live: Live, verdict: Verdict) -> str | None:
    account = live.get("reader's account", verdict.reader_id)
    prediction = live.get("prediction", verdict.prediction_id)
    case = live.get("case", prediction.case_id)
    model = live.get("model", prediction.model_id)
    now = shown(prediction, case, model, ()) | {
        "scores_sha256": digest(prediction.scores),
        "reader": {"account_id": account.id, "name": account.name},
    }
    signed: dict[str, Any] = {"case_id": verdict.case_id} | verdict.evidence
    for name, value in signed.items():
        if name in UNCOMPARED or name not in now:
            continue
        if difference := first_difference(value, now[name], (name,)):
            return f"{_place(FIELDS[name], difference.path[1:])} {difference.told('signed')}"
    return _unsigned_problem(verdict, prediction, model) or _map_problem(
        live, verdict.prediction_id, signed.get("maps", ())
    )


def _unsigned_problem(verdict: Verdict, prediction: Any, model: Any) -> str | None:
    """Return what says more than was signed: read from the scores, or of a later version's form."""
    if verdict.hash_version < SINCE_FINDINGS:
        for name in ("findings", "reasoning"):
            if getattr(verdict, name) is not None:
                version = verdict.hash_version
                return f"its {name} column was filled: hash version {version} signs none"
    answer = answer_of(prediction, model.card)
    if prediction.answer != answer.label:
        return (
            f"its prediction's answer is {prediction.answer!r} and its scores say {answer.label!r}"
        )
    if not isclose(prediction.certainty, answer.certainty, abs_tol=1e-6):
        return (
            f"its prediction's certainty is {prediction.certainty!r} and its scores say "
            f"{answer.certainty!r}"
        )
    return None


def _map_problem(live: Live, prediction_id: int, maps: Sequence[Mapping[str, Any]]) -> str | None:
    for signed in maps:
        row = live.get("map", signed["explanation_id"])
        if row.prediction_id != prediction_id:
            return (
                f"its map {row.id}'s prediction is {row.prediction_id} and was signed as "
                f"{prediction_id}"
            )
        now = shown_map(row)
        # An older version signed less of a map.
        part = {name: now[name] for name in signed if name in now}
        if difference := first_difference(signed, part):
            name = str(difference.path[0])
            field = f"its map {row.id}'s {MAP_FIELDS.get(name, name)}"
            return f"{_place(field, difference.path[1:])} {difference.told('signed')}"
    return None


def _place(field: str, path: Sequence[str | int]) -> str:
    return " ".join([field, *(repr(part) for part in path)])


def _map_ids(evidence: Any) -> Iterator[int]:
    maps = evidence.get("maps", ()) if isinstance(evidence, Mapping) else ()
    for entry in maps if isinstance(maps, list) else ():
        found = entry.get("explanation_id") if isinstance(entry, Mapping) else None
        if isinstance(found, int) and 0 < found < LARGEST_ID:
            yield found


def _absent(session: Session, evidence: list[Any]) -> set[str]:
    """Return the artifacts that evidence names and no row has."""
    named = {sha256 for part in evidence for sha256 in _artifacts_of(part)}
    return named - set(session.scalars(select(Artifact.sha256).where(Artifact.sha256.in_(named))))


def _artifacts_of(part: Any) -> Iterator[str]:
    """Yield every artifact's hash in evidence, whatever its shape: it may have been altered."""
    if isinstance(part, list):
        for each in part:
            yield from _artifacts_of(each)
    if isinstance(part, dict):
        for key, each in part.items():
            if key in ARTIFACT_KEYS and isinstance(each, str):
                yield each
            else:
                yield from _artifacts_of(each)
