"""Knowing an image again: by its file's bytes, or by what it is called in whatever encoding."""

import hashlib
from dataclasses import replace

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.artifacts import ArtifactStore
from db.tables import Case, Source, TextEvent
from imaging.burnt_in import Box
from imaging.encode import from_png, to_png
from imaging.image import DecodedImage, Note, Of, Pixels
from imaging.masks import blacked_out
from review.errors import ReviewError

ALIKE = 0.02  # mean difference, of the whole range


class OtherPixelsError(ReviewError):
    """A file of many frames says to be one that is here, and is not."""


def find(session: Session, image: DecodedImage) -> Source | None:
    """Return the frame that is here of an image: of the same bytes, or else of the same name.

    Names are SOP Instance UIDs, keyed; cases of earlier versions have none.
    """
    ways = [Source.source_sha256 == image.source_sha256]
    if image.identity.instance_key is not None:
        ways.append(Source.instance_key == image.identity.instance_key)
    for its in ways:
        whole = select(Source).where(its).order_by(Source.frame != image.frame).limit(1)
        if found := session.scalar(whole):
            return found
    return None


def recognised(
    session: Session, artifacts: ArtifactStore, image: DecodedImage, png: bytes
) -> tuple[DecodedImage, Source | None, tuple[str, ...]]:
    """Return an image, the frame that is here of it, and what is told of that.

    One that bears another's SOP Instance UID, as those of careless anonymisers do, goes by a name
    of its own from then on: it is known again by its pixels, and says so.

    Args:
        session: Open session.
        artifacts: The pictures that are here.
        image: What was read.
        png: Its pixels as they would be stored.

    Raises:
        OtherPixelsError: If it is of many frames, and bears another's name.
        ArtifactError: If the picture that is here cannot be read.
    """
    if (known := find(session, image)) is None:
        return image, None, ()
    try:
        return image, known, _words(session, artifacts, known, image, png)
    except OtherPixelsError:
        if image.n_frames != 1:
            raise
    apart = _named_apart(image, png, known.case_id)
    if (known := find(session, apart)) is None:
        return apart, None, ()
    return apart, known, _words(session, artifacts, known, apart, png)


def _named_apart(image: DecodedImage, png: bytes, case_id: int) -> DecodedImage:
    note = Note(Of.CODES, f"case {case_id} has its SOP Instance UID, and other pixels")
    identity = image.identity.apart(hashlib.sha256(png).hexdigest())
    return replace(image, identity=identity, notes=(*image.notes, note))


def _words(
    session: Session, artifacts: ArtifactStore, known: Source, image: DecodedImage, png: bytes
) -> tuple[str, ...]:
    """Return what is told of an image that is here already.

    Raises:
        OtherPixelsError: If it shows something else, whatever it is called.
        ArtifactError: If the picture that is here cannot be read.
    """
    if known.source_sha256 == image.source_sha256:
        return ()
    case = session.get_one(Case, known.case_id)
    here = case.image_sha256 if known.is_key else known.image_sha256
    if known.is_key and (masks := _masks(session, case.id)):
        image = replace(image, pixels=blacked_out(image.pixels, masks))
        png = to_png(image.pixels)
    if here == hashlib.sha256(png).hexdigest() or here is None:
        return (f"the image of case {case.id} in another encoding",)
    is_lossy = image.acquisition.get("lossy") or case.acquisition.get("lossy")
    bits = case.bits if known.is_key else known.shown["bits"]
    if is_lossy and _is_alike(from_png(artifacts.read(here)), bits, image):
        return (f"the image of case {case.id}, compressed otherwise: the picture here stays",)
    raise OtherPixelsError(
        f"it has the SOP Instance UID of case {case.id}, and other pixels: the case stays as it is"
    )


def _is_alike(here: Pixels, bits: int, image: DecodedImage) -> bool:
    """Return whether two pictures differ by no more than what compression takes."""
    if here.shape != image.pixels.shape:
        return False
    off = here / float(2**bits - 1) - image.pixels / float(2**image.bits - 1)
    return float(np.abs(off).mean()) <= ALIKE


def _masks(session: Session, case_id: int) -> list[Box]:
    """Return what was blacked out of a case's picture."""
    drawn = session.scalars(select(TextEvent.masks).where(TextEvent.case_id == case_id))
    return [tuple(box) for boxes in drawn for box in boxes]
