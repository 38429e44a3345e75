"""The files that a card names, and its golden image as a model is given it."""

from hashlib import sha256

from imaging.decode import decode
from review.models.trial import GoldenPicture, ModelImportError
from review.state.shown import given_picture
from review.workspace import Workspace
from xai_core.model.card import ModelCard, card_to_json
from xai_core.model.card_golden import Golden


def beside(card: ModelCard, name: str, what: str) -> bytes:
    """Return the bytes of a file beside the card.

    Raises:
        ModelImportError: If there is none that can be read.
    """
    if card.folder is None:
        raise ModelImportError("the card was not read from a file: nothing lies beside it")
    try:
        return (card.folder / name).read_bytes()
    except OSError as exc:
        raise ModelImportError(
            f"the {what} {name!r} beside the card cannot be read: {exc.strerror}"
        ) from exc


def golden_of(ws: Workspace, card: ModelCard, stated: Golden, data: bytes | None) -> GoldenPicture:
    """Return the golden image of a card, read as cases are.

    Raises:
        ImagingError: If it is refused as a case would be.
        ModelImportError: If it was not given, or is another one.
    """
    if data is None:
        raise ModelImportError(f"the card has a golden image: choose {stated.image}, too")
    if (found := sha256(data).hexdigest()) != stated.image_sha256:
        raise ModelImportError(
            f"the golden image hashes to {found}, but the card says {stated.image_sha256}"
        )
    image = decode(data, identity_key=ws.settings.identity_key)
    return GoldenPicture(given_picture(image, card_to_json(card)), image.pixel_aspect)
