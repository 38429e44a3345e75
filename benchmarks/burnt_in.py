"""How much text drawn on films is noticed, and how often there is a false alarm.

`python -m benchmarks.burnt_in FOLDER...`: films without text, as PNG or JPEG. Every other one is
taken: on the others the limits of `imaging.fine_text` were chosen.
"""

import random
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imaging.burnt_in import text_boxes

Grey = NDArray[np.uint8]
TEXTS = (
    "DOE JANE 1950-01-01",
    "Smith, John",
    "MRN 00123456",
    "12/03/1964",
    "Maria Gonzalez F 62Y",
    "ID: 7782-K",
    "KOWALSKI ANNA",
)
SIZES_PX = (8, 10, 12, 16, 20, 28, 40, 60)
# Ink, and the strip beneath it, if any.
INKS = {
    "white": (255, None),
    "black": (0, None),
    "light grey": (200, None),
    "white on black strip": (255, 0),
    "black on white strip": (0, 255),
    "grey on film": (150, None),
    "grey on black strip": (110, 0),
    "dark grey on white strip": (150, 255),
}
LEAST_CONTRAST = 100  # of 255: less, and a person would have to search too
N_EACH = 3
LEAST_SIDE_PX = 400  # of films on which a person could write
FULL = (0.0, 255.0)


def trial(film: Grey, size_px: int, ink: int, strip: int | None, rng: random.Random) -> bool | None:
    """Draw a text in a corner; return whether it was found, or None if it cannot be read there."""
    picture = Image.fromarray(film)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=size_px)
    text = rng.choice(TEXTS)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    x = rng.choice((4, picture.width - right - 4))
    y = rng.choice((4, picture.height - bottom - 6))
    if picture.width < right + 8 or picture.height < bottom + 8:
        return None
    box = (x + left, y + top, x + right, y + bottom)
    ground = np.asarray(picture.crop(box)) if strip is None else strip
    if abs(float(np.median(ground)) - ink) < LEAST_CONTRAST:
        return None
    if strip is not None:
        draw.rectangle((box[0] - 3, box[1] - 3, box[2] + 3, box[3] + 3), fill=strip)
    draw.text((x, y), text, fill=ink, font=font)
    return any(
        u < box[2] and u + width > box[0] and v < box[3] and v + height > box[1]
        for u, v, width, height in text_boxes(np.asarray(picture), FULL)
    )


def main(folders: list[str]) -> None:
    """Print the false alarms and, by size of type, how much of the drawn text was found."""
    paths = [path for folder in folders for path in sorted(Path(folder).iterdir())[1::2]]
    films = [np.asarray(Image.open(p).convert("L")) for p in paths if p.suffix in {".png", ".jpeg"}]
    n_alarms = sum(bool(text_boxes(film, FULL)) for film in films)
    print(f"{n_alarms} false alarms on {len(films)} films")
    films = [film for film in films if min(film.shape) >= LEAST_SIDE_PX]
    print(f"{len(films)} of them are of {LEAST_SIDE_PX} px or more; {N_EACH} texts drawn on each")
    print(f"| type, px | {' | '.join(INKS)} |\n|---|{'---|' * len(INKS)}")
    rng = random.Random(0)
    for size_px in SIZES_PX:
        cells = []
        for ink, strip in INKS.values():
            seen = [trial(f, size_px, ink, strip, rng) for f in films for _ in range(N_EACH)]
            told = [found for found in seen if found is not None]
            cells.append(f"{sum(told)} / {len(told)}")
        print(f"| {size_px} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
