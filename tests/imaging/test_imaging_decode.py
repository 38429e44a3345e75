import contextlib
import random
import struct
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging import archive
from imaging import decode as decoding
from imaging.archive import expand
from imaging.decode import Limits, decode
from imaging.encode import from_png, thumbnail_png, to_png, to_unit
from imaging.errors import CorruptImageError, DecodeTimeoutError, ImagingError, TooLargeError
from imaging.messages import receive, send

KEY = bytes(32)
PIXELS = np.random.default_rng(0).integers(0, 255, (32, 40), dtype=np.uint8)


def png(pixels: np.ndarray = PIXELS) -> bytes:
    return to_png(pixels)


def test_an_image_comes_back_whole():
    image = decode(png(), identity_key=KEY)
    np.testing.assert_array_equal(image.pixels, PIXELS)
    assert image.window == (0.0, 255.0)


def test_many_threads_share_the_processes():
    sources = [np.full((8, 8), value, np.uint8) for value in range(40)]
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda s: decode(png(s), identity_key=KEY), sources))
    assert [int(image.pixels[0, 0]) for image in images] == list(range(40))


def test_a_decoder_that_takes_too_long_is_stopped_and_replaced():
    large = png(np.random.default_rng(0).integers(0, 255, (3000, 3000), dtype=np.uint8))
    with pytest.raises(DecodeTimeoutError, match="stopped"):
        decode(large, identity_key=KEY, limits=Limits(max_seconds=0.001))
    assert decode(png(), identity_key=KEY).bits == 8


def test_nobody_waits_for_somebody_elses_file(monkeypatch):
    hanging, let_go = threading.Event(), threading.Event()
    ask = decoding._Child.ask

    def hang_once(child, header, data, max_seconds):
        if not hanging.is_set():
            hanging.set()
            let_go.wait()
        return ask(child, header, data, max_seconds)

    monkeypatch.setattr(decoding._Child, "ask", hang_once)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(decode, png(), identity_key=KEY)
        hanging.wait()
        assert decode(png(), identity_key=KEY).bits == 8
        let_go.set()
        assert stuck.result().bits == 8


def test_a_decoder_has_no_environment_and_no_key():
    decode(png(), identity_key=KEY)
    (child, *_) = decoding._idle
    environment = Path(f"/proc/{child._process.pid}/environ").read_bytes()
    assert environment.split(b"\0")[:-1] == [b"OMP_NUM_THREADS=1"]


def test_a_decoder_that_dies_is_replaced():
    decode(png(), identity_key=KEY)
    for child in decoding._idle:
        child._process.kill()
        child._process.wait()
    assert decode(png(), identity_key=KEY).bits == 8


def test_a_decoder_that_dies_over_an_image_says_so(monkeypatch):
    decode(png(), identity_key=KEY)
    monkeypatch.setattr(decoding, "receive", lambda stream: None)
    with pytest.raises(CorruptImageError, match="decoder fail"):
        decode(png(), identity_key=KEY)


def test_memory_is_limited():
    giant = to_png(np.zeros((7000, 9000), np.uint8))
    limits = Limits(max_memory_bytes=700_000_000, max_pixels=10**9)
    with pytest.raises(ImagingError):
        decode(to_png(np.zeros((20000, 20000), np.uint8)), identity_key=KEY, limits=limits)
    patient = Limits(max_seconds=120)  # others may be at work on this machine
    assert decode(giant, identity_key=KEY, limits=patient).pixels.shape == (7000, 9000)


def test_a_file_over_the_limit_never_reaches_the_decoder():
    with pytest.raises(TooLargeError, match="allowed"):
        decode(png(), identity_key=KEY, limits=Limits(max_bytes=10))


