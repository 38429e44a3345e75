"""The lent ImageNet SqueezeNet as a site would bring it: a card beside its weights."""

import shutil
from pathlib import Path

_WEIGHTS = "squeezenet1_0-imagenet.pth"
_CARD = f"""
name = "squeezenet-imagenet"
version = "1"
architecture = "torchvision/squeezenet1_0"
weights = "{_WEIGHTS}"
weights_sha256 = "3b33fbcb20c9a908905c160e9776ca61d294d951428391eb83852c638061b2e2"
classes = "imagenet"
scores = "softmax"
intended_use = "trials with photographs"
[preprocessing]
resize = 256
crop = 224
channels = 3
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""


def write_squeezenet(folder: Path, shared_data: Path) -> Path:
    """Write the card and the weights into a folder; return the card's path."""
    shutil.copy(shared_data / _WEIGHTS, folder)
    card = folder / "card.toml"
    card.write_text(_CARD)
    return card
