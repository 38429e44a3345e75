"""What is known of text burnt into pixels: what a file says of itself, and what two detectors find.

The detectors say where to look; they read nothing. What they find and miss is measured in
docs/input-formats.md.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from imaging.bold_text import bold_text
from imaging.encode import units
from imaging.fine_text import fine_text
from imaging.image import PLAIN, DecodedImage, Note, Of, Pixels, Shading, Window
from imaging.text_rows import Box as Box
from imaging.text_rows import Level, around, overlap

NOTE = "text may be burnt into the image: check it for names"
FOUND = "marks in a row that look like letters"
OFTEN = "such images often have text"
USUAL = frozenset({"US", "IVUS", "BDUS", "ES", "XC", "GM", "OT", "DG", "OP", "DOC"})
MOST_BOXES = 50
LEVEL_TOLERANCE = 1e-3  # of rounding, so that whole levels stay themselves
DETECTOR = 2  # what finds more than before is the next: pictures that it has not seen are looked at


def checked(image: DecodedImage, said: Sequence[str] = ()) -> DecodedImage:
    """Return an image with what is known of text in its pixels, and a note if there may be some.

    Args:
        image: A decoded image.
        said: Why text is to be expected, whatever the pixels look like.
    """
    known = findings(image.pixels, image.window, said, shading=image.shading)
    return replace(
        image,
        acquisition={**image.acquisition, "burnt_in_text": known},
        notes=(*image.notes, *([Note(Of.TEXT, NOTE)] if known["suspected"] else [])),
    )


def findings(
    pixels: Pixels, window: Window, said: Sequence[str] = (), *, shading: Shading = PLAIN
) -> dict[str, object]:
    """Return what is known of text in some pixels, as a case keeps it; see `checked`."""
    boxes = text_boxes(pixels, window, shading)
    why = [*said, *([FOUND] if boxes else [])]
    return {
        "suspected": bool(why),
        "why": why,
        "boxes": [list(box) for box in boxes[:MOST_BOXES]],
        "detector": DETECTOR,
    }


def said_of_text(tag: object, *, modality: str | None, is_capture: bool) -> list[str]:
    """Return why text is to be expected by what a DICOM file says of itself.

    Args:
        tag: The value of BurnedInAnnotation (PS3.3, C.7.6.1.1), if there is one.
        modality: The modality, if it is known.
        is_capture: Whether it is a Secondary Capture: what a screen or a scanner showed.
    """
    answer = str(tag or "").strip().upper()
    if answer == "YES":
        return ["the file says so"]
    if answer != "NO" and (is_capture or modality in USUAL):
        return [f"the file does not say, and {OFTEN}"]
    return []


def text_boxes(pixels: Pixels, window: Window, shading: Shading = PLAIN) -> list[Box]:
    """Return where rows of text may stand, in any order; upright text and text turned by 90°.

    Args:
        pixels: (H, W) or (H, W, 3), as in `imaging.image.DecodedImage`.
        window: (low, high) in pixel values.
        shading: The curve, and what is padding.
    """
    level = _level(pixels, window, shading)
    found: list[Box] = []
    for box in (*bold_text(level), *fine_text(level)):
        whole = box
        while same := next((known for known in found if overlap(whole, known)), None):
            found.remove(same)
            whole = around(whole, same)
        found.append(whole)
    return found


def _level(pixels: Pixels, window: Window, shading: Shading) -> Level:
    """Return (H, W) levels of 0 to 255 over the display window."""
    shown = (units(pixels.dtype, window, shading) * 255 + LEVEL_TOLERANCE).astype(np.uint8)
    level: Level = shown[pixels]
    if level.ndim == 3:
        red, green, blue = (level[..., channel].astype(np.uint16) for channel in range(3))
        level = ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.uint8)  # BT.601
    return level