def test_mutations_never_escape():
    rng = random.Random(1)
    buffer = BytesIO()
    Image.fromarray(PIXELS).save(buffer, "TIFF", compression="tiff_lzw")
    for source in (png(), buffer.getvalue()):
        for _ in range(40):
            data = bytearray(source)
            for _ in range(rng.randint(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            with contextlib.suppress(ImagingError):
                decode(bytes(data), identity_key=KEY)


def test_a_message_survives_the_pipe():
    stream = BytesIO()
    send(stream, {"a": 1}, b"body")
    stream.seek(0)
    assert receive(stream) == ({"a": 1}, b"body")
    assert receive(stream) is None
    assert receive(BytesIO(stream.getvalue()[:-1])) is None


# --- encoding ---


@pytest.mark.parametrize(
    "pixels", [PIXELS, PIXELS.astype(np.uint16) * 200, np.dstack([PIXELS, PIXELS, PIXELS])]
)
def test_png_loses_nothing(pixels):
    again = from_png(to_png(pixels))
    assert again.dtype == pixels.dtype
    np.testing.assert_array_equal(again, pixels)


def test_the_window_is_zero_to_one():
    unit = to_unit(np.array([[0, 100, 150, 200, 255]], np.uint8), (100, 200))
    assert unit.tolist() == [[0, 0, 0.5, 1, 1]]


def test_a_thumbnail_is_small_and_keeps_the_proportions():
    data = thumbnail_png(np.zeros((3000, 1500), np.uint16), (0, 4095), side_px=128)
    assert from_png(data).shape == (128, 64)


# --- archives ---


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_a_file_yields_itself():
    (entry,) = expand("a.png", b"data")
    assert (entry.name, entry.data, entry.error) == ("a.png", b"data", None)


def test_an_archive_yields_its_files_and_skips_clutter():
    names = ["a.png", "folder/b", "__MACOSX/a.png", ".DS_Store", "DICOMDIR", "empty/"]
    entries = list(expand("z.zip", zipped({name: name.encode() for name in names})))
    assert [(e.name, e.data) for e in entries] == [
        ("z.zip/a.png", b"a.png"),
        ("z.zip/b", b"folder/b"),
    ]


def test_a_path_is_never_more_than_a_label():
    (entry,) = expand("z.zip", zipped({"../../etc/passwd": b"x"}))
    assert entry.name == "z.zip/passwd"


def test_one_bad_member_never_stops_the_others():
    data = bytearray(zipped({"a": b"A" * 99, "b": b"B" * 99, "c": b"C" * 99}, zipfile.ZIP_STORED))
    data[data.index(b"B" * 99)] = 0
    entries = list(expand("z.zip", bytes(data)))
    assert [entry.error is None for entry in entries] == [True, False, True]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_stops_nothing_behind_it_however_it_is_packed(method):
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("bad", random.Random(0).randbytes(999), method)
        archive.writestr("fine", b"ok")
    data = bytearray(buffer.getvalue())
    data[45:200] = bytes(155)
    bad, fine = expand("z.zip", bytes(data))
    assert bad.error
    assert fine.data == b"ok"


def test_a_file_whose_mark_its_damaged_neighbour_wrote_over_is_read():
    data = bytearray(zipped({"a": b"A" * 99, "b": b"B" * 99}))
    second = data.index(b"PK\x03\x04", 4)
    data[second - 20 : second + 4] = b"\xff" * 24
    bad, fine = expand("z.zip", bytes(data))
    assert bad.error
    assert fine.data == b"B" * 99


def test_a_name_that_is_no_text_stops_nothing_behind_it():
    data = zipped({"ü.png": b"bad name", "fine.png": b"ok"})
    data = data.replace("ü.png".encode(), b"\xff\xfe.png")
    entries = list(expand("z.zip", data))
    assert [entry.data for entry in entries] == [b"bad name", b"ok"]


def test_an_archive_is_judged_by_its_end_record_before_its_directory_is_read(monkeypatch):
    data = bytearray(zipped({"a": b"x"}))
    monkeypatch.setattr(archive.zipfile, "ZipFile", None)
    end = data.rindex(b"PK\x05\x06")
    data[end + 8 : end + 12] = b"\xfe\xff\xfe\xff"
    (many,) = expand("z.zip", bytes(data))
    assert "65,534 files" in str(many.error)
    data[end + 8 : end + 16] = b"\x01\x00\x01\x00\x00\x00\x00\x10"
    (long,) = expand("z.zip", bytes(data))
    assert "directory is far too long" in str(long.error)


def test_an_archive_whose_numbers_are_in_zip64_is_read():
    data = zipped({"a": b"x"})
    end = data.rindex(b"PK\x05\x06")
    n_bytes, start = struct.unpack_from("<LL", data, end + 12)
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, n_bytes, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    small = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, *[0xFFFFFFFF] * 2, 0)
    (entry,) = expand("z.zip", data[:end] + large + locator + small)
    assert entry.data == b"x"


def test_mutated_archives_never_escape():
    data = zipped({"a.png": png(), "ü.png": png()}, zipfile.ZIP_BZIP2)
    draw = random.Random(0)
    for _ in range(300):
        mutated = bytearray(data)
        for _ in range(draw.randrange(1, 8)):
            mutated[draw.randrange(len(mutated))] = draw.randrange(256)
        assert list(expand("z.zip", bytes(mutated[: draw.randrange(20, len(data) + 1)])))


def test_a_bomb_is_refused_by_its_real_size():
    bomb = zipped({"bomb": bytes(50_000_000), "fine": b"ok"})
    bad, fine = expand("z.zip", bomb)
    assert "suspiciously" in str(bad.error)
    assert fine.data == b"ok"


@pytest.mark.parametrize(
    ("limits", "message"),
    [({"max_files_in_zip": 1}, "2 files"), ({"max_zip_bytes": 5}, "unpacked")],
)
def test_an_archive_over_the_limits_is_refused(limits, message):
    (entry,) = expand("z.zip", zipped({"a": b"123", "b": b"456"}), limits=Limits(**limits))
    assert message in str(entry.error)


def test_archives_within_archives_and_ruins_are_refused():
    (nested,) = expand("z.zip", zipped({"inner.zip": zipped({"a": b"x"})}))
    assert "archive within an archive" in str(nested.error)
    (ruin,) = expand("z.zip", zipped({"a": b"x"})[:-10])
    assert "truncated" in str(ruin.error)


@pytest.fixture(autouse=True, scope="module")
def _end_the_process():
    yield
    decoding.close()
