"""A recorded map over pixels, as it is drawn and compared. Needs no PyTorch."""

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from db.artifacts import ArtifactStore
from db.tables import Explanation


class DrawnMap(NamedTuple):
    """What a map is drawn from: an artifact, and whether its channels share one value."""

    sha256: str
    channels_share: bool

    @classmethod
    def of(cls, row: Explanation) -> "DrawnMap":
        """Return what a recorded map is drawn from."""
        return cls(row.artifact_sha256, row.channels_share)

    def __str__(self) -> str:
        """Name the content: the same artifact is other pixels where channels share a value."""
        return f"{self.sha256}-{'shared' if self.channels_share else 'summed'}"

    def heat(self, artifacts: ArtifactStore) -> NDArray[np.float32]:
        """Return the map, (H, W).

        Attributions add up over channels. Methods that cover all channels at once give each the
        same value: there, any one of them is the map.

        Raises:
            RecordError: If its values are missing or damaged.
        """
        data = artifacts.read(self.sha256)
        values: NDArray[np.float32] = np.load(io.BytesIO(data), allow_pickle=False)
        heat: NDArray[np.float32] = (
            values[0] if self.channels_share else values.sum(axis=0, dtype=np.float32)
        )
        return heat
