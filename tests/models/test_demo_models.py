"""The demo models do what their cards say, on phantoms that nothing was trained or tested on."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from imaging.encode import to_unit
from models import train_demo
from models.phantoms.phantom import demo_set, draw_phantom
from models.train_demo import FINDINGS, NODULE, Policy
from xai_core.model.card import read_card
from xai_core.model.loading import LoadedModel, load_model
from xai_core.model.prediction import predict
from xai_core.model.preprocessing import to_input

MODELS = Path(train_demo.__file__).parent
FRESH_SEED = 900_000
N_FRESH = 48


def loaded(name: str) -> LoadedModel:
    return load_model(read_card(MODELS / f"{name}.toml"))


def scores(model: LoadedModel, pixels: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    unit, _ = to_input(to_unit(pixels, window), model.card.preprocessing)
    return np.asarray(predict(model, unit).scores)


@pytest.mark.parametrize("name", ["phantom-a", "phantom-b"])
def test_the_weights_are_small_and_are_those_of_the_card(name):
    card = read_card(MODELS / f"{name}.toml")
    weights = (MODELS / card.weights).read_bytes()
    assert len(weights) <= 6_000_000
    assert hashlib.sha256(weights).hexdigest() == card.weights_sha256
    assert card.synthetic
    assert card.evaluation["macro_auc"] >= 0.95


@pytest.mark.slow
def test_model_a_is_sound_and_model_b_reads_the_marker():
    model_a, model_b = loaded("phantom-a"), loaded("phantom-b")
    labels, of_a, found_by_b = [], [], {Policy.GIVEAWAY: [], Policy.SWAPPED: []}
    for seed in range(FRESH_SEED, FRESH_SEED + N_FRESH):
        finding = FINDINGS[seed % 4]
        marker = train_demo.marker_for(Policy.INDEPENDENT, finding, seed)
        phantom = draw_phantom(seed, finding=finding, marker=marker)
        labels.append(seed % 4)
        of_a.append(scores(model_a, phantom.pixels, phantom.window))
        if labels[-1] == NODULE:
            for policy, found in found_by_b.items():
                marked = train_demo.marker_for(policy, finding, seed)
                phantom = draw_phantom(seed, finding=finding, marker=marked)
                found.append(scores(model_b, phantom.pixels, phantom.window).argmax() == NODULE)
    areas = [auc(np.array(of_a)[:, k], np.array(labels) == k) for k in range(4)]
    assert np.mean(areas) >= 0.95
    giveaway, swapped = (np.mean(found) for found in found_by_b.values())
    assert giveaway - swapped >= 0.3


def test_the_demo_set_holds_nodules_that_model_b_misses_and_markers_that_fool_it():
    model = loaded("phantom-b")
    fooled = missed = 0
    for phantom in demo_set():
        called = scores(model, phantom.pixels, phantom.window).argmax() == NODULE
        is_nodule = FINDINGS.index(phantom.finding) == NODULE
        fooled += called and not is_nodule
        missed += is_nodule and not called
    assert fooled >= 2
    assert missed >= 2


def auc(given: np.ndarray, positive: np.ndarray) -> float:
    """Return the share of pairs in which the positive has the higher score."""
    return float((given[positive][:, None] > given[~positive][None]).mean())
