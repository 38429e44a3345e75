import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from imaging.burnt_in import DETECTOR, FOUND, NOTE, text_boxes
from imaging.child import decode_here
from imaging.fine_text import fine_text
from imaging.image import DecodedImage
from imaging.limits import Limits
from models.phantoms.film import Corner, Marker
from models.phantoms.patient import Finding
from models.phantoms.phantom import draw_phantom
from tests.imaging.test_imaging_dicom import decoded
from tests.radiographs import dataset

NAME = "DOE JANE 1950-01-01"
FULL = (0.0, 255.0)


def film(size: int = 800) -> np.ndarray:
    """A soft, mottled picture without any mark: grey in the middle, dark at the edges."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    mottle = np.random.default_rng(0).normal(0, 4, (size, size))
    return np.clip(40 + 150 * np.exp(-2 * (x**2 + y**2)) + mottle, 0, 255).astype(np.uint8)


def lettered(
    pixels: np.ndarray, text: str = NAME, *, height: int = 24, ink: int = 255, at=(20, 20)
) -> np.ndarray:
    picture = Image.fromarray(pixels.copy())
    font = ImageFont.load_default(size=height)
    ImageDraw.Draw(picture).text(at, text, fill=ink, font=font)
    return np.asarray(picture)


@pytest.mark.parametrize("height", [16, 24, 40, 60])
def test_bright_lettering_of_many_sizes_is_found_where_it_stands(height):
    (box, *_) = text_boxes(lettered(film(), height=height), FULL)
    x, y, width, box_height = box
    assert abs(x - 20) < height
    assert 20 <= y < 20 + height
    assert width > 3 * height
    assert box_height <= 1.5 * height


def test_dark_lettering_is_found_on_a_bright_ground():
    assert text_boxes(lettered(film(), ink=0, at=(300, 400)), FULL)


def test_lettering_turned_upright_is_found():
    assert text_boxes(np.rot90(lettered(film())), FULL)


def test_lettering_a_little_askew_is_found():
    layer = Image.fromarray(lettered(np.zeros((800, 800), np.uint8), at=(300, 60)))
    askew = layer.rotate(4, Image.Resampling.BICUBIC)
    assert text_boxes(np.maximum(np.asarray(askew), np.minimum(film(), 100)), FULL)


def test_lettering_in_colour_is_found():
    picture = Image.fromarray(film()).convert("RGB")
    font = ImageFont.load_default(size=24)
    ImageDraw.Draw(picture).text((20, 20), NAME, fill=(255, 255, 80), font=font)
    assert text_boxes(np.asarray(picture), FULL)


def test_lettering_in_sixteen_bits_is_seen_through_the_window():
    deep = lettered(film()).astype(np.uint16) * 16
    assert text_boxes(deep, (0.0, 4095.0)) == text_boxes(lettered(film()), FULL)


def test_boxes_of_a_large_film_are_in_its_own_pixels():
    large = lettered(film(2400), height=60, at=(1500, 2000))
    ((x, y, *_), *_) = text_boxes(large, FULL)
    assert (x, y) == (pytest.approx(1500, abs=30), pytest.approx(2000, abs=60))


@pytest.mark.parametrize("marker", ["R", "L", "AP"])
def test_a_side_marker_is_no_text(marker):
    assert text_boxes(lettered(film(), marker, height=60), FULL) == []


def test_a_film_and_noise_and_a_flat_picture_have_no_text():
    noise = np.random.default_rng(1).integers(0, 256, (400, 500), dtype=np.uint8)
    assert [text_boxes(p, FULL) for p in (film(), noise, np.zeros_like(noise))] == [[], [], []]


def test_the_ticks_of_a_ruler_are_no_text():
    ruled = film()
    for x in range(100, 700, 20):
        ruled[20:40, x : x + 4] = 255
    assert text_boxes(ruled, FULL) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (3, 2), (2000, 7), (1, 1, 3)])
def test_pictures_of_odd_shapes_are_looked_at(shape):
    assert text_boxes(np.zeros(shape, dtype=np.uint8), FULL) == []


def test_a_phantom_warns_of_words_but_not_of_a_letter():
    markers = [Marker(text, Corner.UPPER_LEFT) for text in ("PORTABLE", "R")]
    phantoms = [draw_phantom(3, finding=next(iter(Finding)), marker=m) for m in markers]
    assert [bool(text_boxes(p.pixels, FULL)) for p in phantoms] == [True, False]


def test_a_picture_with_lettering_is_stored_with_a_note_and_the_place():
    image = raster(lettered(film()))
    known = image.acquisition["burnt_in_text"]
    assert NOTE in map(str, image.notes)
    assert (known["suspected"], known["why"]) == (True, [FOUND])
    assert len(known["boxes"][0]) == 4


def test_a_picture_without_lettering_is_said_to_have_been_looked_at():
    image = raster(film())
    assert NOTE not in map(str, image.notes)
    known = image.acquisition["burnt_in_text"]
    assert known == {"suspected": False, "why": [], "boxes": [], "detector": DETECTOR}


@pytest.mark.parametrize(
    ("tags", "suspected"),
    [
        ({"BurnedInAnnotation": "YES"}, True),
        ({"BurnedInAnnotation": "NO"}, False),
        ({}, False),
        ({"Modality": "US"}, True),
        ({"Modality": "US", "BurnedInAnnotation": "NO"}, False),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, True),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "BurnedInAnnotation": "NO"}, False),
    ],
)
def test_what_a_dicom_file_says_of_itself_is_heeded(tags, suspected):
    image = decoded(dataset(**tags))
    assert image.acquisition["burnt_in_text"]["suspected"] is suspected
    assert (NOTE in map(str, image.notes)) is suspected


def test_that_a_file_denies_it_does_not_hide_lettering():
    image = decoded(dataset(lettered(film()), BurnedInAnnotation="NO"))
    assert image.acquisition["burnt_in_text"]["why"] == [FOUND]


@pytest.mark.parametrize("ink", [255, 150, 110])
@pytest.mark.parametrize("height", [8, 10, 12, 16, 24, 40])
def test_small_and_grey_lettering_is_found_on_black(height, ink):
    black = film()
    black[:100] = 0
    boxes = text_boxes(lettered(black, height=height, ink=ink), FULL)
    assert any(y < 100 and abs(x - 20) < 2 * height for x, y, _, _ in boxes)


def test_three_letters_and_blurred_lettering_are_no_rows_of_fine_type():
    blurred = ndimage.gaussian_filter(lettered(film(), height=10, ink=150), 3)
    short = lettered(film(), "ABC", height=10, ink=150)
    assert [list(fine_text(level)) for level in (blurred, short)] == [[], []]


@pytest.mark.real
def test_real_films_with_side_markers_and_tubes_give_hardly_a_false_alarm(shared_data):
    names = sorted((shared_data / "pneumonia" / "full").glob("*.jpeg"))
    names += sorted((shared_data / "pneumonia" / "test-224").glob("*"))[:200]
    films = [np.asarray(Image.open(name).convert("L")) for name in names]
    assert len(films) > 200
    alarms = [n.name for n, f in zip(names, films, strict=True) if text_boxes(f, FULL)]
    assert len(alarms) <= 1


@pytest.mark.real
def test_names_on_real_films_are_mostly_found(shared_data):
    names = sorted((shared_data / "pneumonia" / "full").glob("*.jpeg"))
    found = [bool(text_boxes(boxed(name), FULL)) for name in names]
    assert sum(found) >= 0.9 * len(found)


def boxed(path: Path) -> np.ndarray:
    """A film with a name in white on a black strip, as machines print it."""
    pixels = np.asarray(Image.open(path).convert("L")).copy()
    pixels[10:60, 10:400] = 0
    return lettered(pixels, height=28)


def raster(pixels: np.ndarray) -> DecodedImage:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return decode_here(out.getvalue(), limits=Limits(), identity_key=bytes(32))
