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
    "baseline_sensitivity": Method(
        "Baseline Sensitivity",
        Family.GRADIENT,
        "Where would another blank image have given another map of Integrated Gradients?",
        "Always positive: it shows where the choice of blank image decides, not for or against. "
        "Where nothing is coloured, the map holds whatever the choice.",
        "It compares the blank images on offer; all of them may be a poor choice together.",
        "Sturmfels, Lundberg & Lee, Distill 2020, doi:10.23915/distill.00022",
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
        "Fine and rather calm. What arrives adds up to the score, less what the network's "
        "constants keep.",
        "The rules for handing back are a convention and favour what speaks for the class. "
        "Where a small share arrived, the map tells little of the score.",
        "Bach et al., PLoS ONE 2015; Montavon et al., 2019, doi:10.1007/978-3-030-28954-6_10",
    ),
    "feature_ablation": Method(
        "Feature ablation",
        Family.PERTURBATION,
        "Covering one region after another, when does the score fall?",
        "Regions follow the image's own edges; each has one value, the fall when it is covered.",
        "Regions that stand in for each other are both missed; another division gives another map.",
        "Merrick, 2019, arXiv:1910.00174; regions: Achanta et al., SLIC, TPAMI 2012",
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
        "Very coarse: a few cells, drawn smoothly. Good for where, useless for outlines. "
        "What speaks against the class is kept as negative.",
        "The smooth outline is drawn by us, not by the network: small findings are blurred away.",
        "Selvaraju et al., ICCV 2017, arXiv:1610.02391",
    ),
    "attention_rollout": Method(
        "Attention Rollout",
        Family.LAYER,
        "Following attention through all layers, from which patches could the answer draw?",
        "Coarse and always positive. It is the same for every class.",
        "It shows where the network looked, not what it made of it. Only for ViT networks.",
        "Abnar & Zuidema, ACL 2020, arXiv:2005.00928",
    ),
    "gradient_rollout": Method(
        "Gradient-weighted Rollout",
        Family.LAYER,
        "Following attention through all layers, which patches spoke for this class?",
        "Coarse and positive. Unlike Attention Rollout it depends on the class.",
        "What spoke against the class is left out. Only for ViT networks.",
        "Chefer, Gur & Wolf, ICCV 2021, arXiv:2103.15679",
    ),
}
"""All methods by their key, in the order in which they are offered."""


class Written(StrEnum):
    """How a measure's number is written."""

    SHARE = "share"
    SCORE = "score"


@dataclass(frozen=True)
class Measure:
    """A number that says how far a map can be trusted.

    Attributes:
        name: As shown to readers.
        question: What it asks of the map, in one sentence.
        reading: How to read its value.
        chance: What a map that knows nothing reaches.
        beware: When not to trust the measure itself.
        source: Where it is published, or what it is by.
        written: How its number is written beside a map; None where it is not.
        own_chance: Which measure of the same map says what chance reaches for that very map.
    """

    name: str
    question: str
    reading: str
    chance: str
    beware: str
    source: str
    written: Written | None = None
    own_chance: str | None = None


_OURS = "Second Look's own"

