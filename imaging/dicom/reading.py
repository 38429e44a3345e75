"""A DICOM file to one image: a frame's values, how they are shown, and what is known of them.

What is kept beside the pixels: `imaging.deidentify`.
"""

import warnings
from dataclasses import replace
from io import BytesIO

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from imaging.burnt_in import checked, said_of_text
from imaging.deidentify import facts_of, identity_of
from imaging.dicom import said
from imaging.dicom.colour import colour_of
from imaging.dicom.frames import n_frames_of, with_frame
from imaging.dicom.grey import Grey, grey_of
from imaging.dicom.kinds import insist_image
from imaging.dicom.stored import stored_values
from imaging.errors import CorruptImageError, ImagingError, UnsupportedFormatError
from imaging.formats import has_preamble
from imaging.image import DecodedImage, Note, Window
from imaging.limits import Limits

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
        frame: Which frame, from 0; None is the only one.
        grey_range: (black, white) in the file's units, where the file has no window.

    Raises:
        ImagingError: If the data set is damaged, holds no image, or one of a kind not accepted.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values that we do not use
        try:
            dataset = _read(data)
            insist_image(dataset, limits)
            n_frames = n_frames_of(dataset)
            chosen = _chosen(frame, n_frames)
            with_frame(dataset, chosen)
            image = _image(dataset, chosen, source_sha256, grey_range)
            return _looked_at(image, dataset, n_frames)
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


def _chosen(frame: int | None, n_frames: int) -> int:
    if frame is None and n_frames > 1:
        raise UnsupportedFormatError(
            f"the DICOM file holds {n_frames} frames; single images are accepted"
        )
    if not 0 <= (frame or 0) < n_frames:
        raise UnsupportedFormatError(f"there is no frame {frame}; the file holds {n_frames}")
    return frame or 0


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
        identity=identity_of(dataset),
    )


def _looked_at(image: DecodedImage, dataset: Dataset, n_frames: int) -> DecodedImage:
    """Return the image with what is known of text in its pixels."""
    is_capture = str(dataset.get("SOPClassUID", "")).startswith(SECONDARY_CAPTURE)
    text = said_of_text(
        dataset.get("BurnedInAnnotation"), modality=image.modality, is_capture=is_capture
    )
    return checked(replace(image, n_frames=n_frames), text)
