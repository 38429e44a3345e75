"""What is on record, as the explainers take it, and their maps as the record takes them.

Needs PyTorch; the web process never imports it.
"""

import io

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from db.tables import Case, Explanation, Model
from imaging.encode import from_png, to_unit
from review.state.shown import given_to_model
from review.workspace import Workspace
from xai_core.attribution import Attribution
from xai_core.model.card import card_from_json
from xai_core.model.loading import LoadedModel, ModelCache


def loaded(ws: Workspace, models: ModelCache, model: Model, *, device: str) -> LoadedModel:
    """Return a recorded model version, ready on a device.

    Raises:
        XaiError: If the weights are missing, damaged or do not fit the card.
    """
    weights = ws.artifacts.path(model.weights_sha256)
    return models.get(card_from_json(model.card), weights, device=device)


def unit_image(ws: Workspace, case: Case, model: Model) -> NDArray[np.float32]:
    """Return a case's image as a model is given it, (H, W) or (H, W, 3) in [0, 1].

    Raises:
        RecordError: If the image is missing or damaged.
    """
    pixels = from_png(ws.artifacts.read(case.image_sha256))
    return to_unit(pixels, *given_to_model(case, model.card))


def attribution(ws: Workspace, row: Explanation) -> Attribution:
    """Return a recorded map as far as other maps are compared with it.

    Raises:
        RecordError: If its values are missing or damaged.
    """
    data = ws.artifacts.read(row.artifact_sha256)
    values: NDArray[np.float32] = np.load(io.BytesIO(data), allow_pickle=False)
    return Attribution(
        values=torch.from_numpy(values),
        target=row.target,
        method=row.method,
        params=row.params,
        seconds=row.seconds,
        device=row.device,
        score=0.0,
        channels_share=row.channels_share,
    )


def npy(values: Tensor) -> bytes:
    """Return an attribution, (C, H, W) float32, as the bytes of a NumPy file."""
    buffer = io.BytesIO()
    np.save(buffer, values.numpy(), allow_pickle=False)
    return buffer.getvalue()
