import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from torchvision.models import SqueezeNet1_0_Weights

from xai_core.errors import CardError
from xai_core.model.card import (
    Interpolation,
    ModelCard,
    Preprocessing,
    ScoreType,
    card_from_json,
    card_to_json,
    parse_card,
    read_card,
)

MINIMAL = {
    "name": "findings",
    "version": "1",
    "architecture": "torchvision/resnet18",
    "weights": "findings.safetensors",
    "weights_sha256": "0" * 64,
    "classes": ["normal", "nodule"],
    "scores": "softmax",
    "intended_use": "tests",
    "preprocessing": {"channels": 1, "mean": [0.5], "std": [0.25]},
}
FULL = f"""
name = "findings"
version = "2.1"
architecture = "torchvision/resnet18"
weights = "findings.pth"
weights_sha256 = "{"a1" * 32}"
classes = "names.txt"
scores = "sigmoid"
intended_use = "Trials with phantoms"
limits = "No child was among the training images."
synthetic = true
[preprocessing]
resize = [256, 320]
crop = 224
channels = 3
mean = [0, 0.5, 1]
std = [1, 1, 1]
input_range = [0, 255]
interpolation = "bicubic"
[evaluation]
macro_auc = 0.97
nodule = {{ sensitivity = 0.9, at = [1, 2.5] }}
"""


def with_preprocessing(**changes):
    return MINIMAL | {"preprocessing": MINIMAL["preprocessing"] | changes}


def test_what_a_card_may_leave_out():
    card = parse_card(MINIMAL)
    assert card.preprocessing == Preprocessing(channels=1, mean=(0.5,), std=(0.25,))
    assert card.preprocessing.resize is card.preprocessing.crop is None
    assert card.preprocessing.input_range == (0, 1)
    assert card.preprocessing.grey_range is None
    assert (card.limits, card.synthetic, card.evaluation) == ("", False, {})


def test_a_full_card_is_read_and_survives_json(tmp_path):
    (tmp_path / "names.txt").write_text("first\n second \n\nthird\n")
    (tmp_path / "card.toml").write_text(FULL)
    card = read_card(tmp_path / "card.toml")
    assert card.classes == ("first", "second", "third")
    assert card.scores is ScoreType.SIGMOID
    assert card.preprocessing.interpolation is Interpolation.BICUBIC
    assert card.preprocessing.input_size == (224, 224)
    assert card.weights_path == tmp_path / "findings.pth"
    assert card.evaluation["nodule"] == {"sensitivity": 0.9, "at": [1, 2.5]}
    again = card_from_json(json.loads(json.dumps(card_to_json(card))))
    assert again == card
    assert hash(again) == hash(card)


def test_json_is_read_as_toml_is(tmp_path):
    (tmp_path / "card.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(MINIMAL).encode())
    assert read_card(tmp_path / "card.json") == parse_card(MINIMAL)


def test_imagenet_is_what_torchvision_calls_it():
    categories = SqueezeNet1_0_Weights.DEFAULT.meta["categories"]
    assert list(parse_card(MINIMAL | {"classes": "imagenet"}).classes) == categories


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"resize": 256}, None),
        ({"resize": [256, 320]}, (256, 320)),
        ({"resize": 256, "crop": 224}, (224, 224)),
        ({"crop": [224, 192]}, (224, 192)),
    ],
)
def test_the_input_size_is_known_where_it_is_fixed(changes, size):
    assert parse_card(with_preprocessing(**changes)).preprocessing.input_size == size


def test_one_sigmoid_class_is_enough():
    card = parse_card(MINIMAL | {"classes": ["nodule"], "scores": "sigmoid"})
    assert card.classes == ("nodule",)