MEASURES: dict[str, Measure] = {
    "nan": Measure(
        "Not a number",
        "Does the map hold values that are not numbers?",
        "Yes or no. Such a map is never drawn.",
        "No.",
        "It finds broken arithmetic, not a wrong map.",
        _OURS,
    ),
    "flat": Measure(
        "Flat",
        "Are all values of the map the same?",
        "Yes or no. A flat map points at nothing.",
        "No: noise is not flat.",
        "A model that truly ignores the image rightly has a flat map.",
        _OURS,
    ),
    "no_span": Measure(
        "Nothing to explain",
        "Does the image score as the blank image does?",
        "Yes or no. If so, there is no change of score that the map could explain.",
        "No.",
        "Another blank image may well make a difference.",
        _OURS,
    ),
    "relative_delta": Measure(
        "Completeness",
        "Do the pixels' shares add up to the change of score that they explain?",
        "The part that is missing or too much: 0 % is exact. More steps bring it down.",
        "About 100 %: noise adds up to nothing.",
        "A right sum does not prove right shares: errors cancel. "
        "Only methods that promise a sum have it.",
        "Sundararajan, Taly & Yan, ICML 2017, arXiv:1703.01365",
        written=Written.SHARE,
    ),
    "faithfulness.gap": Measure(
        "Deletion and insertion",
        "Does the score fall early when what the map points at is taken away, "
        "and rise early when it is shown?",
        "The area between the rising and the falling curve, as a share of the range of scores on "
        "the way: the higher, the better the map's order of places. Below 0 it is upside down.",
        "0 on average, -0.4 to 0.3 for a single map: a random order rises as it falls.",
        "An image with holes is one that the network has never seen, and it may fall for the holes "
        "alone. Methods that cover parts of the image themselves have the advantage. The curves "
        "know the order of places only, not the map's values.",
        "Petsiuk, Das & Saenko, BMVC 2018, arXiv:1806.07421",
        written=Written.SCORE,
    ),
    "infidelity.share": Measure(
        "Infidelity",
        "Does the map foretell by how much the score falls when quarters and ninths of the image "
        "are taken away?",
        "The part of the falls that the map misses at its best scale: 0 % foretells all, "
        "100 % nothing.",
        "65 % to 100 % for noise. A map that is the same everywhere foretells larger falls for "
        "larger regions, and that much is listed beside it.",
        "Where parts of a finding stand in for each other no map can foretell all falls. It counts "
        "against a map only where the method promises a sum: the others' values are no falls.",
        "Yeh et al., NeurIPS 2019, arXiv:1901.09392",
        written=Written.SHARE,
        own_chance="infidelity.even_share",
    ),
    "agreement.spearman": Measure(
        "Agreement: rank correlation",
        "Do two methods put the places of the image into the same order?",
        "1: the same order, 0: unrelated, -1: reversed. A fine and a coarse map of the same "
        "prediction seldom exceed 0.5.",
        "0 for noise. Beside each value stands what the same two maps reach when one is shifted.",
        "Two methods may be wrong together, and most places of an image matter little: "
        "their order is noise in both maps.",
        "Spearman, 1904; on a common grid of 16 x 16 cells",
        written=Written.SCORE,
        own_chance="agreement.by_chance.spearman",
    ),
    "agreement.top_k_iou": Measure(
        "Agreement: the strongest tenth",
        "Do the strongest tenth of the places of two maps coincide?",
        "What they share of what either holds: 100 % the same places, 0 % none in common.",
        "5 % for noise, more for maps that are silent nearly everywhere.",
        "It sees only what speaks for the class.",
        "Krishna et al., TMLR 2024, arXiv:2202.01602",
        written=Written.SHARE,
        own_chance="agreement.by_chance.top_k_iou",
    ),
    "agreement.sign": Measure(
        "Agreement: the same sign",
        "Do two maps agree on which places speak for the class and which against it?",
        "The share of their joint weight with the same sign: 100 % always, 0 % never.",
        "50 % for noise, more for maps that are mostly positive.",
        "Methods without negative values always agree on the places that both light up.",
        "Krishna et al., TMLR 2024, arXiv:2202.01602",
        written=Written.SHARE,
        own_chance="agreement.by_chance.sign",
    ),
    "agreement.ssim": Measure(
        "Agreement: structural similarity",
        "Do two maps look alike, patch by patch?",
        "1: alike, 0: unrelated.",
        "About 0 for noise, far more for maps that are silent nearly everywhere.",
        "Made for photographs: two maps that are silent nearly everywhere look alike.",
        "Wang et al., IEEE TIP 2004",
        written=Written.SCORE,
        own_chance="agreement.by_chance.ssim",
    ),
    "corner_share": Measure(
        "In the corners",
        "How much of what speaks for the class lies in the four corners?",
        "High values ask: does the network read a marker or a label?",
        "16 %, the corners' area.",
        "Some findings do lie in a corner, and a marker may lie elsewhere.",
        _OURS,
        written=Written.SHARE,
    ),
    "border_share": Measure(
        "Along the border",
        "How much of what speaks for the class lies along the border?",
        "High values ask: does the network read the film's edge, a collimator or padding?",
        "36 %, the border's area.",
        "Some findings do lie at the border.",
        _OURS,
        written=Written.SHARE,
    ),
    "top_cell": Measure(
        "In one spot",
        "How much of what speaks for the class lies in a single spot of the map?",
        "High values show a map that is one spike.",
        "0.4 %, the area of one of 256 cells; noise some 3 %.",
        "A small finding rightly is one spot.",
        _OURS,
        written=Written.SHARE,
    ),
    "top_pixel": Measure(
        "In one pixel",
        "How much of what speaks for the class lies in a single pixel of the map?",
        "High values show a map of a few pixels: a fault of the network or of the arithmetic.",
        "Nearly 0 %.",
        "It sees the strongest pixel alone.",
        _OURS,
        written=Written.SHARE,
    ),
    "saturated_share": Measure(
        "Clipped",
        "How many pixels stand exactly at the map's largest value?",
        "Many do only where values were cut off: differences above are lost.",
        "Nearly 0 %.",
        "Methods that give a whole region one value have some such pixels by nature.",
        _OURS,
        written=Written.SHARE,
    ),
    "stability.similarity": Measure(
        "Stability",
        "Does the map stay when noise is added that no reader would see?",
        "The mean rank correlation of the map with those of the noisy images: 1 unchanged.",
        "0.",
        "The network itself may change its answer under noise: then the map should change, too.",
        "Alvarez-Melis & Jaakkola, 2018, arXiv:1806.08049",
        written=Written.SCORE,
    ),
    "stability.max_sensitivity": Measure(
        "Max-sensitivity",
        "By how much does the map change at most, when such noise is added?",
        "The change's size as a share of the map's: 0 unchanged.",
        "1.4: two unrelated maps of equal size.",
        "Fine maps change in every pixel without a reader seeing it.",
        "Yeh et al., NeurIPS 2019, arXiv:1901.09392",
        written=Written.SCORE,
    ),
    "randomisation.remaining": Measure(
        "Shuffled weights",
        "Does the map change when the network forgets what it has learnt?",
        "The rank correlation with the map of a network with shuffled weights: near 0 is right, "
        "1 means that the map shows the image and not the network.",
        "0, and that is the good end here.",
        "Maps that are weighted by the image keep some likeness to it whatever the network.",
        "Adebayo et al., NeurIPS 2018, arXiv:1810.03292",
        written=Written.SCORE,
    ),
    "localisation.inside": Measure(
        "Inside the finding",
        "How much of what speaks for the class lies inside the reference mask?",
        "The share of the weight inside. Only where a reference mask exists: on phantoms.",
        "The mask's share of the image.",
        "A network may rightly use what lies outside the finding.",
        "Wang et al., Score-CAM, CVPRW 2020, arXiv:1910.01279",
    ),
    "localisation.hit": Measure(
        "Pointing game",
        "Does the map's strongest pixel lie inside the reference mask?",
        "Yes or no; over many images, a rate.",
        "The mask's share of the image.",
        "It sees one pixel alone.",
        "Zhang et al., ECCV 2016, arXiv:1608.00507",
    ),
    "localisation.iou": Measure(
        "Overlap with the finding",
        "Do as many of the strongest pixels as the mask holds lie inside the reference mask?",
        "What both share of what either holds: 1 the same pixels, 0 none in common.",
        "About half the mask's share of the image.",
        "Fine, speckled maps reach little even where they are right.",
        "Jaccard, 1912",
    ),
}
"""All measures by their name in `xai_core.measures`, in the order in which they are explained."""
