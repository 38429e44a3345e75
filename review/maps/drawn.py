"""A recorded map over pixels, as it is drawn and compared. Needs no PyTorch."""

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from db.artifacts import ArtifactStore
from db.errors import NotFoundError
from db.tables import Case, Explanation, Prediction
from review.state.held import insist_passed


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


def shown_explanation(session: Session, explanation_id: int) -> Explanation:
    """Return a recorded map that may be shown.

    Raises:
        NotFoundError: If there is no such explanation.
        HeldError: If its case is held back.
    """
    row = session.get(Explanation, explanation_id)
    if row is None:
        raise NotFoundError(f"explanation {explanation_id} does not exist")
    case_id = session.get_one(Prediction, row.prediction_id).case_id
    insist_passed(session.get(Case, case_id), case_id=case_id)
    return row
