"""Frames that a reader reads as one: which of them a case shows, and how the others are kept."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db.tables import Case, Job, Prediction, Source
from db.types import CaseStatus
from imaging.burnt_in import NOTE
from imaging.encode import from_png, thumbnail_png, to_png
from imaging.image import DecodedImage
from imaging.value_sets import standard_value
from review.burnt_in.noticing import is_suspected, notice
from review.maps.recipes import Recipe
from review.maps.requests import active_models, enqueue
from review.state.shown import pixel_aspect_of, shading_of
from review.workspace import Workspace

TEXT = "burnt_in_text"
Frame = TypeVar("Frame")  # a row of sources, or of the columns that order it


def shown_of(image: DecodedImage) -> dict[str, Any]:
    """Return what a case's columns say of the frame that it shows."""
    return {
        "n_channels": 1 if image.pixels.ndim == 2 else image.pixels.shape[2],
        "bits": image.bits,
        "window_low": image.window[0],
        "window_high": image.window[1],
        "rescale_slope": image.rescale[0],
        "rescale_intercept": image.rescale[1],
        "view_position": image.view_position,
        "acquisition": image.kept,
        "notes": [note.words for note in image.notes],
    }


def source_of(image: DecodedImage, case_id: int, *, is_key: bool) -> Source:
    """Return the row of a frame; its picture is yet to be kept, where it is not the case's."""
    identity, place, known = image.identity, image.place, image.acquisition
    return Source(
        case_id=case_id,
        source_sha256=image.source_sha256,
        frame=image.frame,
        n_frames=image.n_frames,
        is_key=is_key,
        study_key=identity.study_key,
        series_key=identity.series_key,
        instance_key=identity.instance_key,
        instance_number=place.instance_number,
        position_mm=place.position_mm,
        orientation=list(place.orientation),
        spacing_mm=known.get("pixel_spacing_mm") or [],
        laterality=standard_value("Laterality", known.get("laterality")),
        view_position=image.view_position,
        acquired_on=identity.acquired_on,
        shown={} if is_key else shown_of(image),
    )


def add(ws: Workspace, session: Session, case: Case, images: Iterable[DecodedImage]) -> None:
    """Keep frames with their case, but those that it has; where text is suspected, it is noted."""
    has = select(Source.source_sha256, Source.frame).where(Source.case_id == case.id)
    known = {(sha256, frame) for sha256, frame in session.execute(has)}
    for image in images:
        if (image.source_sha256, image.frame) in known:
            continue
        source = source_of(image, case.id, is_key=False)
        png = to_png(image.pixels)
        source.image_sha256 = ws.artifacts.put(session, png, media_type="image/png")
        session.add(source)
        _suspect(session, case, image)
    session.flush()


def in_order(frames: Sequence[Frame]) -> list[Frame]:
    """Return a case's frames as they lie: slices by position, those of one file by their number."""
    return sorted(frames, key=_place)


def settle(ws: Workspace, case_id: int, *, by: int | None, priority: int) -> None:
    """Show the middle slice of a stack that has come in, and ask every active model about it.

    A stack that was read, masked or explained meanwhile stays as it is.
    """
    with ws.read() as session:
        middle = _middle(session, case_id)
        pixels = None
        if not middle.is_key and middle.image_sha256 is not None:
            pixels = from_png(ws.artifacts.read(middle.image_sha256))
    former: list[str] = []
    with ws.begin() as session:
        case = session.get_one(Case, case_id, with_for_update=True)
        if _is_at_work(session, case_id):
            return
        middle = session.get_one(Source, middle.id)
        if pixels is not None and middle.image_sha256 is not None:
            _show(case, _key(session, case_id), middle)
            window = case.window_low, case.window_high
            thumbnail = thumbnail_png(
                pixels, window, shading_of(case), pixel_aspect=pixel_aspect_of(case)
            )
            before, put = case.thumbnail_sha256, ws.artifacts.put
            case.thumbnail_sha256 = put(session, thumbnail, media_type="image/png")
            former = ws.artifacts.let_go(session, [before] if before else [])
            notice(session, case)  # the picture that is looked at is another one now
        if case.status is not CaseStatus.HELD:
            models = active_models(session)
            enqueue(session, case, models, recipe=Recipe(), by=by, priority=priority)
    if former:
        with ws.begin() as session:
            ws.artifacts.erase(session, former)


def _show(case: Case, key: Source, middle: Source) -> None:
    """Let a case show another of its frames; what was found of text in any of them stays."""
    text, was_suspected = case.acquisition.get(TEXT), is_suspected(case)
    key.shown = {name: getattr(case, name) for name in middle.shown}
    key.image_sha256, case.image_sha256 = case.image_sha256, str(middle.image_sha256)
    for name, value in middle.shown.items():
        setattr(case, name, value)
    if was_suspected and not is_suspected(case):
        case.acquisition = {**case.acquisition, TEXT: text}
        case.notes = [*case.notes, *(note for note in key.shown["notes"] if note == NOTE)]
    case.source_sha256 = middle.source_sha256
    middle.image_sha256, middle.shown = None, {}
    key.is_key, middle.is_key = False, True


def _suspect(session: Session, case: Case, image: DecodedImage) -> None:
    found = image.acquisition.get(TEXT)
    if isinstance(found, dict) and found.get("suspected") and not is_suspected(case):
        case.acquisition = {**case.acquisition, TEXT: found}
        case.notes = [*case.notes, *(n.words for n in image.notes if n.words == NOTE)]
        notice(session, case)


def _middle(session: Session, case_id: int) -> Source:
    frames = in_order(session.scalars(select(Source).where(Source.case_id == case_id)).all())
    return frames[len(frames) // 2]


def _key(session: Session, case_id: int) -> Source:
    return session.scalars(select(Source).where(Source.case_id == case_id, Source.is_key)).one()


def _is_at_work(session: Session, case_id: int) -> bool:
    predicted = exists().where(Prediction.case_id == case_id)
    asked = exists().where(Job.case_id == case_id)
    return bool(session.scalar(select(predicted | asked)))


def _place(source: Any) -> tuple[float, ...]:
    """Return what orders a frame: of one file its number, of several where it lies."""
    if source.n_frames > 1:
        return 0.0, 0.0, float(source.frame)
    has_none = source.position_mm is None
    return float(has_none), source.position_mm or 0.0, float(source.instance_number or 0)
