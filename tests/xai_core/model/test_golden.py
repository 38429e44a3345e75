"""A golden image on a small colour model: what is mistaken in the card is said."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.xai_core.model.test_models import card_of
from xai_core.errors import CardError, ModelError
from xai_core.model.card import Preprocessing, card_from_json, card_to_json
from xai_core.model.card_golden import Golden
from xai_core.model.golden import try_golden
from xai_core.model.loading import LoadedModel
from xai_core.model.prediction import predict
from xai_core.model.preprocessing import to_input

RIGHT = Preprocessing(
    channels=3, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), resize=20, crop=16
)
IMAGE = np.random.default_rng(0).random((40, 30, 3)).astype(np.float32)
IMAGE[:20, :, 0] = 1  # mostly red, in one half
MODULE = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 3))
torch.manual_seed(0)
nn.init.normal_(MODULE[1].weight, std=0.03)


def model_with(preprocessing, golden=None):
    card = card_of(b"", preprocessing=preprocessing, golden=golden)
    return LoadedModel(card, MODULE.eval(), torch.device("cpu"))


@pytest.fixture
def golden():
    prediction = predict(model_with(RIGHT), to_input(IMAGE, RIGHT)[0])
    scores = dict(zip(prediction.classes, prediction.scores, strict=True))
    return Golden("golden.png", "0" * 64, scores, tolerance=1e-4)


def test_an_image_that_scores_as_the_card_says_passes(golden):
    try_golden(model_with(RIGHT, golden), IMAGE)
    try_golden(model_with(RIGHT), IMAGE)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ({"channel_order": "BGR"}, 'They would with channel_order = "RGB"'),
        ({"mean": (0.0,) * 3, "std": (1.0,) * 3}, "They would with ImageNet's mean and std"),
        (
            {"mean": (0.0,) * 3, "std": (1.0,) * 3, "input_range": (0.0, 255.0)},
            "They would with ImageNet's mean and std",
        ),
        ({"interpolation": "bicubic"}, 'They would with interpolation = "bilinear"'),
        (
            {"mean": (0.0,) * 3, "std": (1.0,) * 3, "interpolation": "bicubic"},
            'ImageNet\'s mean and std and interpolation = "bilinear"',
        ),
    ],
)
def test_the_mistake_that_explains_the_scores_is_named(golden, mistake, said):
    values = card_to_json(card_of(b"", preprocessing=replace(RIGHT, **mistake), golden=golden))
    wrong = LoadedModel(card_from_json(values), MODULE.eval(), torch.device("cpu"))
    with pytest.raises(ModelError, match=r"golden\.png does not score as the card says") as raised:
        try_golden(wrong, IMAGE)
    assert said in str(raised.value)


def test_another_resizing_is_named():
    squashed = replace(RIGHT, resize=(16, 16), crop=None)
    prediction = predict(model_with(squashed), to_input(IMAGE, squashed)[0])
    scores = {"a": prediction.scores[0], "c": prediction.scores[2]}
    with pytest.raises(ModelError, match=r"They would with resize = \[16, 16\] and no crop"):
        try_golden(model_with(RIGHT, Golden("g.png", "0" * 64, scores, 1e-4)), IMAGE)


def test_exchanged_black_and_white_is_named(golden):
    with pytest.raises(ModelError, match="with black and white exchanged"):
        try_golden(model_with(RIGHT, golden), 1 - IMAGE)


def test_scores_that_nothing_explains_are_given_with_what_was_expected():
    golden = Golden("g.png", "0" * 64, {"a": 0.001, "b": 0.998}, 1e-6)
    with pytest.raises(ModelError, match=r"b scores 0\.\d{3}, expected 0\.998.*No other usual"):
        try_golden(model_with(RIGHT, golden), IMAGE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": "../x.png"}, r"golden\.image is .*a file beside the card"),
        ({"image_sha256": "0"}, r"golden\.image_sha256 is"),
        ({"scores": {}}, r"golden\.scores is {}; allowed: a table"),
        ({"scores": {"a": 2}}, r"golden\.scores\.a is 2; allowed: a score from 0 to 1"),
        ({"scores": {"z": 0.5}}, r"a name in golden\.scores is 'z'; allowed: a name of classes"),
        ({"tolerance": 0}, r"golden\.tolerance is 0"),
        ({"sores": {}}, "golden has the unknown key 'sores'; did you mean 'scores'"),
    ],
)
def test_a_golden_test_that_makes_no_sense_is_refused(changes, message):
    stated = {"image": "g.png", "image_sha256": "0" * 64, "scores": {"a": 0.5}} | changes
    with pytest.raises(CardError, match=message):
        card_from_json(card_to_json(card_of(b"")) | {"golden": stated})


def test_a_card_with_a_golden_test_is_kept_as_it_is(golden):
    card = card_of(b"", golden=golden)
    assert card_from_json(card_to_json(card)) == card
