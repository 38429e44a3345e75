"""Files and ZIP archives as a stream of single files.

An archive is judged by its end record (APPNOTE.TXT, 4.3.16) before any of its directory is read.
"""

import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from mmap import mmap
from pathlib import PurePosixPath

from imaging.errors import CorruptImageError, ImagingError, TooLargeError, UnsupportedFormatError
from imaging.limits import Limits

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
END_MAGIC, DIRECTORY_MAGIC = b"PK\x05\x06", b"PK\x01\x02"
END = struct.Struct("<4s4H2LH")
LARGE_END_MAGIC, LARGE_END, LOCATOR_BYTES = b"PK\x06\x06", struct.Struct("<4sQ2H2L4Q"), 20
DIRECTORY_ENTRY = struct.Struct("<4s2H2H2H3L3H")
NAME_AT, FLAGS_AT, OFFSET_AT, LOCAL_FLAGS_AT, LOCAL_NAME_AT, IS_UTF8 = 46, 8, 42, 6, 30, 0x800
MAX_COMMENT = (1 << 16) - 1
MAX_CLUTTER = 5_000  # folders and the like beside the files
MAX_DIRECTORY_ENTRY = 1_024
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
CHUNK = 1 << 20
RATIO_FREE_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file: its name for the report, and its bytes or why there are none."""

    name: str
    data: bytes | None = None
    error: ImagingError | None = None


class Mapped(mmap):
    """A file in memory as far as it is looked at, with writing that stays there."""

    def seekable(self) -> bool:
        """Say that it is, as `zipfile` asks."""
        return True


def expand(
    name: str,
    data: bytes | Mapped,
    *,
    limits: Limits | None = None,
    first: int = 0,
    n_used: int = 0,
    begins: Callable[[str], None] = lambda _: None,
) -> Iterator[Entry]:
    """Yield a file itself, or the files of a ZIP archive; a bad member never stops the others.

    Names are for the report only: nothing is written under them.

    Args:
        name: What the file is called.
        data: Its bytes.
        limits: What it may take.
        first: With which of an archive's files to begin.
        n_used: How many bytes those before it gave.
        begins: Told the name of each before it is unpacked.
    """
    limits = limits or Limits()
    if data[: len(ZIP_MAGIC[0])] in ZIP_MAGIC:
        yield from _members(name, data, limits, first, n_used, begins)
    elif problem := too_large(len(data), limits):
        yield Entry(name, error=problem)
    else:
        yield Entry(name, data[:])


def too_large(n_bytes: int, limits: Limits) -> TooLargeError | None:
    """Return why a file that is no archive is refused for its size, if it is."""
    return _too_large(n_bytes, limits.max_bytes, "the file") if n_bytes > limits.max_bytes else None


def _members(
    name: str,
    data: bytes | Mapped,
    limits: Limits,
    first: int,
    n_used: int,
    begins: Callable[[str], None],
) -> Iterator[Entry]:
    try:
        archive = _opened(data, limits)
    except ImagingError as exc:
        yield Entry(name, error=exc)
        return
    with archive:
        members = [info for info in archive.infolist() if not _is_clutter(info)]
        if problem := _archive_problem(members, limits):
            yield Entry(name, error=problem)
            return
        if not members:
            yield Entry(name, error=UnsupportedFormatError("the ZIP archive holds no file"))
        left = limits.max_zip_bytes - n_used
        for info in members[first:]:
            label = f"{name}/{PurePosixPath(info.filename).name}"
            begins(label)
            try:
                content = _read(archive, info, min(limits.max_bytes, left), limits)
            except ImagingError as exc:
                yield Entry(label, error=exc)
                continue
            left -= len(content)
            yield Entry(label, content)


def _opened(data: bytes | Mapped, limits: Limits) -> zipfile.ZipFile:
    """Read the directory of an archive, once its end record says that it is worth it.

    Raises:
        ImagingError: If it is damaged, or holds more than is allowed.
    """
    end, n_files, n_bytes = _end_record(data)
    if n_files > limits.max_files_in_zip + MAX_CLUTTER:
        raise _too_many(n_files, limits)
    if n_bytes > (limits.max_files_in_zip + MAX_CLUTTER) * MAX_DIRECTORY_ENTRY:
        raise CorruptImageError("the ZIP archive's directory is far too long: it is damaged")
    try:
        readable = _with_readable_heads(data, end - n_bytes, n_files)
        file = readable if isinstance(readable, Mapped) else BytesIO(readable)
        return zipfile.ZipFile(file)  # type: ignore[arg-type]
    except Exception as exc:  # hostile directories fail in ways without number
        raise CorruptImageError("the ZIP archive is truncated or damaged") from exc


def _end_record(data: bytes | Mapped) -> tuple[int, int, int]:
    """Return where the directory ends, how many files it tells of, and how long it is.

    Raises:
        CorruptImageError: If there is no such record.
    """
    last = len(data) - END.size
    end = data.rfind(END_MAGIC, max(0, last - MAX_COMMENT), max(0, last) + len(END_MAGIC))
    if end < 0:
        raise CorruptImageError("the ZIP archive is truncated or damaged")
    n_files, n_bytes, start = END.unpack_from(data, end)[4:7]
    if n_files < 0xFFFF and max(n_bytes, start) < 0xFFFFFFFF:
        return end, n_files, n_bytes
    large = end - LOCATOR_BYTES - LARGE_END.size  # ZIP64, where a number is larger than its place
    if large < 0 or data[large : large + 4] != LARGE_END_MAGIC:
        return end, n_files, n_bytes
    n_files, n_bytes = LARGE_END.unpack_from(data, large)[7:9]
    return large, n_files, n_bytes


def _with_readable_heads(
    data: bytes | Mapped, start: int, n_files: int
) -> bytes | bytearray | Mapped:
    """Let what is wrong in the heads of files keep no sound file from being read.

    A name that says to be UTF-8 and is not would hold up the whole archive; a file whose mark is
    overwritten, by a damaged one before it, is where the directory says, and proven by its CRC.
    """
    patched: bytearray | Mapped | None = None
    at = start
    for _ in range(n_files):
        if not 0 <= at <= len(data) - DIRECTORY_ENTRY.size:
            break
        magic, _, _, flags, *_, n_name, n_extra, n_comment = DIRECTORY_ENTRY.unpack_from(data, at)
        if magic != DIRECTORY_MAGIC:
            break
        name = data[at + NAME_AT : at + NAME_AT + n_name]
        (local,) = struct.unpack_from("<L", data, at + OFFSET_AT)
        is_head = data[local + LOCAL_NAME_AT : local + LOCAL_NAME_AT + n_name] == name
        lost_mark = is_head and data[local : local + 4] != ZIP_MAGIC[0]
        is_misnamed = flags & IS_UTF8 and not _is_utf8(name)
        if patched is None and (is_misnamed or lost_mark):
            patched = data if isinstance(data, Mapped) else bytearray(data)
        if patched is not None and lost_mark:
            patched[local : local + 4] = ZIP_MAGIC[0]
        if patched is not None and is_misnamed:
            struct.pack_into("<H", patched, at + FLAGS_AT, flags & ~IS_UTF8)
            if is_head:
                struct.pack_into("<H", patched, local + LOCAL_FLAGS_AT, flags & ~IS_UTF8)
        at += NAME_AT + n_name + n_extra + n_comment
    return data if patched is None else patched


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_clutter(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return info.is_dir() or hidden or path.name.upper() in {"DICOMDIR", "THUMBS.DB"}


def _archive_problem(members: list[zipfile.ZipInfo], limits: Limits) -> ImagingError | None:
    if len(members) > limits.max_files_in_zip:
        return _too_many(len(members), limits)
    declared = sum(info.file_size for info in members)
    if declared > limits.max_zip_bytes:
        return _too_large(declared, limits.max_zip_bytes, "the ZIP archive unpacked")
    return None


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int, limits: Limits) -> bytes:
    """Unpack one member, holding its real size, not its declared one, against the limits."""
    if info.flag_bits & 0x1:
        raise UnsupportedFormatError("the file is encrypted; unpack the archive first")
    if info.compress_type not in METHODS:
        # LZMA takes as much memory as the file asks for.
        raise UnsupportedFormatError(
            "the file is packed otherwise than by Deflate or bzip2; unpack the archive first"
        )
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
    except ImagingError:
        raise
    except NotImplementedError as exc:
        raise UnsupportedFormatError(
            "the file is packed by a method that is not known here; unpack the archive first"
        ) from exc
    except Exception as exc:  # each method of packing has errors of its own
        raise CorruptImageError("the file in the archive is damaged") from exc
    if parts and parts[0].startswith(ZIP_MAGIC):
        raise UnsupportedFormatError("an archive within an archive; unpack it first")
    return b"".join(parts)


def _too_many(n_files: int, limits: Limits) -> TooLargeError:
    return TooLargeError(
        f"the ZIP archive holds {n_files:,} files; allowed are {limits.max_files_in_zip:,}"
    )


def _too_large(n_bytes: int, limit: int, what: str) -> TooLargeError:
    return TooLargeError(f"{what} has {n_bytes / 1e6:,.1f} MB; allowed are {limit / 1e6:,.0f} MB")
