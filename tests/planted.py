"""Files with an identifier planted in every place that we know of; for tests."""

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import imagecodecs
import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit

from imaging.value_sets import terms

NAMES = terms("""
    PatientName OtherPatientNames PatientMotherBirthName PatientBirthName ReferringPhysicianName
    OperatorsName PerformingPhysicianName RequestingPhysician NameOfPhysiciansReadingStudy
    ResponsiblePerson
""")
TEXTS = terms("""
    PatientID IssuerOfPatientID OtherPatientIDs PatientAddress PatientComments MilitaryRank
    AdditionalPatientHistory AccessionNumber StudyID StudyDescription SeriesDescription ProtocolName
    InstitutionName InstitutionAddress InstitutionalDepartmentName StationName DeviceSerialNumber
    Manufacturer ManufacturerModelName SoftwareVersions ImageComments DerivationDescription
    RequestedProcedureDescription AdmittingDiagnosesDescription Occupation EthnicGroup
    PatientTelephoneNumbers WindowCenterWidthExplanation RescaleType TextValue RetrieveAETitle
    RetrieveURL TextString LabelText
""")
CODES = terms("""
    Modality ViewPosition BodyPartExamined Laterality ImageLaterality PatientSex ConversionType
    ImageType BurnedInAnnotation PresentationIntentType PresentationLUTShape VOILUTFunction
    LossyImageCompressionMethod PixelIntensityRelationship
""")
DATES = terms("""
    PatientBirthDate StudyDate SeriesDate ContentDate AcquisitionDateTime
    InstanceCreationDate
""")
UIDS = terms("""
    StudyInstanceUID SeriesInstanceUID SOPInstanceUID FrameOfReferenceUID DeviceUID
    IrradiationEventUID
""")
SIZE = (40, 48)


@dataclass
class Garden:
    """Plants identifiers and remembers each with its place; a place that is new is a new one."""

    planted: dict[str, str] = field(default_factory=dict)

    def name(self, place: str) -> str:
        """Return an identifier that serves as a name, a text and a code string (VR CS)."""
        return self._keep(place, f"ZWQX{len(self.planted):03d}")

    def date(self, place: str) -> str:
        return self._keep(place, f"18{31 + len(self.planted) % 60}1{len(self.planted) % 3}19")

    def uid(self, place: str) -> str:
        return self._keep(place, f"1.2.840.99919.77.{len(self.planted):03d}")

    def _keep(self, place: str, text: str) -> str:
        assert place not in self.planted
        self.planted[place] = text
        return text


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, SIZE, dtype=np.uint8)


