"""DICOM files that belong together: slices, views, and frames of one file."""

from io import BytesIO

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

CT, MG, XA = (f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "1.2", "12.1"))
CHEST = {"PatientID": "P-1", "StudyInstanceUID": "1.2.1", "AcquisitionDate": "20260301"}
AXIAL = [1, 0, 0, 0, 1, 0]


def dicom(pixels: np.ndarray, uid: str, **tags) -> Dataset:
    """Return a data set of (H, W) or (n, H, W) uint16 pixels of 12 bits."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    n_frames = len(pixels) if pixels.ndim == 3 else 1
    known = {
        "SOPClassUID": CT, "SOPInstanceUID": uid, "SeriesInstanceUID": "1.2.1.1", **CHEST,
        "Rows": pixels.shape[-2], "Columns": pixels.shape[-1], "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 12,
        "HighBit": 11, "PixelRepresentation": 0, "PixelData": pixels.astype("<u2").tobytes(),
    }  # fmt: skip
    for name, value in (known | tags).items():
        setattr(ds, name, value)
    if n_frames > 1:
        ds.NumberOfFrames = n_frames
    return ds


def written(ds: Dataset) -> bytes:
    """Return a data set as a file's bytes."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def grey(n: int, *, size: int = 24) -> np.ndarray:
    """Return a picture of no text, which another number makes another one."""
    y, x = np.mgrid[:size, :size]
    return (1000 + 40 * n + 8 * x + 5 * y).astype(np.uint16)


def one_slice(n: int, **tags) -> Dataset:
    """Return the n-th of the axial slices of one CT series, 5 mm from each other."""
    known = {
        "Modality": "CT", "InstanceNumber": n, "ImageOrientationPatient": AXIAL,
        "ImagePositionPatient": [0, 0, 5.0 * n], "WindowCenter": 1200 + n, "WindowWidth": 800,
    }  # fmt: skip
    return dicom(grey(n), f"1.2.1.1.{n}", **known | tags)


def cine(n_frames: int, **tags) -> Dataset:
    """Return a file of several frames."""
    pixels = np.stack([grey(n) for n in range(n_frames)])
    known = {"Modality": "XA", "SOPClassUID": XA, "SeriesInstanceUID": "1.2.1.2"}
    return dicom(pixels, "1.2.1.2.1", **known | tags)


def view(uid: str, side: str, position: str, number: int, **tags) -> Dataset:
    """Return one view of a mammography study."""
    known = {
        "Modality": "MG", "SOPClassUID": MG, "ImageLaterality": side, "ViewPosition": position,
        "SeriesInstanceUID": "1.2.1.3." + {"L": "1", "R": "2"}[side], "InstanceNumber": number,
    }  # fmt: skip
    return dicom(grey(number), uid, **known | tags)


def transcoded(ds: Dataset) -> Dataset:
    """Return the same instance in another transfer syntax, without loss."""
    again = Dataset()
    again.update(ds)
    again.file_meta = FileMetaDataset()
    again.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    again.compress(RLELossless, generate_instance_uid=False)
    return again
