"""Rules of the path integral on a trained network and a photograph."""

import pytest
import torch
from captum.attr import IntegratedGradients
from PIL import Image
from torchvision.models import squeezenet1_0
from torchvision.transforms import v2

from xai_core import integrated_gradients

pytestmark = pytest.mark.real

NORMALISE = v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.fixture(scope="module")
def squeezenet(shared_data):
    model = squeezenet1_0()
    model.load_state_dict(torch.load(shared_data / "squeezenet1_0-imagenet.pth"))
    return model.eval()


@pytest.fixture(scope="module")
def task(shared_data, squeezenet):
    """What is explained, at half the usual side, and its map by very many secants."""
    prepare = v2.Compose([v2.ToImage(), v2.Resize(128), v2.CenterCrop(112)])
    with Image.open(shared_data / "imagenet" / "n02109961_Eskimo_dog.JPEG") as photo:
        pixels = prepare(photo.convert("RGB"))
    image = NORMALISE(v2.functional.to_dtype(pixels, torch.float32, scale=True))[None]
    baseline = NORMALISE(torch.zeros(3, 112, 112))[None]
    options = {"target": int(squeezenet(image).argmax()), "baseline": baseline}
    exact = integrated_gradients(squeezenet, image, rule="chord", n_steps=200, **options)
    return image, options, exact.values


def l2_error(values, reference):
    return float((values - reference).norm() / reference.norm())


def test_half_the_points_by_secants_are_nearer_than_captum(squeezenet, task):
    image, options, exact = task
    captum = IntegratedGradients(squeezenet).attribute(
        image,
        options["baseline"],
        target=options["target"],
        n_steps=50,
        internal_batch_size=10,
    )
    secants = integrated_gradients(squeezenet, image, rule="chord", n_steps=25, **options)
    assert secants.relative_delta < 1e-4
    assert l2_error(secants.values, exact) < l2_error(captum[0].float(), exact)


def test_the_adaptive_rule_keeps_its_tolerance(squeezenet, task):
    image, options, exact = task
    found = integrated_gradients(
        squeezenet, image, rule="adaptive", tolerance=0.1, n_steps=150, engine="prepared", **options
    )
    assert found.measures["has_converged"]
    assert found.measures["n_points"] < 150
    assert found.relative_delta < 0.1
    assert l2_error(found.values, exact) < 0.1
