"""Holds what is read of pydicom's own test files against DCMTK, and writes the table of it.

Called as `python -m docs.beside_dcmtk docs/beside-dcmtk.md`; needs DCMTK's command line tools.
"""

import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import get_frame

from imaging.child import decode_here
from imaging.encode import to_unit
from imaging.errors import ImagingError
from imaging.image import DecodedImage, RangeFrom
from imaging.limits import Limits

FILES = Path(pydicom.__file__).parent / "data"
JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
JPEG_2000 = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
ROUNDING = 1  # of 255: DCMTK cuts where we round
HEAD = """# Beside DCMTK

What is read of the files with pixels that come with pydicom {pydicom}, held against
{dcmtk}: every frame's greys or colours through the file's window, of 0 to 255. DCMTK
cuts fractions where we round, so that 1 is no difference. It reads no JPEG 2000: there, stored
values are held against imagecodecs. Made by `python -m docs.beside_dcmtk docs/beside-dcmtk.md`.

**Of {n}, {right} right, {wrong} wrong, {refused} refused**; read, but not by DCMTK: {unmatched}.

| file | transfer syntax | read | DCMTK |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """One file: what we made of it, and what the other decoder did.

    Attributes:
        name: Of the file, under pydicom's data.
        syntax: Its transfer syntax.
        outcome: "right", "wrong", "refused" or "unmatched", where the other reads nothing.
        ours: In words.
        theirs: In words.
    """

    name: str
    syntax: str
    outcome: str
    ours: str
    theirs: str


def rows() -> Iterator[Row]:
    """Yield a row for every file with pixels that comes with pydicom."""
    with warnings.catch_warnings(), TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        for path in sorted(FILES.rglob("*")):
            if path.is_file() and (dataset := _with_pixels(path)) is not None:
                yield _row(path, dataset, Path(folder))


def dcmtk_version() -> str:
    """Return the name and version of the tools; they must be installed."""
    said = _run("dcmj2pnm", "--version")
    return " ".join(["DCMTK", *re.findall(r"v([0-9.]+)", said)[:1]])


def table(found: list[Row]) -> str:
    """Return the page, Markdown."""
    counts = Counter(row.outcome for row in found)
    head = HEAD.format(
        pydicom=pydicom.__version__,
        dcmtk=dcmtk_version(),
        n=len(found),
        **{kind: counts[kind] for kind in ("right", "wrong", "refused", "unmatched")},
    )
    return head + "".join(map(line, found))


def line(row: Row) -> str:
    """Return a row of the table."""
    return f"| {row.name} | {row.syntax} | {row.ours} | {row.theirs} |\n"


def _with_pixels(path: Path) -> pydicom.Dataset | None:
    try:
        dataset = pydicom.dcmread(path, force=True)
    except Exception:  # not DICOM
        return None
    names = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    return dataset if any(name in dataset for name in names) else None


def _row(path: Path, dataset: pydicom.Dataset, folder: Path) -> Row:
    meta = getattr(dataset, "file_meta", None) or {}
    syntax = pydicom.uid.UID(str(meta.get("TransferSyntaxUID") or ""))
    name, told = path.relative_to(FILES).as_posix(), syntax.name.split(",")[0] or "none stated"
    n_frames = _number(dataset.get("NumberOfFrames"))
    frames = range(n_frames) if n_frames > 1 else [None]
    greatest = -1
    for frame in frames:
        try:
            image = decode_here(
                path.read_bytes(), limits=Limits(), identity_key=bytes(32), frame=frame
            )
        except ImagingError as exc:
            theirs = _greys_of_dcmtk(path, dataset, None, 0, folder)
            return Row(name, told, "refused", str(exc), "reads it" if theirs is not None else "no")
        if syntax in JPEG_2000:
            difference = _from_imagecodecs(dataset, image, frame or 0)
        else:
            theirs = _greys_of_dcmtk(path, dataset, image, frame or 0, folder)
            difference = None if theirs is None else _apart(_greys(image), theirs)
        if difference is None:
            return Row(name, told, "unmatched", "read", "no")
        greatest = max(greatest, difference)
    shown = "equal" if greatest == 0 else f"apart by {greatest} at most"
    by = "imagecodecs: " if syntax in JPEG_2000 else ""
    outcome = "right" if greatest <= ROUNDING else "wrong"
    return Row(name, told, outcome, outcome, f"{by}{shown}")


def _greys(image: DecodedImage) -> NDArray[np.int64]:
    return np.rint(to_unit(image.pixels, image.window, image.shading) * 255).astype(np.int64)


def _greys_of_dcmtk(
    path: Path, dataset: pydicom.Dataset, image: DecodedImage | None, frame: int, folder: Path
) -> NDArray[np.int64] | None:
    """Return (H, W) or (H, W, 3) of 0 to 255, or None where DCMTK cannot read the file."""
    out, plain = folder / "out.pnm", folder / "plain.dcm"
    out.unlink(missing_ok=True)
    meta = getattr(dataset, "file_meta", None) or {}
    if meta.get("TransferSyntaxUID") in JPEG_LS:
        _run("dcmdjpls", path, plain)
        path = plain
    command = ["dcmj2pnm", "--ignore-aspect", "--no-overlays", "--frame", str(frame + 1)]
    _run(*command, *_window(dataset, image), path, out)
    if not out.exists():
        return None
    with Image.open(out) as picture:
        return np.asarray(picture).astype(np.int64)


def _window(dataset: pydicom.Dataset, image: DecodedImage | None) -> list[str]:
    """Return the file's own window by its number, or ours where it has none."""
    if dataset.get("WindowWidth"):
        return ["--use-window", "1"]
    if dataset.get("VOILUTSequence"):
        return ["--use-voi-lut", "1"]
    if image is None or image.range_from is RangeFrom.FILE:
        return []
    slope, intercept = image.rescale
    low, high = sorted(edge * slope + intercept for edge in image.window)
    width = high - low + 1  # PS3.3, C.11.2.1.2.1, turned round
    return ["--set-window", f"{low + 0.5 + (width - 1) / 2:g}", f"{width:g}"]


def _from_imagecodecs(dataset: pydicom.Dataset, image: DecodedImage, frame: int) -> int | None:
    n_frames = _number(dataset.get("NumberOfFrames"))
    coded = get_frame(dataset.PixelData, frame, number_of_frames=n_frames)
    stored = imagecodecs.jpeg2k_decode(coded).astype(np.int64)
    if stored.ndim == 3:
        return _apart(image.pixels.astype(np.int64), stored)
    bits = int(dataset.BitsStored)
    if int(dataset.PixelRepresentation):
        stored = np.where(stored >= 1 << (bits - 1), stored - (1 << bits), stored)
    slope, intercept = image.rescale
    physical = image.pixels * slope + intercept
    theirs = stored * float(dataset.get("RescaleSlope") or 1) + float(
        dataset.get("RescaleIntercept") or 0
    )
    return _apart(physical, theirs)


def _apart(ours: NDArray[np.generic], theirs: NDArray[np.generic]) -> int:
    if ours.ndim == 2 and theirs.ndim == 3:
        theirs = theirs[..., 0]
    if ours.shape != theirs.shape:
        return 255
    return int(np.ceil(np.abs(ours - theirs).max()))  # type: ignore[operator]


def _run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout  # noqa: S603 - DCMTK's


def _number(value: object) -> int:
    try:
        return max(1, int(str(value)))
    except ValueError:
        return 1


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(table(list(rows())), encoding="utf-8")
