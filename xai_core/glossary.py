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
    "expected_gradients": Method(
        "Expected Gradients",
        Family.GRADIENT,
        "The same as Integrated Gradients, averaged over several blank images.",
        "Like Integrated Gradients, but no single blank image decides what may light up.",
        "Where the maps of the blank images differ much, their mean describes none of them.",
        "Erion et al., Nature Machine Intelligence 2021, arXiv:1906.10670",
    ),
    "saliency": Method(
        "Saliency",
        Family.GRADIENT,
        "Which pixels would change the score most if they changed a very little?",
        "Very fine and noisy. It shows what the score is sensitive to, not what made it high.",
        "Where the network is already sure, the gradient is nearly nothing whatever it looked at.",
        "Simonyan, Vedaldi & Zisserman, 2013, arXiv:1312.6034",
    ),
    "input_x_gradient": Method(
        "Input × Gradient",
        Family.GRADIENT,
        "How far would the score fall if each pixel went to zero and the slope stayed as it is?",
        "Like Saliency, weighted by how bright the pixel is.",
        "The slope does not stay as it is, and pixels that are zero can never light up.",
        "Shrikumar et al., 2016, arXiv:1605.01713",
    ),
    "smooth_grad": Method(
        "SmoothGrad",
        Family.GRADIENT,
        "What is the gradient on average, when a little noise is added to the image?",
        "A calmer Saliency. What stays is less an accident of single pixels.",
        "The amount of noise is a choice, and another amount can give another map.",
        "Smilkov et al., 2017, arXiv:1706.03825",
    ),
    "var_grad": Method(
        "VarGrad",
        Family.GRADIENT,
        "Where does the gradient change most, when a little noise is added to the image?",
        "Always positive: it shows where the network is unsteady, not for or against.",
        "It has no sign, so it cannot say whether a part spoke for the finding.",
        "Adebayo et al., 2018, arXiv:1810.03307",
    ),
    "gradient_shap": Method(
        "GradientSHAP",
        Family.GRADIENT,
        "What do gradients say on average, between random blank images and the noisy image?",
        "Like Expected Gradients, by chance: its sum meets the change of the score on average.",
        "With few samples it is noise; look at the convergence delta.",
        "Lundberg & Lee, NeurIPS 2017, arXiv:1705.07874",
    ),
    "deeplift": Method(
        "DeepLIFT",
        Family.GRADIENT,
        "Compared with a blank image, which differences of each layer make up that of the score?",
        "Fine. The pixels' shares add up to the whole change of the score, in a single pass.",
        "Its rule at each layer is a convention: two networks that always answer the same "
        "can have different maps.",
        "Shrikumar, Greenside & Kundaje, ICML 2017, arXiv:1704.02685",
    ),
    "guided_backprop": Method(
        "Guided Backprop",
        Family.GRADIENT,
        "Which edges and textures pass through the network's switches towards the score?",
        "Sharp and pretty: it draws the image's edges.",
        "It hardly depends on what the network has learnt, nor on the class. "
        "Do not judge a network by it.",
        "Springenberg et al., 2014, arXiv:1412.6806; Adebayo et al., 2018, arXiv:1810.03292",
    ),
    "lrp": Method(
        "Layer-wise Relevance Propagation",
        Family.GRADIENT,
        "Handing the score back layer by layer, how much arrives at each pixel?",
        "Fine and rather calm. What is handed back adds up, nearly, to the score.",
        "The rules for handing back are a convention and favour what speaks for the class.",
        "Bach et al., PLoS ONE 2015; Montavon et al., 2019, doi:10.1007/978-3-030-28954-6_10",
    ),
    "feature_ablation": Method(
        "Feature ablation",
        Family.PERTURBATION,
        "Covering one region after another, when does the score fall?",
        "Regions follow the image's own edges; each has one value, the fall when it is covered.",
        "Regions that stand in for each other are both missed; another division gives another map.",
        "Merrick, 2019; regions: Achanta et al., SLIC, TPAMI 2012",
    ),
    "kernel_shap": Method(
        "KernelSHAP",
        Family.PERTURBATION,
        "Covering many mixtures of regions, what is each region's fair share of the score?",
        "Regions follow the image's own edges; shares add up to the whole change of the score.",
        "Shares are estimated from a sample of mixtures; see the standard error.",
        "Lundberg & Lee, NeurIPS 2017, arXiv:1705.07874",
    ),
    "rise": Method(
        "RISE",
        Family.PERTURBATION,
        "Looking through many random soft masks, which pixels are open when the score is high?",
        "Coarse and blotchy. It asks nothing of the network but its answers.",
        "With few masks it is noise; see the standard error.",
        "Petsiuk, Das & Saenko, BMVC 2018, arXiv:1806.07421",
    ),
    "grad_cam": Method(
        "Grad-CAM",
        Family.LAYER,
        "In the last layer that still knows places, which places speak for the class?",
        "Very coarse: a few cells, drawn smoothly. Good for where, useless for outlines.",
        "The smooth outline is drawn by us, not by the network: small findings are blurred away.",
        "Selvaraju et al., ICCV 2017, arXiv:1610.02391",
    ),
    "attention_rollout": Method(
        "Attention Rollout",
        Family.LAYER,
        "Following attention through all layers, from which patches could the answer draw?",
        "Coarse and always positive. It is the same for every class.",
        "It shows where the network looked, not what it made of it. Only for transformers.",
        "Abnar & Zuidema, ACL 2020, arXiv:2005.00928",
    ),
    "gradient_rollout": Method(
        "Gradient-weighted Rollout",
        Family.LAYER,
        "Following attention through all layers, which patches spoke for this class?",
        "Coarse and positive. Unlike Attention Rollout it depends on the class.",
        "What spoke against the class is left out. Only for transformers.",
        "Chefer, Gur & Wolf, ICCV 2021, arXiv:2103.15679",
    ),
}
"""All methods by their key, in the order in which they are offered."""