def dicom(garden: Garden, seed: int = 1) -> bytes:
    """Return a radiograph with identifiers in elements of every kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that are none of their kind
        ds = _image(pixels(seed))
        for keywords, plant in (
            (NAMES | TEXTS | CODES, garden.name),
            (DATES, garden.date),
            (UIDS, garden.uid),
        ):
            for keyword in sorted(keywords):
                setattr(ds, keyword, plant(keyword))
        _nested(ds, garden)
        _by_number(ds, garden)
        meta = ds.file_meta
        for keyword in ("SourceApplicationEntityTitle", "ImplementationVersionName"):
            setattr(meta, keyword, garden.name(keyword))
        meta.PrivateInformationCreatorUID = UID(garden.uid("PrivateInformationCreatorUID"))
        meta.PrivateInformation = garden.name("PrivateInformation").encode() + b" "
        ds.preamble = garden.name("preamble").encode().ljust(128, b"\0")
        ds.PixelData += garden.name("behind the pixels").encode()
        return _written(ds) + garden.name("behind the data set").encode()


def _nested(ds: Dataset, garden: Garden) -> None:
    inner, middle, outer = Dataset(), Dataset(), Dataset()
    inner.PatientName = garden.name("third level")
    middle.ReferencedSOPInstanceUID = garden.uid("second level")
    middle.OriginalAttributesSequence = Sequence([inner])
    outer.ScheduledProcedureStepDescription = garden.name("first level")
    outer.ModifiedAttributesSequence = Sequence([middle])
    ds.RequestAttributesSequence = Sequence([outer])
    icon = _image(pixels(0))
    icon.PixelData = garden.name("icon's pixels").encode() + b" "
    ds.IconImageSequence = Sequence([icon])
    private = Dataset()
    private.PatientID = garden.name("within a private sequence")
    block = ds.private_block(0x0011, garden.name("private creator"), create=True)
    block.add_new(0x01, "LO", garden.name("private text"))
    block.add_new(0x02, "UN", garden.name("private bytes").encode() + b" ")
    block.add_new(0x03, "SQ", Sequence([private]))


def _by_number(ds: Dataset, garden: Garden) -> None:
    for tag, vr in (
        (0x60000022, "LO"),  # OverlayDescription
        (0x60001500, "LO"),  # OverlayLabel
        (0x60004000, "LT"),  # OverlayComments
        (0x60003000, "OW"),  # OverlayData
        (0x50000022, "LO"),  # CurveDescription
        (0x50002500, "LO"),  # CurveLabel
        (0x50003000, "OB"),  # CurveData
        (0x00324000, "LT"),  # StudyComments, retired
        (0x00990001, "LO"),  # an odd group without a creator
        (0xFFFCFFFC, "OB"),  # DataSetTrailingPadding
    ):
        text = garden.name(f"({tag:08X})")
        ds.add_new(tag, vr, text.encode() + b" " if vr in ("OW", "OB") else text)


def dicom_around_jpeg(garden: Garden) -> bytes:
    """Return a radiograph whose compressed frame is a JPEG file with a comment."""
    frame = imagecodecs.jpeg_encode(pixels(2), level=98)
    comment = garden.name("comment in the compressed frame").encode()
    ds = _image(pixels(2))
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.PixelData = encapsulate([frame[:2] + _segment(0xFE, comment) + frame[2:]])
    ds["PixelData"].VR = "OB"
    return _written(ds)


def dicom_with_high_bits(garden: Garden) -> bytes:
    """Return a radiograph of 8 stored bits with a name in the bits above them."""
    ds = _image(pixels(9))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 8, 7
    name = np.frombuffer(garden.name("bits above the stored ones").encode(), np.uint8)
    above = np.resize(name, SIZE).astype(np.uint16) << 8
    ds.PixelData = (above | pixels(9)).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    return _written(ds)


def dicom_refused(garden: Garden) -> bytes:
    """Return a film that is refused, for it says what it is in words that are a name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = _image(pixels(3))
        ds.PhotometricInterpretation = garden.name("PhotometricInterpretation")
        ds.PatientName = garden.name("PatientName of a refused file")
        return _written(ds)


def jpeg(garden: Garden) -> bytes:
    """Return a photograph with EXIF, GPS, XMP, IPTC, ICC, comments and bytes after its end."""
    exif = _exif(garden, "JPEG")
    out = io.BytesIO()
    Image.fromarray(pixels(4)).save(
        out,
        "JPEG",
        exif=exif,
        comment=garden.name("JPEG comment"),
        icc_profile=_icc(garden, "JPEG"),
        xmp=_xmp(garden, "JPEG"),
    )
    data = out.getvalue()
    iptc = b"Photoshop 3.0\0008BIM\x04\x04\0\0" + _iptc(garden, "JPEG")
    own = garden.name("JPEG APP9").encode()
    end = garden.name("behind the JPEG").encode()
    return data[:2] + _segment(0xED, iptc) + _segment(0xE9, own) + data[2:] + end


def png(garden: Garden) -> bytes:
    """Return a picture with texts of every kind."""
    out = io.BytesIO()
    Image.fromarray(pixels(5)).save(
        out, "PNG", exif=_exif(garden, "PNG"), icc_profile=_icc(garden, "PNG")
    )
    data = out.getvalue()
    packed = zlib.compress(garden.name("zTXt").encode())
    chunks = [
        (b"tEXt", b"Author\0" + garden.name("tEXt").encode()),
        (b"tEXt", garden.name("tEXt keyword").encode() + b"\0x"),
        (b"zTXt", b"Comment\0\0" + packed),
        (b"iTXt", b"Title\0\0\0\0\0" + garden.name("iTXt").encode()),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _xmp(garden, "PNG")),
        (b"prVt", garden.name("private chunk").encode()),
    ]
    behind_header = 8 + 25
    end = garden.name("behind the PNG").encode()
    return data[:behind_header] + b"".join(_chunk(*c) for c in chunks) + data[behind_header:] + end


