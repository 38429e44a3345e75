import json
from functools import partial

import pytest
import torch
from captum.attr import Saliency
from captum.metrics import sensitivity_max

from tests.maps import attribution
from tests.small_nets import Linear, residual
from xai_core import integrated_gradients
from xai_core.errors import Cancelled, InputError
from xai_core.measures.stability import UNRELATED_SENSITIVITY, relative_change, stability
from xai_core.methods.gradient.saliency import saliency
from xai_core.runtime.run import Run

SIDE = 24
IMAGE = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def slopes(model, image):
    return saliency(model, image, target=2)


@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not:UserWarning")
def test_sensitivity_is_captums_for_the_same_noise():
    model = residual()
    given = []

    def recorded(model, image):
        given.append(image)
        return slopes(model, image)

    found = stability(recorded, model, IMAGE, slopes(model, IMAGE), radius=0.1, n_samples=5)
    noisy = torch.cat(given)
    expected = sensitivity_max(
        partial(Saliency(model).attribute, abs=False),
        IMAGE,
        perturb_func=lambda inputs: (noisy,),
        n_perturb_samples=5,
        max_examples_per_batch=5,
        target=2,
    )
    assert found.max_sensitivity == pytest.approx(expected.item(), rel=1e-4)
    assert found.max_sensitivity > 0


def test_noise_is_uniform_within_the_radius():
    given = []

    def recorded(model, image):
        given.append(image - IMAGE)
        return slopes(model, image)

    stability(recorded, residual(), IMAGE, slopes(residual(), IMAGE), radius=0.3, n_samples=3)
    noise = torch.cat(given)
    assert noise.abs().max() <= 0.3 * (1 + 1e-5)
    assert noise.std().item() == pytest.approx(0.3 / 3**0.5, rel=0.05)
    assert noise.mean().item() == pytest.approx(0, abs=0.02)


def test_the_default_radius_is_two_percent_of_the_range():
    found = stability(slopes, residual(), 7 * IMAGE, slopes(residual(), 7 * IMAGE), n_samples=1)
    assert found.radius == pytest.approx(0.14, rel=0.02)


def test_the_slopes_of_a_linear_model_stay():
    model = Linear(torch.randn(3, SIDE, SIDE)).eval()
    found = stability(
        lambda model, image: saliency(model, image, target=1),
        model,
        IMAGE,
        saliency(model, IMAGE, target=1),
    )
    assert found.max_sensitivity == 0
    assert (found.similarity, found.lowest) == (pytest.approx(1), pytest.approx(1))


def test_the_shares_of_a_linear_model_follow_the_image():
    weight = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(3))
    model, image = Linear(weight).eval(), torch.ones(1, 1, 16, 16)

    def explain(model, image):
        return integrated_gradients(model, image, target=1, n_steps=2)

    found = stability(explain, model, image, explain(model, image), radius=0.1, n_samples=8)
    assert found.max_sensitivity == pytest.approx(0.1 / 3**0.5, rel=0.25)
    assert found.similarity > 0.98


def test_a_map_drawn_anew_each_time_is_unrelated():
    generator = torch.Generator().manual_seed(0)

    def drawn(model, image):
        return attribution(torch.randn(64, 64, generator=generator).numpy())

    found = stability(drawn, residual(), IMAGE, drawn(None, None), n_samples=6)
    assert found.similarity == pytest.approx(0, abs=0.1)
    assert found.max_sensitivity == pytest.approx(UNRELATED_SENSITIVITY, rel=0.05)
    assert found.lowest <= found.similarity


def test_the_same_seed_gives_the_same_noise():
    model, map_ = residual(), slopes(residual(), IMAGE)
    first, again, other = (stability(slopes, model, IMAGE, map_, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other
    assert json.loads(json.dumps(first.to_json()))["n_samples"] == 4


def test_change_from_nothing_is_taken_as_it_is():
    assert relative_change(torch.tensor([3.0, 4.0]), torch.zeros(2)) == 5
    assert relative_change(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 4.0])) == 0.75


@pytest.mark.parametrize("options", [{"radius": 0.0}, {"n_samples": 0}])
def test_refuses_numbers_that_try_nothing(options):
    with pytest.raises(InputError, match="allowed"):
        stability(slopes, residual(), IMAGE, slopes(residual(), IMAGE), **options)


def test_a_cancel_is_heard_between_maps():
    reports = []
    with pytest.raises(Cancelled):
        stability(
            slopes,
            residual(),
            IMAGE,
            slopes(residual(), IMAGE),
            run=Run(
                progress=lambda *done: reports.append(done), cancelled=lambda: len(reports) == 2
            ),
        )
    assert reports == [(1, 4), (2, 4)]
