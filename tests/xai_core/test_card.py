import json
import subprocess
import sys

import pytest

from xai_core.card import ScoreType, card_from_json, card_to_json, parse_card, read_card
from xai_core.errors import CardError

SHA = "0" * 64
MINIMAL = {
    "name": "m",
    "version": "1",
    "architecture": "torchvision/squeezenet1_0",
    "weights": "m.safetensors",
    "weights_sha256": SHA,
    "classes": ["a", "b"],
}


def card(**changes):
    return parse_card(json.dumps(MINIMAL | changes).encode())


def test_defaults_leave_the_image_alone():
    preprocessing = card().preprocessing
    assert (preprocessing.resize, preprocessing.crop) == (None, None)
    assert (preprocessing.mean, preprocessing.std) == ((0.0,) * 3, (1.0,) * 3)
    assert card().scores is ScoreType.SOFTMAX


def test_toml_with_all_keys(tmp_path):
    (tmp_path / "names.txt").write_text("first\nsecond\nthird\n")
    (tmp_path / "card.toml").write_text(f"""
name = "m"
version = "2.1"
architecture = "torchvision/resnet18"
weights = "m.pth"
weights_sha256 = "{SHA}"
classes = "names.txt"
scores = "sigmoid"
intended_use = "tests"
limits = "all"
[preprocessing]
resize = 256
crop = [224, 192]
channels = 1
mean = [0.5]
std = [0.25]
input_range = [0, 255]
[evaluation]
auc = 0.9
""")
    read = read_card(tmp_path / "card.toml")
    assert read.classes == ("first", "second", "third")
    assert read.scores is ScoreType.SIGMOID
    assert read.preprocessing.crop == (224, 192)
    assert read.preprocessing.input_range == (0.0, 255.0)
    assert card_from_json(json.loads(json.dumps(card_to_json(read)))) == read


def test_the_imagenet_classes_need_no_file():
    classes = card(classes="imagenet").classes
    assert (len(classes), classes[207], classes[248]) == (1000, "golden retriever", "Eskimo dog")


@pytest.mark.parametrize("missing", list(MINIMAL))
def test_a_missing_key_is_named(missing):
    mapping = {key: value for key, value in MINIMAL.items() if key != missing}
    with pytest.raises(CardError, match=missing):
        parse_card(json.dumps(mapping).encode())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clases": []}, "did you mean 'classes'"),
        ({"preprocessing": {"rezise": 3}}, "did you mean 'resize'"),
        ({"preprocessing": 3}, "must be a table"),
        ({"name": "../../etc"}, "name is"),
        ({"weights": "../weights.pth"}, "beside the card"),
        ({"weights_sha256": "abc"}, "64 lower-case hex"),
        ({"classes": ["a"]}, "1 names"),
        ({"classes": ["a", 3]}, "list of names"),
        ({"classes": "/etc/passwd"}, "beside the card"),
        ({"scores": "argmax"}, "softmax, sigmoid"),
        ({"preprocessing": {"channels": 2}}, "allowed: 1, 3"),
        ({"preprocessing": {"std": [1, 1, 0]}}, "above 0"),
        ({"preprocessing": {"mean": [1, 1]}}, "3 finite numbers"),
        ({"preprocessing": {"mean": [1, 1, float("nan")]}}, "3 finite numbers"),
        ({"preprocessing": {"resize": 0}}, "8 to 8192"),
        ({"preprocessing": {"crop": [1, 2, 3]}}, "height and width"),
        ({"preprocessing": {"input_range": [1, 0]}}, "first must be lower"),
        ({"intended_use": 3}, "must be text"),
    ],
)
def test_nonsense_is_refused_by_name(changes, message):
    with pytest.raises(CardError, match=message):
        card(**changes)


@pytest.mark.parametrize("data", [b"", b"{", b"= 3", b"\xff\xfe", b"[1]\n", b"<html>"])
def test_what_is_no_card_is_said_so(data):
    with pytest.raises(CardError):
        parse_card(data)


def test_reading_a_card_loads_no_pytorch():
    program = "import sys, xai_core.card; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
