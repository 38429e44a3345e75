import hashlib
import sys
from dataclasses import replace
from threading import Thread

import pytest
import safetensors.torch
import torch
import torchvision.models as tv
from torch import nn
from torch.testing import assert_close

from xai_core.errors import CardError, CheckpointError, InputError, ModelError
from xai_core.model.architectures import ARCHITECTURES, import_plugins, register_architecture
from xai_core.model.card import Preprocessing, ScoreType, parse_card
from xai_core.model.loading import ModelCache, load_model

UNIT = Preprocessing(channels=3, mean=(0,) * 3, std=(1,) * 3, crop=8)


class Tiny(nn.Sequential):
    """Keeps a table that is no part of its state, as site models may."""

    def __init__(self, n_classes: int) -> None:
        super().__init__(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, n_classes)
        )
        self.register_buffer("scale", torch.arange(1.0, 2.0), persistent=False)
        self.shift = torch.zeros(1)

    def forward(self, batch):
        return super().forward(batch) * self.scale + self.shift


@pytest.fixture(autouse=True)
def site_architecture(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "site/tiny", Tiny)


def packed(state):
    return safetensors.torch.save({name: tensor.contiguous() for name, tensor in state.items()})


def tiny_weights(**changes):
    """Return a checkpoint of `Tiny`, with tensors changed or, where None, left out."""
    state = Tiny(3).state_dict() | {key.replace("__", "."): v for key, v in changes.items()}
    return packed({name: tensor for name, tensor in state.items() if tensor is not None})


def card_of(data, **changes):
    card = parse_card(
        {
            "name": "tiny",
            "version": "1",
            "architecture": "site/tiny",
            "weights": "tiny.safetensors",
            "weights_sha256": hashlib.sha256(data).hexdigest(),
            "classes": ["a", "b", "c"],
            "scores": "softmax",
            "intended_use": "tests",
            "preprocessing": {"channels": 3, "mean": [0, 0, 0], "std": [1, 1, 1], "crop": 8},
        }
    )
    return replace(card, **changes)


def load(data, **changes):
    return load_model(card_of(data, **changes), data)


def test_a_model_answers_in_eval_mode_with_its_weights_frozen():
    data = tiny_weights()
    model = load(data)
    assert not any(module.training for module in model.module.modules())
    assert not any(p.requires_grad for p in model.module.parameters())
    assert_close(model.module[3].weight.data, safetensors.torch.load(data)["3.weight"])
    assert model.logits(torch.rand(2, 3, 8, 8)).shape == (2, 3)


def test_the_weights_lie_beside_the_card(tmp_path):
    data = tiny_weights()
    (tmp_path / "tiny.safetensors").write_bytes(data)
    assert load_model(card_of(data, folder=tmp_path)).device == torch.device("cpu")
    with pytest.raises(CardError, match="weights must be passed along"):
        load_model(card_of(data))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"3__bias": None}, r"missing: 3\.bias$"),
        ({"9__bias": torch.ones(1)}, r"not part of it: 9\.bias$"),
        ({"3__bias": torch.ones(4)}, r"shape: 3\.bias is \(4,\) and must be \(3,\)$"),
        ({"3__bias": torch.ones(3).int()}, r"type: 3\.bias is torch\.int32 and must be torch\.f"),
        (
            {"3__bias": None, "9__bias": torch.ones(1), "0__bias": torch.ones(5)},
            r"site/tiny with 3 classes: missing: 3\.bias; not part of it: 9\.bias; shape: 0\.bias",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(changes, message):
    with pytest.raises(CheckpointError, match=message):
        load(tiny_weights(**changes))


def test_weights_for_another_number_of_classes_do_not_fit():
    with pytest.raises(CheckpointError, match=r"with 4 classes: shape: 3\.weight is \(3, 144\)"):
        load(tiny_weights(), classes=("a", "b", "c", "d"))


def test_half_precision_weights_become_float32():
    data = packed(
        {name: t.half() for name, t in Tiny(3).state_dict().items() if t.is_floating_point()}
    )
    assert load(data).module[3].weight.dtype is torch.float32


def test_counters_of_batches_may_be_missing():
    assert load(tiny_weights(**{"1__num_batches_tracked": None}))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("os/system", "allowed: torchvision/<classification builder>"),
        ("torchvision/fcn_resnet50", "allowed: torchvision/<classification builder>"),
        ("torchvision/resnet8", r"did you mean 'torchvision/resnet\d+'"),
    ],
)
def test_only_architectures_on_the_list_are_built(name, message):
    with pytest.raises(ModelError, match=message):
        load(tiny_weights(), architecture=name)


def test_a_name_is_registered_once():
    register_architecture("site/tiny", Tiny)
    with pytest.raises(ModelError, match="'torchvision/resnet18' is registered already"):
        register_architecture("torchvision/resnet18", Tiny)


