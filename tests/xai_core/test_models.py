import hashlib
import json

import pytest
import safetensors.torch
import torch
import torchvision.models as tv
from torch import nn

from xai_core import models
from xai_core.card import parse_card
from xai_core.errors import CheckpointError, ModelError
from xai_core.models import ModelCache, load_model, register_architecture
from xai_core.prediction import predict

AUX = {"googlenet": {"aux_logits": False, "init_weights": False}}


def tiny(n_classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, n_classes)
    )


@pytest.fixture(autouse=True)
def site_architecture(monkeypatch):
    monkeypatch.setattr(models, "_registered", {})
    register_architecture("site/tiny", tiny)


def card_for(data: bytes, **changes):
    mapping = {
        "name": "tiny",
        "version": "1",
        "architecture": "site/tiny",
        "weights": "w",
        "weights_sha256": hashlib.sha256(data).hexdigest(),
        "classes": ["a", "b", "c"],
    }
    return parse_card(json.dumps(mapping | changes).encode())


def weights(**changes: torch.Tensor | None) -> bytes:
    state = dict(tiny(3).state_dict()) | {key.replace("__", "."): v for key, v in changes.items()}
    return safetensors.torch.save({k: v for k, v in state.items() if v is not None})


def test_a_model_is_loaded_frozen_and_in_eval_mode():
    data = weights()
    model = load_model(card_for(data), data)
    assert not model.module.training
    assert not any(p.requires_grad for p in model.module.parameters())
    assert torch.equal(model.module[3].weight, safetensors.torch.load(data)["3.weight"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"3__bias": None}, "missing: 3.bias"),
        ({"9__bias": torch.ones(1)}, "not part of it: 9.bias"),
        ({"3__bias": torch.ones(4)}, r"3.bias is \(4,\), expected \(3,\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(changes, message):
    data = weights(**changes)
    with pytest.raises(CheckpointError, match=message):
        load_model(card_for(data), data)


def test_half_precision_weights_become_float32():
    data = safetensors.torch.save({k: v.half() for k, v in tiny(3).state_dict().items()})
    assert load_model(card_for(data), data).module[3].weight.dtype is torch.float32


@pytest.mark.parametrize("name", ["os/system", "torchvision/../x", "torchvision/fcn_resnet50"])
def test_only_architectures_on_the_list_are_built(name):
    data = weights()
    with pytest.raises(ModelError, match="not on the list"):
        load_model(card_for(data, architecture=name), data)


def test_torchvisions_names_cannot_be_taken():
    with pytest.raises(ModelError):
        register_architecture("torchvision/resnet18", tiny)


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "shufflenet_v2_x0_5", "regnet_y_400mf", "googlenet", "swin_t"]
)
def test_builders_take_their_own_weights(name):
    source = tv.get_model(name, weights=None, num_classes=3, **AUX.get(name, {}))
    data = safetensors.torch.save({k: v.contiguous() for k, v in source.state_dict().items()})
    loaded = load_model(card_for(data, architecture=f"torchvision/{name}"), data).module
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(loaded(image), source.eval()(image), atol=1e-5)


def test_auxiliary_heads_of_a_trained_checkpoint_are_left_out():
    source = tv.googlenet(weights=None, num_classes=3, aux_logits=True, init_weights=False)
    data = safetensors.torch.save(dict(source.state_dict()))
    load_model(card_for(data, architecture="torchvision/googlenet"), data)


def test_the_cache_loads_once_and_is_bounded(tmp_path):
    cache, paths = ModelCache(max_entries=2), []
    for number in range(3):
        data = weights(**{"3__bias": torch.full((3,), float(number))})
        path = tmp_path / str(number)
        path.write_bytes(data)
        paths.append((card_for(data), path))
    first = cache.get(*paths[0])
    assert cache.get(*paths[0]) is first
    cache.get(*paths[1])
    cache.get(*paths[2])
    assert cache.get(*paths[0]) is not first


def test_a_prediction_by_hand():
    bias = torch.tensor([1.0, 2.0, 1.0]).log()
    data = weights(**{"3__weight": torch.zeros(3, 144), "3__bias": bias})
    prediction = predict(load_model(card_for(data), data), torch.rand(1, 3, 8, 8))
    assert (prediction.label, prediction.target) == ("b", 1)
    assert prediction.scores == pytest.approx((0.25, 0.5, 0.25))
    assert prediction.top(2) == [("b", pytest.approx(0.5)), ("a", pytest.approx(0.25))]


def test_sigmoid_scores_stand_alone():
    data = weights(**{"3__weight": torch.zeros(3, 144), "3__bias": torch.zeros(3)})
    model = load_model(card_for(data, scores="sigmoid"), data)
    assert predict(model, torch.rand(1, 3, 8, 8)).scores == pytest.approx((0.5, 0.5, 0.5))


def test_an_answer_of_another_size_is_refused():
    register_architecture(
        "site/wrong", lambda n: nn.Sequential(nn.Flatten(), nn.Linear(192, n + 1))
    )
    data = safetensors.torch.save(dict(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)).state_dict()))
    model = load_model(card_for(data, architecture="site/wrong"), data)
    with pytest.raises(ModelError, match=r"answers \(1, 4\); expected \(1, 3\)"):
        predict(model, torch.rand(1, 3, 8, 8))


def test_an_answer_that_is_no_number_is_refused():
    data = weights(**{"1__running_var": torch.full((4,), -1.0)})
    model = load_model(card_for(data), data)
    with pytest.raises(ModelError, match="not finite"):
        predict(model, torch.rand(1, 3, 8, 8))
