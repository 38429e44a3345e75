"""A DICOM file to one image: a frame's values, how they are shown, and what is known of them.

What is kept beside the pixels: `imaging.deidentify`.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from imaging.burnt_in import checked, said_of_text
from imaging.deidentify import facts_of, identity_of, place_of
from imaging.dicom import said
from imaging.dicom.colour import colour_of
from imaging.dicom.frames import at_frame, key_frame_of, n_frames_of
from imaging.dicom.grey import Grey, grey_of
from imaging.dicom.kinds import insist_image
from imaging.dicom.stored import stored_values
from imaging.errors import CorruptImageError, ImagingError
from imaging.formats import has_preamble
from imaging.image import DecodedImage, Note, Window
from imaging.limits import Limits, check_frames

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # and its multi-frame kinds (PS3.4, B.5)


def decode_dicom(
    data: bytes,
    *,
    source_sha256: str,
    limits: Limits,
    frame: int | None = None,
    grey_range: Window | None = None,
) -> DecodedImage:
    """Decode one frame; its identity is yet to be keyed.

    Args:
        data: The file.
        source_sha256: Of it.
        limits: What it may take.
        frame: Which frame, from 0; None is the only one, or the one that stands for all.
        grey_range: (black, white) in the file's units, where the file has no window.

    Raises:
        ImagingError: If the data set is damaged, holds no image, or one of a kind not accepted.
    """
    with _told_truly():
        dataset = _read(data)
        insist_image(dataset, limits)
        return _frame(dataset, key_frame_of(dataset, frame), source_sha256, grey_range)


def dicom_frames(
    data: bytes, *, source_sha256: str, limits: Limits, grey_range: Window | None = None
) -> Iterator[DecodedImage]:
    """Decode every frame: first the one that stands for all, then the others in order.

    Raises:
        ImagingError: As `decode_dicom`, and if there are more frames than the limits allow.
    """
    with _told_truly():
        dataset = _read(data)
        insist_image(dataset, limits)
        n_frames, key = n_frames_of(dataset), key_frame_of(dataset, None)
        check_frames(n_frames, int(dataset.Columns), int(dataset.Rows), limits=limits)
    for frame in (key, *(frame for frame in range(n_frames) if frame != key)):
        with _told_truly():
            image = _frame(dataset, frame, source_sha256, grey_range)
        yield image


@contextmanager
def _told_truly() -> Iterator[None]:
    """Have whatever goes wrong said as what it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values that we do not use
        try:
            yield
        except ImagingError:
            raise
        except Exception as exc:  # hostile data sets fail in ways without number
            raise CorruptImageError(
                "the DICOM file is truncated, damaged or contradictory"
            ) from exc


def _read(data: bytes) -> Dataset:
    dataset = pydicom.dcmread(BytesIO(data), force=not has_preamble(data))
    meta = getattr(dataset, "file_meta", None)
    if meta is None or "TransferSyntaxUID" not in meta:
        dataset.file_meta = meta if meta is not None else pydicom.dataset.FileMetaDataset()
        is_implicit, is_little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian
            if is_implicit
            else pydicom.uid.ExplicitVRLittleEndian
            if is_little
            else pydicom.uid.ExplicitVRBigEndian
        )
    return dataset


def _frame(
    dataset: Dataset, frame: int, source_sha256: str, grey_range: Window | None
) -> DecodedImage:
    with at_frame(dataset, frame):
        image = _image(dataset, frame, source_sha256, grey_range)
        return _looked_at(image, dataset)


def _image(
    dataset: Dataset, frame: int, source_sha256: str, grey_range: Window | None
) -> DecodedImage:
    notes: list[Note] = []
    stored = stored_values(dataset, frame, notes)
    if stored.ndim == 3 or dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        shown = Grey(colour_of(dataset, stored, notes), window=(0.0, 255.0))
    else:
        shown = grey_of(dataset, stored, notes, grey_range=grey_range)
    facts = facts_of(dataset)
    return DecodedImage(
        pixels=shown.pixels,
        window=shown.window,
        source_format="DICOM",
        source_sha256=source_sha256,
        bits=8 if shown.pixels.dtype == np.uint8 else shown.bits,
        rescale=shown.rescale,
        shading=shown.shading,
        range_from=shown.range_from,
        windows=shown.windows,
        pixel_aspect=facts.pixel_aspect,
        modality=facts.modality,
        view_position=facts.view_position,
        acquisition=facts.acquisition,
        notes=(*facts.notes, *notes, *said.of(dataset)),
        frame=frame,
        n_frames=n_frames_of(dataset),
        place=place_of(dataset),
        identity=identity_of(dataset),
    )


def _looked_at(image: DecodedImage, dataset: Dataset) -> DecodedImage:
    """Return the image with what is known of text in its pixels."""
    is_capture = str(dataset.get("SOPClassUID", "")).startswith(SECONDARY_CAPTURE)
    text = said_of_text(
        dataset.get("BurnedInAnnotation"), modality=image.modality, is_capture=is_capture
    )
    return checked(image, text)
