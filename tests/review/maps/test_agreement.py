import json

import numpy as np
import pytest
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.tables import Prediction
from review.maps import agreement
from review.maps.agreement import Agreement, Pair
from review.maps.drawn import DrawnMap
from review.workspace import Workspace
from tests import builders, readings
from tests.builders import OPERATOR
from xai_core.errors import MapError
from xai_core.measures.chance import shifted_agreement
from xai_core.measures.disagreement import disagreement_map
from xai_core.measures.similarity import agreement as cells_agreement
from xai_core.measures.similarity import ssim

NOISE = np.random.default_rng(3)


def predicted(session: Session) -> Prediction:
    return builders.prediction(session, builders.case(session), builders.model(session))


def stored(workspace: Workspace, *heats: np.ndarray, channels_share: bool = False) -> list[int]:
    """Store maps, (C, H, W), of one prediction; return their numbers."""
    with workspace.begin() as session:
        prediction = predicted(session)
        return [
            builders.explanation(
                session,
                prediction,
                channels_share=channels_share,
                artifact_sha256=builders.artifact(session, workspace.artifacts, readings.npy(heat)),
            ).id
            for heat in heats
        ]


def compared(
    workspace: Workspace, left: np.ndarray, right: np.ndarray, **fields: bool
) -> Agreement:
    ids = stored(workspace, left, right, **fields)
    return agreement.agreement(workspace, agreement.pair(workspace, *ids, by=OPERATOR))


def noise(*shape: int) -> np.ndarray:
    return NOISE.normal(size=(1, *shape)).astype(np.float32) + 0.1


def test_the_numbers_are_those_of_the_stored_measures(workspace):
    left, right = noise(40, 30), noise(57, 61)
    found = compared(workspace, left, right)
    wanted = cells_agreement(left[0], right[0])
    assert found.numbers == {
        "spearman": wanted.spearman,
        "top_k_iou": wanted.top_iou,
        "sign": wanted.sign_agreement,
        "ssim": ssim(left[0], right[0]),
    }
    assert found.by_chance == shifted_agreement(left[0], right[0])


@pytest.mark.parametrize("size", [(64, 64), (99, 80), (9, 5)])
def test_the_cells_are_the_picture_of_the_disagreement(workspace, size):
    left, right = noise(*size), noise(64, 64)
    found = compared(workspace, left, right)
    heights, widths = (
        np.diff([*starts, length])
        for starts, length in zip((found.rows, found.columns), size, strict=True)
    )
    drawn = np.array(found.cells).repeat(heights, axis=0).repeat(widths, axis=1)
    np.testing.assert_array_equal(drawn, disagreement_map(left[0], right[0]))


def test_maps_too_small_for_structure_have_no_structural_similarity(workspace):
    found = compared(workspace, noise(6, 6), noise(6, 6))
    assert (found.numbers["ssim"], found.by_chance["ssim"]) == (None, None)


def test_channels_that_share_a_value_count_once(workspace):
    left, right = noise(8, 8), noise(8, 8)
    once = compared(workspace, left, right)
    shared = compared(workspace, left.repeat(3, axis=0), right.repeat(3, 0), channels_share=True)
    assert shared == once


def test_what_is_found_is_json(workspace):
    found = compared(workspace, noise(9, 9), noise(9, 9))
    sent = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert set(sent) == {"spearman", "top_k_iou", "sign", "ssim", "by_chance", "picture"}


@pytest.mark.parametrize("heat", [np.zeros((1, 8, 8)), np.full((1, 8, 8), np.nan)])
def test_a_map_that_says_nothing_is_not_compared(workspace, heat):
    with pytest.raises(MapError):
        compared(workspace, noise(8, 8), heat.astype(np.float32))


def test_maps_of_another_class_or_prediction_are_not_compared(workspace):
    with workspace.begin() as session:
        one, other = predicted(session), predicted(session)
        left, *others = (
            builders.explanation(session, of, target=target).id
            for of, target in ((one, 0), (one, 1), (other, 0))
        )
    for right in others:
        with pytest.raises(NotFoundError, match="not of one prediction and class"):
            agreement.pair(workspace, left, right, by=OPERATOR)


@pytest.mark.parametrize("ids", [(1, 999), (999, 1)])
def test_an_unknown_map_is_not_compared(workspace, ids):
    stored(workspace, noise(8, 8))
    with pytest.raises(NotFoundError, match="999"):
        agreement.pair(workspace, *ids, by=OPERATOR)


def test_a_pair_is_named_by_both_maps_and_which_is_left():
    a, b = DrawnMap("a", channels_share=True), DrawnMap("b", channels_share=True)
    summed = DrawnMap("b", channels_share=False)
    assert len({str(Pair(a, b)), str(Pair(b, a)), str(Pair(a, summed)), str(Pair(a, a))}) == 4
