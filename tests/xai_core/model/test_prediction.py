import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.testing import assert_close

from tests.squeezenet import write_squeezenet
from xai_core.errors import InputError, ModelError
from xai_core.model.card import ModelCard, Preprocessing, ScoreType, read_card
from xai_core.model.loading import LoadedModel, load_model
from xai_core.model.prediction import predict
from xai_core.model.preprocessing import to_input

GREY = torch.full((1, 1, 4, 4), 0.5)
CARD = ModelCard(
    name="answers",
    version="1",
    architecture="site/answers",
    weights="answers.safetensors",
    weights_sha256="0" * 64,
    classes=("a", "b", "c"),
    scores=ScoreType.SOFTMAX,
    preprocessing=Preprocessing(channels=1, mean=(0.5,), std=(0.25,)),
    intended_use="tests",
)


class Answers(nn.Module):
    """Answers every image alike, and remembers it."""

    def __init__(self, logits):
        super().__init__()
        self.answer = torch.tensor([logits])

    def forward(self, batch):
        self.seen = batch
        return self.answer


def answering(*logits, scores=ScoreType.SOFTMAX):
    classes = tuple("abcdef"[: len(logits)])
    return LoadedModel(
        replace(CARD, classes=classes, scores=scores), Answers(logits).eval(), torch.device("cpu")
    )


def test_softmax_scores_add_up_to_one():
    prediction = predict(answering(math.log(1), math.log(2), math.log(1)), GREY)
    assert (prediction.target, prediction.label) == (1, "b")
    assert prediction.scores == pytest.approx((0.25, 0.5, 0.25))
    assert prediction.logits == pytest.approx((0, math.log(2), 0))
    assert prediction.margin == pytest.approx(0.25)
    assert prediction.entropy == pytest.approx(1.5 / math.log2(3))


def test_sigmoid_scores_stand_for_themselves():
    prediction = predict(answering(-math.log(3), 0.0, scores=ScoreType.SIGMOID), GREY)
    assert prediction.label == "b"
    assert prediction.scores == pytest.approx((0.25, 0.5))
    binary = -0.25 * math.log2(0.25) - 0.75 * math.log2(0.75)
    assert prediction.entropy == pytest.approx((binary + 1) / 2)


def test_a_single_class_has_no_margin():
    prediction = predict(answering(2.0, scores=ScoreType.SIGMOID), GREY)
    assert (prediction.label, prediction.margin) == ("a", None)


@pytest.mark.parametrize(
    ("logits", "scores", "entropy"),
    [
        ((0.0, 0.0, 0.0), ScoreType.SOFTMAX, 1),
        ((900.0, 0.0, 0.0), ScoreType.SOFTMAX, 0),
        ((0.0, 0.0), ScoreType.SIGMOID, 1),
        ((900.0, -900.0), ScoreType.SIGMOID, 0),
    ],
)
def test_entropy_is_one_where_the_scores_say_nothing_and_zero_where_they_are_certain(
    logits, scores, entropy
):
    assert predict(answering(*logits, scores=scores), GREY).entropy == pytest.approx(entropy)


def test_classes_are_told_apart_where_their_scores_saturate():
    prediction = predict(answering(800.0, 900.0, -1.0, scores=ScoreType.SIGMOID), GREY)
    assert prediction.scores[:2] == (1, 1)
    assert [name for _, name, _ in prediction.top()] == ["b", "a", "c"]


def test_the_top_names_index_class_and_score():
    prediction = predict(answering(math.log(1), math.log(2), math.log(1)), GREY)
    assert prediction.top(2) == [(1, "b", pytest.approx(0.5)), (0, "a", pytest.approx(0.25))]


def test_a_summary_is_safe_for_json():
    summary = predict(answering(0.0, 1.0, 2.0), GREY).to_json(k=1)
    assert json.loads(json.dumps(summary)) == summary
    assert summary["top"] == [{"target": 2, "label": "c", "score": summary["score"]}]


def test_the_model_sees_the_normalised_input_without_gradients():
    model = answering(0.0, 1.0)
    image = torch.tensor([[[[0.0, 0.5, 1.0]]]], requires_grad=True)
    predict(model, image)
    assert_close(model.module.seen.detach(), torch.tensor([[[[-2.0, 0.0, 2.0]]]]))


@pytest.mark.parametrize("shape", [(1, 3, 4, 4), (2, 1, 4, 4), (1, 4, 4)])
def test_an_input_of_another_shape_is_refused(shape):
    with pytest.raises(InputError, match=r"allowed: \(1, 1, H, W\)"):
        predict(answering(0.0, 1.0), torch.zeros(shape))


def test_an_answer_that_is_no_number_is_refused():
    with pytest.raises(ModelError, match="answers with NaN or infinity"):
        predict(answering(0.0, float("nan")), GREY)


@pytest.mark.real
@pytest.mark.parametrize(
    ("photograph", "top"),
    [
        ("n02109961_Eskimo_dog", [("Eskimo dog", 0.57), ("Siberian husky", 0.33)]),
        ("n02110185_Siberian_husky", [("toy poodle", 0.26)]),
    ],
)
def test_the_real_squeezenet_says_what_it_is_known_for(shared_data, tmp_path, photograph, top):
    model = load_model(read_card(write_squeezenet(tmp_path, shared_data)))
    with Image.open(shared_data / "imagenet" / f"{photograph}.JPEG") as picture:
        unit = np.asarray(picture.convert("RGB"), np.float32) / 255
    prediction = predict(model, to_input(unit, model.card.preprocessing)[0])
    said = [(label, pytest.approx(score, abs=0.01)) for _, label, score in prediction.top(len(top))]
    assert said == top
