"""Files and ZIP archives as a stream of single files."""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath

from imaging.errors import CorruptImageError, ImagingError, TooLargeError, UnsupportedFormatError
from imaging.limits import Limits

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
CHUNK = 1 << 20
RATIO_FREE_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file: its name for the report, and its bytes or why there are none."""

    name: str
    data: bytes | None = None
    error: ImagingError | None = None


def expand(name: str, data: bytes, *, limits: Limits | None = None) -> Iterator[Entry]:
    """Yield a file itself, or the files of a ZIP archive; a bad member never stops the others.

    Names are for the report only: nothing is written under them.
    """
    limits = limits or Limits()
    if len(data) > limits.max_bytes and not data.startswith(ZIP_MAGIC):
        yield Entry(name, error=_too_large(len(data), limits.max_bytes, "the file"))
    elif data.startswith(ZIP_MAGIC):
        yield from _members(name, data, limits)
    else:
        yield Entry(name, data)


def _members(name: str, data: bytes, limits: Limits) -> Iterator[Entry]:
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError):
        yield Entry(name, error=CorruptImageError("the ZIP archive is truncated or damaged"))
        return
    with archive:
        members = [info for info in archive.infolist() if not _is_clutter(info)]
        if problem := _archive_problem(members, limits):
            yield Entry(name, error=problem)
            return
        if not members:
            yield Entry(name, error=UnsupportedFormatError("the ZIP archive holds no file"))
        left = limits.max_zip_bytes
        for info in members:
            label = f"{name}/{PurePosixPath(info.filename).name}"
            try:
                content = _read(archive, info, min(limits.max_bytes, left), limits)
            except ImagingError as exc:
                yield Entry(label, error=exc)
                continue
            left -= len(content)
            yield Entry(label, content)


def _is_clutter(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return info.is_dir() or hidden or path.name.upper() in {"DICOMDIR", "THUMBS.DB"}


def _archive_problem(members: list[zipfile.ZipInfo], limits: Limits) -> ImagingError | None:
    if len(members) > limits.max_files_in_zip:
        return TooLargeError(
            f"the ZIP archive holds {len(members):,} files; allowed are {limits.max_files_in_zip:,}"
        )
    declared = sum(info.file_size for info in members)
    if declared > limits.max_zip_bytes:
        return _too_large(declared, limits.max_zip_bytes, "the ZIP archive unpacked")
    return None


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int, limits: Limits) -> bytes:
    """Unpack one member, holding its real size, not its declared one, against the limits."""
    if info.flag_bits & 0x1:
        raise UnsupportedFormatError("the file is encrypted; unpack the archive first")
    ratio_bytes = RATIO_FREE_BYTES + int(limits.max_zip_ratio * info.compress_size)
    parts: list[bytes] = []
    size = 0
    try:
        with archive.open(info) as member:
            while chunk := member.read(CHUNK):
                size += len(chunk)
                if size > max_bytes:
                    raise _too_large(size, max_bytes, "the file unpacked")
                if size > ratio_bytes:
                    raise TooLargeError(
                        "the file unpacks to suspiciously much more than it takes up; refused"
                    )
                parts.append(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as exc:
        raise CorruptImageError("the file in the archive is damaged") from exc
    if parts and parts[0].startswith(ZIP_MAGIC):
        raise UnsupportedFormatError("an archive within an archive; unpack it first")
    return b"".join(parts)


def _too_large(n_bytes: int, limit: int, what: str) -> TooLargeError:
    return TooLargeError(f"{what} has {n_bytes / 1e6:,.1f} MB; allowed are {limit / 1e6:,.0f} MB")
