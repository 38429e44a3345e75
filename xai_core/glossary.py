"""What each method and measure means, in plain words: one text for the Help page and the docs.

Free of PyTorch, so that the web process may read it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """How a method finds out what matters."""

    GRADIENT = "By gradients"
    PERTURBATION = "By covering parts of the image"
    LAYER = "By what a layer inside saw"


@dataclass(frozen=True)
class Method:
    """A way to make a map.

    Attributes:
        name: As shown to readers.
        family: How it finds out.
        question: What it asks of the network, in one sentence.
        reading: How to read its map.
        beware: When not to trust it.
        source: Where it is published.
    """

    name: str
    family: Family
    question: str
    reading: str
    beware: str
    source: str


METHODS: dict[str, Method] = {
    "integrated_gradients": Method(
        "Integrated Gradients",
        Family.GRADIENT,
        "Fading the image in from a blank one, which pixels raise the score?",
        "Fine and speckled. The pixels' shares add up to the whole change of the score.",
        "Areas that equal the blank image cannot light up; speckle is not texture of the finding.",
        "Sundararajan, Taly & Yan, ICML 2017, arXiv:1703.01365",
    ),
    "occlusion": Method(
        "Occlusion",
        Family.PERTURBATION,
        "Covering one patch after another, when does the score fall?",
        "Coarse and smooth. A value is the mean fall of the score under the covers over a pixel.",
        "Misses findings larger than the patch, and findings that stand in for each other; "
        "a cover is itself an image that the network has never seen.",
        "Zeiler & Fergus, ECCV 2014, arXiv:1311.2901",
    ),
}
"""All methods by their key, in the order in which they are offered."""
