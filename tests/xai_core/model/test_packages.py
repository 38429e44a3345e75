"""A small member of each family beside torchvision, with random weights: loaded and explained."""

import json
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from captum.attr import IntegratedGradients, Occlusion
from torch.testing import assert_close

from tests.xai_core.model.test_models import card_of
from xai_core import integrated_gradients, occlusion
from xai_core.errors import ModelError
from xai_core.model.architectures import build, register_architecture
from xai_core.model.card import Preprocessing
from xai_core.model.loading import load_model
from xai_core.model.packages import PACKAGES
from xai_core.model.proposal import propose

VIT = {"image_size": 32, "patch_size": 8, "hidden_size": 16, "num_attention_heads": 2}
VIT |= {"num_hidden_layers": 1, "intermediate_size": 32}
DENSE = {"growth_rate": 4, "block_config": [1, 2]}
MEMBERS = {
    "timm/resnet10t": (3, 64, {}),
    "timm/vit_tiny_patch16_224": (1, 32, {"img_size": 32, "patch_size": 8, "depth": 1}),
    "transformers/vit": (3, 32, VIT),
    "monai/DenseNet": (1, 48, DENSE | {"init_features": 8}),
    "torchxrayvision/DenseNet": (1, 224, DENSE | {"num_init_features": 8}),
}


def card_for(architecture, data=b""):
    channels, side, config = MEMBERS[architecture]
    values = {"mean": (0.0,) * channels, "std": (1.0,) * channels, "input_range": (-1024, 1024)}
    preprocessing = Preprocessing(channels=channels, crop=side, **values)
    return card_of(data, architecture=architecture, config=config, preprocessing=preprocessing)


@pytest.fixture(scope="module", params=MEMBERS)
def loaded(request):
    """The model as its package builds it, and as a card loads it."""
    torch.manual_seed(0)
    source = build(card_for(request.param)).eval()
    data = safetensors.torch.save({k: v.contiguous() for k, v in source.state_dict().items()})
    return source, load_model(card_for(request.param, data), data)


@pytest.fixture
def image(loaded):
    channels, side, _ = MEMBERS[loaded[1].card.architecture]
    return torch.randn(1, channels, side, side)


def test_a_card_gives_the_answer_of_the_package(loaded, image):
    source, model = loaded
    with torch.no_grad():
        answer = source(image)
    answer = getattr(answer, "logits", answer)
    assert_close(model.logits(image), answer)
    assert not model.logits(image).isclose(torch.zeros(1, 3)).all()


