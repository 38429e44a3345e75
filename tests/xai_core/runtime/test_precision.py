import threading

import pytest
import torch

from tests.every_method import picture
from tests.small_nets import residual
from xai_core import deeplift, integrated_gradients, occlusion
from xai_core.errors import InputError, ModelError
from xai_core.runtime.precision import Autocast, products, tolerated

CUDA = torch.device("cuda")
IMAGE = picture(1)


def _flags():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(("wanted", "flags"), [("ieee", (False, False)), ("tf32", (True, True))])
def test_products_are_as_asked_inside_and_as_before_afterwards(wanted, flags):
    before = _flags()
    assert before == (False, True), "PyTorch's own setting"
    with products(wanted):
        with products(wanted):
            pass
        assert _flags() == flags
    assert _flags() == before


def test_products_are_as_before_after_an_error_too():
    with pytest.raises(RuntimeError, match="broken"), products("tf32"):
        raise RuntimeError("broken")
    assert _flags() == (False, True)


def test_a_thread_that_wants_the_other_waits():
    inside, go_on, seen = threading.Event(), threading.Event(), []

    def first():
        with products("tf32"):
            inside.set()
            go_on.wait()
            seen.append(_flags())

    def second():
        with products("ieee"):
            seen.append(_flags())

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    inside.wait()
    threads[1].start()
    with products("tf32"):
        assert seen == []
    go_on.set()
    for thread in threads:
        thread.join()
    assert seen == [(True, True), (False, False)]
    assert _flags() == (False, True)


def test_one_inside_the_other_is_refused_rather_than_waited_for():
    with products("ieee"), pytest.raises(InputError, match="tf32 inside ieee"), products("tf32"):
        pass
    with pytest.raises(InputError, match="allowed: ieee, tf32"), products("half"):
        pass


def test_where_products_are_rounded_more_is_tolerated():
    assert tolerated(1e-4, torch.device("cpu")) == 1e-4
    assert tolerated(1e-4, CUDA) == pytest.approx(1e-2), "cuDNN rounds unasked"
    with products("ieee"):
        assert tolerated(1e-4, CUDA) == 1e-4


def test_autocast_is_round_the_forward_pass_only():
    seen = []

    def progress(n_done, n_total):
        seen.append(torch.is_autocast_enabled("cpu"))

    model = residual()
    exact = integrated_gradients(model, IMAGE, target=1)
    found = integrated_gradients(Autocast(model), IMAGE, target=1, chunk_size=9, progress=progress)
    assert not any(seen)
    miss = (found.values - exact.values).norm() / exact.values.norm()
    assert 1e-4 < miss < 0.2
    assert found.score == pytest.approx(exact.score, rel=0.02)
    assert all(p.dtype is torch.float32 for p in model.parameters())


def test_an_autocast_model_is_not_copied_without_its_precision():
    model = Autocast(residual())
    with pytest.raises(ModelError, match="bfloat16, which a copy would not"):
        deeplift(model, IMAGE, target=1)
    found = occlusion(model, IMAGE, target=1, window=6, stride=3)
    assert found.params["engine"] == "dense"
    assert "bfloat16" in found.notes[0]