def test_plugins_register_as_they_load(tmp_path, monkeypatch):
    (tmp_path / "lung_site.py").write_text(
        "from torch import nn\n"
        "from xai_core.model.architectures import register_architecture\n"
        "register_architecture('site/lung', lambda n: nn.Linear(2, n))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(ARCHITECTURES, "site/lung", None)
    monkeypatch.delitem(ARCHITECTURES, "site/lung")
    import_plugins(["lung_site"])
    assert "site/lung" in ARCHITECTURES
    sys.modules.pop("lung_site")
    with pytest.raises(ModelError, match="plugin 'no_such_site' cannot be imported"):
        import_plugins(["no_such_site"])


def test_the_device_must_be_there():
    data = tiny_weights()
    with pytest.raises(InputError, match="device is 'abacus'"):
        load_model(card_of(data), data, device="abacus")


@pytest.mark.parametrize("builder", tv.list_models(module=tv))
def test_every_torchvision_classifier_is_built_without_memory_for_its_weights(builder):
    module = ARCHITECTURES[f"torchvision/{builder}"](7)
    n_values = sum(p.numel() for p in module.parameters())
    n_in_memory = sum(p.numel() for p in module.parameters() if not p.is_meta)
    assert n_in_memory < 0.01 * n_values
    assert not any(buffer.is_meta for buffer in module.buffers())
    assert any(p.shape[0] == 7 for p in module.parameters())


@pytest.mark.parametrize(
    ("builder", "side", "options"),
    [
        ("googlenet", 64, {"init_weights": False}),
        ("inception_v3", 80, {"init_weights": False}),
        ("mnasnet0_5", 64, {}),
        ("regnet_y_400mf", 64, {}),
        ("shufflenet_v2_x0_5", 64, {}),
        ("squeezenet1_1", 64, {}),
        ("swin_v2_t", 64, {}),
    ],
)
def test_torchvision_weights_give_torchvisions_answer(builder, side, options):
    torch.manual_seed(0)
    source = tv.get_model(builder, weights=None, num_classes=3, **options).eval()
    data = packed(source.state_dict())
    model = load(
        data, architecture=f"torchvision/{builder}", preprocessing=replace(UNIT, crop=side)
    )
    image = torch.rand(1, 3, side, side)
    with torch.no_grad():
        assert_close(model.logits(image), source(image))


@pytest.mark.parametrize("crop", [8, None])
def test_an_answer_of_another_size_is_refused(monkeypatch, crop):
    wrong = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    monkeypatch.setitem(ARCHITECTURES, "site/wrong", lambda n: wrong)
    changes = {"architecture": "site/wrong", "preprocessing": replace(UNIT, crop=crop)}
    with pytest.raises(ModelError, match=r"tiny answers with \(1, 4\); allowed: logits, \(1, 3\)"):
        load(packed(wrong.state_dict()), **changes).logits(torch.zeros(1, 3, 8, 8))


def test_an_answer_that_is_no_tensor_is_refused(monkeypatch):
    class Pair(Tiny):
        def forward(self, batch):
            return super().forward(batch), batch

    monkeypatch.setitem(ARCHITECTURES, "site/pair", Pair)
    with pytest.raises(ModelError, match="answers with tuple; allowed: logits"):
        load(tiny_weights(), architecture="site/pair")


def test_an_input_that_the_model_cannot_take_is_refused_at_once():
    with pytest.raises(ModelError, match=r"tiny cannot take an input of \(1, 3, 9, 9\)"):
        load(tiny_weights(), preprocessing=replace(UNIT, crop=9))


def test_a_model_that_answers_with_nan_is_refused_at_once():
    with pytest.raises(ModelError, match="tiny answers with NaN or infinity"):
        load(tiny_weights(**{"1__running_var": torch.full((4,), -1.0)}))


def test_the_cache_keeps_the_models_used_last():
    cache, data = ModelCache(max_models=2), tiny_weights()
    cards = [card_of(data, version=str(number)) for number in range(3)]
    first, second = (cache.get(card, data) for card in cards[:2])
    assert cache.get(cards[0], data) is first
    cache.get(cards[2], data)
    assert cache.get(cards[0], data) is first
    assert cache.get(cards[1], data) is not second


def test_the_cache_tells_cards_apart():
    cache, data = ModelCache(), tiny_weights()
    softmax = cache.get(card_of(data), data)
    assert cache.get(card_of(data, scores=ScoreType.SIGMOID), data) is not softmax
    assert cache.get(card_of(data, evaluation={"auc": 0.5}), data) is not softmax


def test_threads_load_a_model_once():
    cache, data, got = ModelCache(), tiny_weights(), []
    card = card_of(data)
    threads = [Thread(target=lambda: got.append(cache.get(card, data))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert len(set(map(id, got))) == 1