def test_maps_are_those_of_captum(loaded, image):
    module, side = loaded[1].module, image.shape[-1] // 4
    shares = integrated_gradients(module, image, target=1, n_steps=8)
    theirs = IntegratedGradients(module).attribute(image, target=1, n_steps=8)
    assert_close(shares.values, theirs[0].float(), atol=1e-6, rtol=1e-3)
    window = (image.shape[1], side, side)
    falls = occlusion(module, image, target=1, window=side, stride=side, engine="delta")
    theirs = Occlusion(module).attribute(image, window, strides=window, target=1)
    assert_close(falls.values, theirs[0], atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_that_is_missing_is_named(package, monkeypatch):
    monkeypatch.setitem(PACKAGES, package, replace(PACKAGES[package], module="no_such_module"))
    message = rf"{package}/… needs the package no_such_module.*pip install {package}"
    with pytest.raises(ModelError, match=message):
        build(card_of(b"", architecture=f"{package}/net"))


@pytest.mark.parametrize(
    ("architecture", "config", "message"),
    [
        ("timm/resnet81", {}, r"a classifier of timm's; did you mean 'resnet\d"),
        ("timm/resnet18", {"checkpoint_path": "/etc/passwd"}, r"config\.checkpoint_path is not"),
        ("timm/resnet18", {"pretrained_cfg": {}}, r"config\.pretrained_cfg is not allowed"),
        ("timm/resnet18", {"no_such": 1}, r"timm/resnet18 cannot be built: TypeError: .*no_such"),
        ("transformers/gpt2", {}, "allowed: transformers/ and .*vit"),
        ("transformers/vit", {"model_type": "bert"}, "config.model_type is 'bert'; allowed: 'vit'"),
        ("torchxrayvision/ResNet", {}, "allowed: torchxrayvision/ and DenseNet"),
    ],
)
def test_what_a_package_does_not_build_is_said(architecture, config, message):
    with pytest.raises(ModelError, match=message):
        build(card_of(b"", architecture=architecture, config=config))


def test_transformers_weights_keep_the_names_of_earlier_versions():
    card = card_for("transformers/vit")
    torch.manual_seed(0)
    source = build(card).eval()
    older = {
        "vit.layers.": "vit.encoder.layer.",
        "q_proj": "attention.query",
        "k_proj": "attention.key",
        "v_proj": "attention.value",
        "o_proj": "output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    state = {}
    for name, tensor in source.state_dict().items():
        for new, old in older.items():
            name = name.replace(new, old)
        state[name] = tensor.contiguous()
    data = safetensors.torch.save(state)
    model = load_model(card_for("transformers/vit", data), data)
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert_close(model.logits(image), source(image).logits)


@pytest.mark.parametrize("architecture", ["timm/vit_tiny_patch16_224", "torchxrayvision/DenseNet"])
def test_a_member_is_recognised_by_its_weights(architecture):
    channels, classes = MEMBERS[architecture][0], ("a", "b", "c", "d")
    card = replace(card_for(architecture), classes=classes, config={})
    state = {f"module.{k}": v.bfloat16() for k, v in build(card).state_dict().items()}
    first = propose(safetensors.torch.save(state))[0]
    found = (first["architecture"], first["n_classes"], first["channels"], first["prefixes"])
    assert found == (architecture, 4, channels, ("module.",))
    if "xray" in architecture:
        assert first["preprocessing"]["input_range"] == [-1024, 1024]


def test_files_of_transformers_say_the_whole_card():
    state = {k: v.contiguous() for k, v in build(card_for("transformers/vit")).state_dict().items()}
    names = {"0": "normal", "1": "nodule", "2": "mass"}
    multi = {"problem_type": "multi_label_classification", "_name_or_path": "x", "id2label": names}
    processor = {"size": {"height": 32, "width": 32}, "resample": 3, "image_mean": [0.5] * 3}
    (found,) = propose(
        safetensors.torch.save(state),
        config=VIT | multi | {"model_type": "vit"},
        preprocessor=processor | {"image_std": [0.25] * 3},
    )
    assert (found["classes"], found["scores"]) == (("normal", "nodule", "mass"), "sigmoid")
    assert found["config"] == VIT
    assert found["preprocessing"] == {
        "channels": 3,
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "interpolation": "bicubic",
        "resize": [32, 32],
    }
    assert json.dumps(found)


def test_a_config_of_timm_says_architecture_and_preprocessing():
    card = card_of(b"", architecture="timm/resnet10t")
    state = {k: v.contiguous() for k, v in build(card).state_dict().items()}
    cfg = {
        "input_size": [3, 64, 64],
        "crop_pct": 0.8,
        "interpolation": "bilinear",
        "mean": [0.1] * 3,
    }
    config = {"architecture": "resnet10t", "pretrained_cfg": cfg | {"std": [0.2] * 3}}
    (found,) = propose(safetensors.torch.save(state), config=config)
    said = found["preprocessing"]
    assert (said["resize"], said["crop"], said["interpolation"]) == (80, 64, "bilinear")
    assert (said["mean"], said["std"]) == ([0.1] * 3, [0.2] * 3)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": torch.ones(1)}, "no architecture that is known here fits.*called a"),
        ({"x.encoder.layer.0.w": torch.ones(1)}, "weights of transformers: give its config.json"),
    ],
)
def test_weights_that_nothing_fits_are_said(state, message):
    with pytest.raises(ModelError, match=message):
        propose(safetensors.torch.save(state))


def test_an_architecture_of_the_site_comes_before_a_package_of_that_name(
    monkeypatch,
):
    from xai_core.model import architectures

    monkeypatch.setattr(architectures, "ARCHITECTURES", {})
    own = torch.nn.Linear(1, 3)
    register_architecture("timm/ours", lambda n: own)
    assert build(card_of(b"", architecture="timm/ours")) is own
