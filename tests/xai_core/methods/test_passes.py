"""How many images each method passes: checks are to be taken from passes that are made anyway."""

import pytest
from torch import nn

from tests.every_method import WAYS, Way, picture
from tests.small_nets import residual

N_WINDOWS = 7 * 7

PASSED = {
    # way: images through the caller's own model, and through copies of it
    "integrated_gradients": (1 + 1 + 12, 0),  # image, baseline, points
    "integrated_gradients-prepared": (1 + 1, 1 + 12),
    "integrated_gradients-adaptive": (1 + 1 + 39, 0),
    "integrated_gradients-chord": (1 + 1, 1 + 13),
    "expected_gradients": (1 + 2 * (1 + 6), 0),
    "baseline_sensitivity": (1 + 2 * (1 + 6), 0),
    "smooth_grad": (1 + 12, 0),
    "smooth_grad-integrated_gradients": (1 + 4 * (1 + 1 + 3), 0),
    "var_grad": (1 + 12, 0),
    "gradient_shap": (1 + 1 + 12, 0),
    "occlusion-dense": (1 + N_WINDOWS, 0),
    # Three windows are checked; differences are multiplied by the layers' weights, past the layers.
    "occlusion-delta": (1 + 3, 1),
    "saliency": (1, 0),
    "input_x_gradient": (1, 0),
    "guided_backprop": (1, 1),
    "deeplift": (1, 1 + 1),
    "feature_ablation-dense": (1 + 16, 0),
    "feature_ablation-delta": (1 + 3, 1),
    "kernel_shap": (1 + 1 + 64, 0),
    "rise": (1 + 30, 0),
    "lrp": (1, 1 + 1),  # and the head's own layer once more, to share relevance
    "grad_cam": (0, 1),
}


@pytest.mark.parametrize("way", [way for way in WAYS if way.model is residual], ids=str)
def test_no_image_is_passed_for_a_check_alone(way, monkeypatch):
    assert _passed(way, monkeypatch) == PASSED[str(way)]


def _passed(way: Way, monkeypatch) -> tuple[int, int]:
    """Return how many images reach the head of the model, and those of its copies."""
    model, own = way.model(), nn.Linear.forward
    n_images = {True: 0, False: 0}

    def forward(self, x):
        if not x.is_meta:  # these are shapes alone
            n_images[self is model[-1]] += len(x)
        return own(self, x)

    monkeypatch.setattr(nn.Linear, "forward", forward)
    way(model, picture(1))
    return n_images[True], n_images[False]
