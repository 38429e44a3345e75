import pytest

from imaging.child import decode_here
from imaging.left_behind import kinds_left_behind
from imaging.limits import Limits
from tests import planted
from tests.planted import Garden


@pytest.mark.parametrize(
    ("make", "source_format", "kinds"),
    [
        (
            planted.jpeg,
            "JPEG",
            [
                *("EXIF", "ICC profile", "Photoshop and IPTC", "XMP"),
                *("bytes behind the picture", "comments", "other JPEG segments"),
            ],
        ),
        (
            planted.png,
            "PNG",
            [
                *("EXIF", "ICC profile", "PNG text", "XMP"),
                *("bytes behind the picture", "other PNG chunks"),
            ],
        ),
        (planted.tiff, "TIFF", ["IPTC", "TIFF text", "XMP", "further pages", "other TIFF tags"]),
        (planted.webp, "WebP", ["EXIF", "XMP"]),
    ],
)
def test_a_case_says_which_kinds_were_left_behind(make, source_format, kinds):
    data = make(Garden())
    assert kinds_left_behind(data, source_format) == kinds
    image = decode_here(data, limits=Limits(), identity_key=bytes(32))
    record = image.acquisition["deidentification"]
    assert record["removed"] == kinds
    assert record["n_removed"] == len(kinds)


@pytest.mark.parametrize("source_format", ["PNG", "JPEG", "TIFF", "WebP"])
@pytest.mark.parametrize("length", range(0, 60, 7))
def test_a_file_that_breaks_off_is_no_error(source_format, length):
    make = {"PNG": planted.png, "JPEG": planted.jpeg, "TIFF": planted.tiff, "WebP": planted.webp}
    data = make[source_format](Garden())[:length]
    assert all(isinstance(kind, str) for kind in kinds_left_behind(data, source_format))
