import threading

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from xai_core.errors import UntraceableError
from xai_core.graph.tracing import pool_before_relu, prepare, split_affine_stem


def convnet():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.BatchNorm2d(4),
        nn.Flatten(),
        nn.Linear(4 * 36, 2),
    )
    for norm in (model[1], model[4]):
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    return model.eval()


def test_a_prepared_model_gives_the_same_scores():
    model, image = convnet(), torch.randn(2, 3, 8, 8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ready = prepare(model)
    with torch.no_grad():
        assert_close(ready(image), model(image))
    assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert model[2].inplace
    assert all(p.requires_grad for p in model.parameters())


def test_a_prepared_model_is_frozen_folded_and_out_of_place():
    ready = prepare(convnet())
    layers = [type(layer) for layer in ready.modules()]
    assert layers.count(nn.BatchNorm2d) == 1  # the second follows no convolution
    assert nn.Dropout not in layers
    assert not any(p.requires_grad for p in ready.parameters())
    assert not any(getattr(layer, "inplace", False) for layer in ready.modules())


def test_a_shared_convolution_is_not_folded():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)
            nn.init.normal_(self.norm.running_mean)

        def forward(self, x):
            return (self.norm(self.conv(x)) + self.conv(x)).mean((2, 3))

    model, image = Shared().eval(), torch.randn(1, 2, 4, 4)
    assert_close(prepare(model)(image), model(image).detach())


def test_the_first_convolution_is_split_off():
    model, image = convnet(), torch.randn(2, 3, 8, 8)
    stem, rest = split_affine_stem(prepare(model))
    assert type(stem) is nn.Conv2d
    with torch.no_grad():
        assert_close(rest(stem(image)), model(image))


def test_a_model_that_begins_otherwise_has_no_stem():
    model = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 2, 3)).eval()
    stem, rest = split_affine_stem(prepare(model))
    image = torch.randn(1, 3, 8, 8)
    assert type(stem) is nn.Identity
    assert_close(rest(image), model(image).detach())


class Branches(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)) if x.sum() > 0 else x.amax((2, 3))


class Writes(nn.Module):
    def forward(self, x):
        y = x * 1
        y.add_(1)
        return y.mean((2, 3))


@pytest.mark.parametrize(
    ("model", "message"), [(Branches(), "cannot be traced"), (Writes(), "in place .add_.")]
)
def test_says_why_a_model_cannot_be_prepared(model, message):
    with pytest.raises(UntraceableError, match=message):
        prepare(model.eval())


def test_a_model_with_hooks_is_left_alone():
    model = convnet()
    model[3].register_forward_hook(lambda *_: None)
    with pytest.raises(UntraceableError, match="3 carries forward hooks"):
        prepare(model)


def test_models_can_be_called_while_another_is_traced():
    model, image, errors = convnet(), torch.randn(1, 3, 8, 8), []
    stop = threading.Event()

    def call():
        try:
            while not stop.is_set():
                model(image)
        except Exception as exc:
            errors.append(exc)

    thread = threading.Thread(target=call)
    thread.start()
    for _ in range(20):
        prepare(convnet())
    stop.set()
    thread.join()
    assert errors == []


def test_pooling_before_a_relu_gives_the_same_values_and_gradients():
    relu = nn.ReLU()
    model = nn.Sequential(
        *(nn.Conv2d(3, 4, 3), relu, nn.MaxPool2d(3, 2, padding=1)),
        *(nn.Conv2d(4, 4, 3), relu, nn.MaxPool2d(2), nn.Flatten()),
    )
    traced, image = prepare(model.eval()), torch.randn(2, 3, 20, 20, requires_grad=True)
    expected = traced(image)
    (slopes,) = torch.autograd.grad(expected.sum(), image)
    pool_before_relu(traced)
    kinds = [type(traced.get_submodule(n.target)) for n in traced.graph.nodes if "call" in n.op]
    assert kinds[:3] == kinds[3:6] == [nn.Conv2d, nn.MaxPool2d, nn.ReLU]
    assert_close(traced(image), expected)
    assert_close(torch.autograd.grad(traced(image).sum(), image)[0], slopes)
