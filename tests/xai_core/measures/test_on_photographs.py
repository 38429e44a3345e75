from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.squeezenet import write_squeezenet
from xai_core import occlusion
from xai_core.measures.assess import assess
from xai_core.measures.trial import hold_trial
from xai_core.model.card import read_card
from xai_core.model.loading import load_model
from xai_core.model.preprocessing import normalise, to_input

GOLDFISH = 1


@pytest.mark.real
@pytest.mark.slow
def test_a_map_of_a_photograph_is_told_from_noise(tmp_path, shared_data):
    model = load_model(read_card(write_squeezenet(tmp_path, shared_data)))
    with Image.open(shared_data / "imagenet" / "n01443537_goldfish.JPEG") as photo:
        pixels = np.asarray(photo.convert("RGB"), dtype=np.float32) / 255
    unit, _ = to_input(pixels, model.card.preprocessing)
    image, black = (normalise(x, model.card.preprocessing) for x in (unit, torch.zeros_like(unit)))
    trial = hold_trial(model.module, image, black, target=GOLDFISH)
    map_ = occlusion(model.module, image, target=GOLDFISH, window=16, stride=16, baseline=black)
    noise = torch.randn(map_.values.shape, generator=torch.Generator().manual_seed(0))
    found, of_noise = (assess(m, None, trial) for m in (map_, replace(map_, values=noise)))
    assert found["badge"] == "good"
    assert of_noise["badge"] != "good"
    assert found["faithfulness"]["gap"] > 0.3 > abs(of_noise["faithfulness"]["gap"])
