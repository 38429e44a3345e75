import pytest
import torch
from torch import nn

from tests.small_nets import plain
from xai_core import integrated_gradients, occlusion
from xai_core.errors import InputError, TargetError
from xai_core.runtime.run import UNWATCHED, Run
from xai_core.scoring import Output, activation_bytes, score_images, target_score

IMAGE = torch.ones(1, 1, 2, 2)


def _model(n_classes=3):
    linear = nn.Linear(4, n_classes)
    nn.init.zeros_(linear.weight)
    linear.bias.data = torch.arange(n_classes).float()
    return nn.Sequential(nn.Flatten(), linear).eval()


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (Output.LOGIT, 2.0),
        (Output.SOFTMAX, 0.66524),
        (Output.SIGMOID, 0.88080),
        (Output.LOG_ODDS, 0.68674),
    ],
)
def test_the_output_is_computed_from_the_logits_0_1_2(output, expected):
    score = target_score(_model(), IMAGE, 2, output)
    assert score(IMAGE).item() == pytest.approx(expected, abs=1e-4)


def test_log_odds_are_the_odds_of_the_softmax():
    p = target_score(_model(), IMAGE, 2, "softmax")(IMAGE)
    assert target_score(_model(), IMAGE, 2, "log_odds")(IMAGE).item() == pytest.approx(
        p.detach().logit().item(), abs=1e-5
    )


@pytest.mark.parametrize("output", list(Output))
def test_both_main_methods_explain_the_output_and_record_it(output):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval()
    image = torch.rand(1, 1, 8, 8)
    span = target_score(model, image, 1, output)
    expected = (span(image) - span(torch.zeros_like(image))).item()
    fine = integrated_gradients(model, image, target=1, output=output)
    coarse = occlusion(model, image, target=1, window=8, stride=8, output=output)
    assert fine.heat.sum().item() == pytest.approx(expected, abs=1e-4)
    assert coarse.heat.mean().item() == pytest.approx(expected, abs=1e-4)
    assert fine.params["output"] == coarse.params["output"] == output


def test_unusable_outputs_are_refused_by_name():
    with pytest.raises(InputError, match="output is 'odds'; allowed: logit, softmax"):
        target_score(_model(), IMAGE, 0, "odds")
    with pytest.raises(InputError, match="one class"):
        target_score(_model(n_classes=1), IMAGE, 0, "log_odds")


def test_the_clean_score_stays_what_it_was_when_the_model_overwrites_its_answer():
    class Overwriting(nn.Module):
        """As a compiled model with CUDA graphs does."""

        def __init__(self):
            super().__init__()
            self.answer = torch.zeros(1, 2)

        def forward(self, x):
            return self.answer.copy_(x.sum((1, 2, 3)).expand(1, 2))

    score = target_score(Overwriting().eval(), IMAGE, 1)
    score(2 * IMAGE)
    assert score.clean_score == 4.0


def test_another_class_of_the_same_pass_is_checked_too():
    score = target_score(_model(), IMAGE, 0)
    assert score.of_class(2).clean_score == 2.0
    with pytest.raises(TargetError, match="target is 3; allowed: an integer from 0 to 2"):
        score.of_class(3)


def test_activations_are_measured_once_for_each_size_of_image():
    model, passed = plain(), []
    model.register_forward_pre_hook(lambda _, args: passed.append(args[0].shape[2:]))
    image = torch.randn(1, 3, 16, 16)
    score = target_score(model, image, 0, "logit")
    passed.clear()
    small, again = activation_bytes(score, image), activation_bytes(score, image)
    large = activation_bytes(score, torch.randn(1, 3, 16, 24))
    assert passed == [(16, 16), (16, 24)]
    assert image.nbytes < small == again < large
    model[0] = nn.Sequential(model[0], nn.Conv2d(model[0].out_channels, model[0].out_channels, 1))
    assert activation_bytes(score, image) > small


def _brightened(chunk):
    return IMAGE + torch.arange(chunk.start, chunk.stop).view(-1, 1, 1, 1)


def test_images_are_scored_in_chunks_and_in_their_order():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).eval()
    score, reports = target_score(model, IMAGE, 1), []
    run = Run(chunk_size=3, progress=lambda *done: reports.append(done))
    found = score_images(score, IMAGE, 7, _brightened, run)
    expected = torch.cat([score(IMAGE + number) for number in range(7)]).detach().double()
    assert found.dtype == "float64"
    assert found == pytest.approx(expected.numpy(), rel=1e-6)
    assert reports == [(3, 7), (6, 7), (7, 7)]


def test_images_are_scored_without_a_graph():
    seen = []

    class Watching(nn.Module):
        def forward(self, x):
            seen.append((len(x), torch.is_inference_mode_enabled()))
            return x.flatten(1)[:, :2]

    score_images(target_score(Watching().eval(), IMAGE, 0), IMAGE, 2, _brightened, UNWATCHED)
    # Checked, measured with a graph, and scored.
    assert seen == [(1, False), (1, False), (2, True)]
