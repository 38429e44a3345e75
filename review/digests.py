"""The hash by which work, maps and evidence are known."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def digest(content: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return the SHA-256 of JSON-safe content; it is on record, so its bytes never change."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
