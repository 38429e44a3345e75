"""Blacking out parts of a picture for good."""

from collections.abc import Iterable, Sequence

from imaging.burnt_in import Box
from imaging.errors import MaskError
from imaging.image import Pixels

MOST_MASKS = 200


def blacked_out(pixels: Pixels, masks: Iterable[Box]) -> Pixels:
    """Return a copy whose masked pixels are 0, which every window shows as its darkest.

    Args:
        pixels: (H, W) or (H, W, 3), as in `imaging.image.DecodedImage`.
        masks: Boxes within the picture.
    """
    masked = pixels.copy()
    for x, y, width, height in masks:
        masked[y : y + height, x : x + width] = 0
    return masked


def checked_masks(given: object, *, width_px: int, height_px: int) -> tuple[Box, ...]:
    """Return masks as somebody drew them, or refuse them.

    Args:
        given: A list of (x, y, width, height) in whole image pixels.
        width_px: Width of the picture.
        height_px: Height of the picture.

    Raises:
        MaskError: If one is none, lies outside the picture, or there are none or too many.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise MaskError("masks are a list of boxes: x, y, width and height in whole pixels")
    if not 1 <= len(given) <= MOST_MASKS:
        raise MaskError(f"there are {len(given)} masks; allowed are 1 to {MOST_MASKS}")
    return tuple(_checked(mask, width_px, height_px) for mask in given)


def _checked(mask: object, width_px: int, height_px: int) -> Box:
    sides = list(mask) if isinstance(mask, Sequence) else []
    if len(sides) != 4 or any(type(side) is not int for side in sides):
        raise MaskError("a mask is x, y, width and height in whole pixels")
    x, y, width, height = sides
    if width < 1 or height < 1:
        raise MaskError(f"a mask is {width} x {height} pixels; allowed is 1 x 1 and more")
    if x < 0 or y < 0 or x + width > width_px or y + height > height_px:
        raise MaskError(
            f"the mask at {x}, {y} of {width} x {height} pixels reaches out of the picture of "
            f"{width_px} x {height_px}"
        )
    return x, y, width, height
