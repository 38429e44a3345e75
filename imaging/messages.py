"""Messages between the application and its decoding process.

A message is a 4-byte header length, an 8-byte body length, a JSON header and a body. Pixels travel
as plain bytes, never as objects: the application believes nothing else of what comes back.
"""

import json
import struct
from typing import IO, Any

LENGTHS = struct.Struct(">IQ")
Message = tuple[dict[str, Any], bytes]


def send(stream: IO[bytes], header: dict[str, Any], body: bytes) -> None:
    """Write one message."""
    encoded = json.dumps(header).encode()
    stream.write(LENGTHS.pack(len(encoded), len(body)))
    stream.write(encoded)
    stream.write(body)
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read one message, or None at the end of the stream."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    n_header, n_body = LENGTHS.unpack(lengths)
    header, body = stream.read(n_header), stream.read(n_body)
    if len(header) < n_header or len(body) < n_body:
        return None
    return json.loads(header), body
