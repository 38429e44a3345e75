import json

import pytest
import torch
from torch import nn

from tests.maps import attribution
from tests.small_nets import residual, state_of
from xai_core.errors import Cancelled, InputError, ModelError
from xai_core.measures.randomisation import divide_into_stages, randomisation
from xai_core.measures.thorough import assess_thoroughly
from xai_core.methods.gradient.saliency import saliency
from xai_core.runtime.run import Run

SIDE = 24
IMAGE = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def slopes(model, image):
    return saliency(model, image, target=2)


def picture(model, image):
    """Show the image whatever the model."""
    return attribution(image[0].sum(0).numpy())


def weights_of(model):
    return {name: p for name, p in model.named_parameters() if p.dim() > 1}


def changed(model, copy):
    theirs = weights_of(copy)
    return [name for name, p in weights_of(model).items() if not torch.equal(p, theirs[name])]


def test_a_map_of_the_image_alone_remains():
    found = randomisation(picture, residual(), IMAGE, picture(None, IMAGE))
    assert found.remaining == pytest.approx(1)
    assert found.ssim[-1] == pytest.approx(1)


def test_slopes_change_with_the_weights():
    model = residual()
    found = randomisation(slopes, model, IMAGE, slopes(model, IMAGE))
    assert found.remaining < 0.5
    assert len(found.layers) == len(found.spearman) == len(found.ssim) == 4


def test_stages_destroy_from_the_last_layer_down_to_the_first():
    model = residual()
    names = list(weights_of(model))
    stages = divide_into_stages(model, n_stages=3)
    gone = [changed(model, stage.build()) for stage in stages]
    assert [len(g) for g in gone] == [len(names) * k // 3 for k in (1, 2, 3)]
    for part in gone:
        assert part == names[-len(part) :]
    assert stages[-1].lowest == names[0].rpartition(".")[0]


def test_a_destroyed_layer_keeps_its_values_in_other_places():
    model = residual()
    (stage,) = divide_into_stages(model, n_stages=1)
    theirs = weights_of(stage.build())
    for name, weight in weights_of(model).items():
        assert torch.equal(weight.flatten().sort().values, theirs[name].flatten().sort().values)


def test_each_stage_destroys_a_layer_in_the_same_way():
    first, second = (stage.build() for stage in divide_into_stages(residual(), n_stages=2))
    shared = changed(residual(), first)
    for name in shared:
        assert torch.equal(weights_of(first)[name], weights_of(second)[name])


def test_there_are_no_more_stages_than_layers():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(2 * SIDE**2, 3)).eval()
    assert len(divide_into_stages(model, n_stages=9)) == 2


def test_the_model_itself_is_left_as_it_was():
    model = residual()
    before = state_of(model)
    randomisation(slopes, model, IMAGE, slopes(model, IMAGE))
    assert state_of(model) == before


def test_the_same_seed_destroys_in_the_same_way():
    model, map_ = residual(), slopes(residual(), IMAGE)
    first, again, other = (randomisation(slopes, model, IMAGE, map_, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other
    assert json.loads(json.dumps(first.to_json()))["remaining"] == first.remaining


def test_refuses_what_cannot_be_destroyed():
    with pytest.raises(InputError, match="n_stages is 0"):
        divide_into_stages(residual(), n_stages=0)
    with pytest.raises(ModelError, match="no layer with weights"):
        divide_into_stages(nn.Sequential(nn.ReLU()), n_stages=2)


def test_a_cancel_is_heard_between_stages():
    with pytest.raises(Cancelled):
        randomisation(
            slopes, residual(), IMAGE, slopes(residual(), IMAGE), run=Run(cancelled=lambda: True)
        )


def test_deep_measures_join_the_others_and_give_a_new_badge():
    cheap = {"corner_share": 0.1, "badge": "good", "reasons": []}
    found = assess_thoroughly(cheap, picture(None, IMAGE), picture, residual(), IMAGE)
    assert found["corner_share"] == 0.1
    assert found["badge"] == "poor"
    assert "it shows the image, not the model" in found["reasons"][0]
    assert found["stability"]["similarity"] > 0.9
    assert json.loads(json.dumps(found)) == found
    assert cheap["badge"] == "good"


def test_deep_measures_report_maps_made_of_all():
    reports = []
    map_ = slopes(residual(), IMAGE)
    assess_thoroughly(
        {},
        map_,
        slopes,
        residual(),
        IMAGE,
        n_samples=2,
        n_stages=3,
        run=Run(progress=lambda *done: reports.append(done)),
    )
    assert reports == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    with pytest.raises(Cancelled):
        assess_thoroughly({}, map_, slopes, residual(), IMAGE, run=Run(cancelled=lambda: True))