@pytest.mark.parametrize("missing", MINIMAL)
def test_a_missing_key_is_named(missing):
    with pytest.raises(CardError, match=f"the card lacks {missing}"):
        parse_card({key: value for key, value in MINIMAL.items() if key != missing})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clases": []}, "unknown key 'clases'; did you mean 'classes'"),
        ({"zzz": 1}, "unknown key 'zzz'; allowed: name, version"),
        ({"folder": "/"}, "unknown key 'folder'"),
        ({"name": "../../etc"}, r"name is '../../etc'; allowed: up to 64 letters"),
        ({"name": 7}, "name is 7"),
        ({"version": "v" * 33}, "version is .*; allowed: up to 32"),
        ({"architecture": "resnet18"}, "as in 'torchvision/resnet18'"),
        ({"weights": "../weights.pth"}, "beside the card"),
        ({"weights": "/weights.pth"}, "beside the card"),
        ({"weights": ".."}, "beside the card"),
        ({"weights_sha256": "ABC"}, "64 lowercase hexadecimal digits"),
        ({"classes": ["only"]}, "at least 2 names for softmax"),
        ({"classes": ["a", 3]}, r"classes\[1\] is 3"),
        ({"classes": ["a", " b"]}, r"classes\[1\] is ' b'; .*without outer spaces"),
        ({"classes": ["a", "b\n"]}, r"classes\[1\] is"),
        ({"classes": ["a", "b" * 129]}, "up to 128 characters"),
        ({"classes": ["a", "b", "a"]}, r"classes\[2\] is 'a'; allowed: each name once"),
        ({"classes": "/etc/passwd"}, "beside the card"),
        ({"classes": "names.txt"}, "the card came alone; allowed: a list of names"),
        ({"scores": "sofmax"}, "allowed: softmax or sigmoid; did you mean 'softmax'"),
        ({"scores": ["softmax"]}, "allowed: softmax or sigmoid"),
        ({"intended_use": " "}, "intended_use is ' '; allowed: a text"),
        ({"limits": None}, "limits is None; allowed: a text"),
        ({"synthetic": "yes"}, "allowed: true or false"),
        ({"preprocessing": 3}, "preprocessing is 3; allowed: a table"),
        ({"thresholds": [0.5, 0.5]}, "thresholds is .*; allowed: nothing for softmax"),
        ({"scores": "sigmoid", "thresholds": [0.5]}, "thresholds is .*; allowed: a list of 2"),
        ({"scores": "sigmoid", "thresholds": [0, 0.5]}, "each more than 0 and less than 1"),
        ({"scores": "sigmoid", "thresholds": [0.5, "x"]}, "thresholds is .*; allowed: a list of 2"),
        ({"scores": "sigmoid", "thresholds": 0.5}, "thresholds is 0.5; allowed: a list of 2"),
        ({"evaluation": [1]}, "evaluation is .*; allowed: a table"),
        ({"evaluation": {"auc": float("nan")}}, "evaluation.auc is nan; allowed: a finite"),
        ({"evaluation": {"at": [Path()]}}, r"evaluation.at\[0\] is .*; allowed: a text, number"),
        ({"evaluation": {1: 2}}, "a key of evaluation is 1; allowed: a text"),
    ],
)
def test_what_is_not_allowed_is_said_by_key(changes, message):
    with pytest.raises(CardError, match=message):
        parse_card(MINIMAL | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rezise": 3}, "unknown key 'rezise'; did you mean 'resize'"),
        ({"channels": 2}, "channels is 2; allowed: 1 or 3"),
        ({"channels": True}, "channels is True; allowed: 1 or 3"),
        ({"mean": 0.5}, "mean is 0.5; allowed: a list of 1 finite numbers"),
        ({"mean": [0.5, 0.5]}, "one per channel"),
        ({"mean": [float("nan")]}, "mean is .*finite numbers"),
        ({"mean": ["0.5"]}, "mean is .*finite numbers"),
        ({"std": [0]}, "each more than 0"),
        ({"resize": 0}, "resize is 0; allowed: a number of pixels from 1 to 4096"),
        ({"resize": 224.0}, "resize is 224.0"),
        ({"crop": 10**6}, "crop is 1000000"),
        ({"crop": [1, 2, 3]}, r"or \[height, width\]"),
        ({"input_range": [1, 0]}, "input_range is .*low < high"),
        ({"grey_range": [3071, -1024]}, "grey_range is .*black < white"),
        ({"grey_range": [0]}, "grey_range is .*black < white"),
        ({"interpolation": "nearest"}, "allowed: bilinear or bicubic"),
    ],
)
def test_preprocessing_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(CardError, match=message):
        parse_card(with_preprocessing(**changes))


def test_a_card_made_by_hand_is_checked_too():
    with pytest.raises(CardError, match="name is ''"):
        replace(parse_card(MINIMAL), name="")


def test_a_card_without_a_file_has_no_weights_beside_it():
    with pytest.raises(CardError, match="not read from a file"):
        _ = parse_card(MINIMAL).weights_path


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"= 3", "the card is no valid TOML"),
        (b"{", "the card is no valid JSON"),
        (b'{"a":' * 100_000, "the card is no valid JSON"),
        (b"a=" + b"[" * 100_000, "the card is no valid TOML"),
        (b"\xff\xfe", "the card is no UTF-8 text: .* at byte 0"),
        (b"#" * 2**20 + b"#", "allowed: up to 1048576"),
        (b"when = 2026-11-23", "unknown key 'when'"),
        (b"", "the card lacks name, version"),
        (b"[evaluation]\ndone = 2026-11-23\n", "the card lacks name"),
    ],
)
def test_what_is_no_card_is_said_so(data, message):
    with pytest.raises(CardError, match=message):
        parse_card(data)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CardError, match=r"card.toml cannot be read: No such file"):
        read_card(tmp_path / "card.toml")
    (tmp_path / "card.toml").write_text(FULL)
    with pytest.raises(CardError, match=r"names.txt cannot be read: No such file"):
        read_card(str(tmp_path / "card.toml"))


def test_reading_a_card_loads_no_pytorch():
    program = f"""
import sys
from xai_core.model.card import parse_card
parse_card({MINIMAL | {"classes": "imagenet"}!r})
sys.exit('torch' in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_guide_shows_a_card_that_is_valid():
    guide = Path(__file__).parents[3] / "docs" / "model-cards.md"
    example = guide.read_text().split("```toml\n")[1].split("```")[0]
    assert isinstance(parse_card(example.encode()), ModelCard)
