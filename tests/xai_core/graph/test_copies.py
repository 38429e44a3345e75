import gc
import threading

import pytest
import torch
from torch import nn

from xai_core.errors import UntraceableError
from xai_core.graph.copies import PreparedModels, fingerprint, prepared_copy


def _model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3)).eval()


def test_a_model_is_prepared_once():
    models, model = PreparedModels(), _model()
    assert models.of(model) is models.of(model)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model[0].weight.data.mul_(2),
        lambda model: setattr(model[0], "stride", (2, 2)),
        lambda model: setattr(model[0], "padding", (1, 1)),
        lambda model: model.__setitem__(1, nn.SiLU()),
    ],
    ids=["weights", "stride", "padding", "layer"],
)
def test_a_changed_model_is_prepared_again(change):
    models, model = PreparedModels(), _model()
    first = models.of(model)
    change(model)
    assert models.of(model) is not first


def test_equal_models_have_equal_fingerprints_and_others_do_not():
    assert fingerprint(_model(0)) == fingerprint(_model(0))
    assert fingerprint(_model(0)) != fingerprint(_model(1))


def test_a_hook_that_comes_later_is_not_passed_by():
    models, model = PreparedModels(), _model()
    models.of(model)
    model[1].register_forward_hook(lambda *_: None)
    with pytest.raises(UntraceableError, match="hooks"):
        models.of(model)


def test_no_more_are_kept_than_allowed_and_the_longest_unused_goes():
    models = PreparedModels(most_kept=2)
    first, second, third = (_model(seed) for seed in range(3))
    kept = models.of(first)
    models.of(second)
    models.of(first)
    models.of(third)
    assert len(models) == 2
    assert models.of(first) is kept


def test_a_copy_goes_with_its_model():
    models, model = PreparedModels(), _model()
    models.of(model)
    del model
    gc.collect()
    assert len(models) == 0


def test_the_copy_does_not_hold_its_model():
    model = _model()
    copy = prepared_copy(model)
    own = {id(tensor) for tensor in model.state_dict(keep_vars=True).values()}
    assert not own & {id(tensor) for tensor in copy.state_dict(keep_vars=True).values()}


def test_threads_get_the_same_answer():
    models, model = PreparedModels(), _model()
    image = torch.rand(1, 1, 8, 8)
    answers = []

    def ask():
        answers.append(models.of(model)(image))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(models) == 1
    assert all(torch.equal(answer, answers[0]) for answer in answers)
    torch.testing.assert_close(answers[0], model(image))


def test_a_copy_first_asked_for_in_inference_mode_can_be_differentiated():
    models, model = PreparedModels(), _model()
    with torch.inference_mode():
        copy = models.of(model)
    image = torch.rand(1, 1, 8, 8, requires_grad=True)
    copy(image).sum().backward()
    assert image.grad is not None


def test_of_a_compiled_model_what_was_compiled_is_copied():
    class Compiled(nn.Module):
        """As torch.compile wraps a model."""

        def __init__(self, model):
            super().__init__()
            self._orig_mod = model

    models, model = PreparedModels(), _model()
    assert models.of(Compiled(model)) is models.of(model)