def tiff(garden: Garden) -> bytes:
    """Return a picture of two pages with tags of every kind."""
    first, second = TiffImagePlugin.ImageFileDirectory_v2(), TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (269, 270, 271, 272, 285, 305, 315, 316, 33432, 65000):
        first[tag] = garden.name(f"TIFF tag {tag}")
        first.tagtype[tag] = 2
    first[700], first.tagtype[700] = _xmp(garden, "TIFF"), 1
    first[33723], first.tagtype[33723] = _iptc(garden, "TIFF"), 7
    second[270] = garden.name("TIFF second page")
    out = io.BytesIO()
    writer = TiffImagePlugin.AppendingTiffWriter(out)
    for page, tags in ((6, first), (7, second)):
        Image.fromarray(pixels(page)).save(writer, "TIFF", tiffinfo=tags)
        writer.newFrame()
    writer.close = lambda: None
    return out.getvalue() + garden.name("behind the TIFF").encode()


def webp(garden: Garden) -> bytes:
    """Return a picture with EXIF and XMP."""
    out = io.BytesIO()
    Image.fromarray(pixels(8)).save(
        out, "WEBP", lossless=True, exif=_exif(garden, "WebP"), xmp=_xmp(garden, "WebP")
    )
    return out.getvalue()


def archive(garden: Garden, members: list[tuple[str, bytes]]) -> bytes:
    """Return a ZIP archive with identifiers in folders, names, comments and extra fields."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.comment = garden.name("ZIP comment").encode()
        for number, (name, data) in enumerate(members):
            folder = garden.name(f"folder {number}")
            info = zipfile.ZipInfo(f"{folder}/{name}")
            info.comment = garden.name(f"member comment {number}").encode()
            extra = garden.name(f"extra field {number}").encode()
            info.extra = struct.pack("<HH", 0x7777, len(extra)) + extra
            packed.writestr(info, data)
    return out.getvalue()


def everything() -> tuple[dict[str, str], list[tuple[str, bytes]]]:
    """Return what was planted by place, and the files with it, archives among them."""
    garden = Garden()
    made: list[tuple[str, Callable[[Garden], bytes]]] = [
        (".dcm", dicom),
        (".dcm", dicom_around_jpeg),
        (".dcm", dicom_refused),
        (".dcm", dicom_with_high_bits),
        (".jpg", jpeg),
        (".png", png),
        (".tif", tiff),
        (".webp", webp),
        (".txt", lambda g: f"letter about {g.name('a text file')}".encode()),
    ]
    files = [
        (garden.name(f"file name {number}") + suffix, make(garden))
        for number, (suffix, make) in enumerate(made)
    ]
    loose, packed = files[::2], files[1::2]
    loose.append((garden.name("archive's name") + ".zip", archive(garden, packed)))
    return garden.planted, loose


def _image(values: np.ndarray) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    ds.SOPInstanceUID = f"1.2.3.{zlib.crc32(values.tobytes())}"
    ds.Rows, ds.Columns = values.shape
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.PixelData = values.tobytes()
    return ds


def _written(ds: Dataset) -> bytes:
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _exif(garden: Garden, where: str) -> bytes:
    exif = Image.Exif()
    for tag in (0x010E, 0x013B, 0x8298, 0x0131):  # ImageDescription, Artist, Copyright, Software
        exif[tag] = garden.name(f"{where} EXIF {tag:04X}")
    detail = exif.get_ifd(0x8769)
    detail[0x9286] = b"ASCII\0\0\0" + garden.name(f"{where} UserComment").encode()
    detail[0x927C] = garden.name(f"{where} MakerNote").encode()
    detail[0xA430] = garden.name(f"{where} CameraOwnerName")
    gps = exif.get_ifd(0x8825)
    gps[0x001B] = garden.name(f"{where} GPSProcessingMethod").encode()
    gps[0x001D] = garden.date(f"{where} GPSDateStamp")
    return exif.tobytes()


def _icc(garden: Garden, where: str) -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile + garden.name(f"{where} ICC profile").encode()


def _xmp(garden: Garden, where: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/'
        '22-rdf-syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'dc:creator="{garden.name(f"{where} XMP")}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


def _iptc(garden: Garden, where: str) -> bytes:
    text = garden.name(f"{where} IPTC").encode()
    record = b"\x1c\x02\x78" + struct.pack(">H", len(text)) + text
    return b"\0\0" + struct.pack(">I", len(record)) + record


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checked
