"""The cascading randomisation check (Adebayo et al., NeurIPS 2018, arXiv:1810.03292).

A map that explains a trained model must change when what was learnt is destroyed. Weights are
destroyed from the last layer down, on a copy: those of a layer trade places at random, so that its
scale stays and nothing else. A map that stays the same shows the image's edges, not the model.
"""

from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.errors import InputError, ModelError
from xai_core.measures.similarity import rank_similarity, ssim
from xai_core.measures.stability import ExplainAlike
from xai_core.runtime.chunks import chunks, in_parts
from xai_core.runtime.run import UNWATCHED, Run


@dataclass(frozen=True)
class Randomisation:
    """How like the map stays while the model is destroyed from the top down.

    Attributes:
        layers: The lowest layer that is destroyed at each stage; all above it are, too.
        spearman: Rank correlation of the cells with the map of the intact model, one a stage.
        ssim: Structural similarity, one a stage.
    """

    layers: tuple[str, ...]
    spearman: tuple[float, ...]
    ssim: tuple[float, ...]

    @property
    def remaining(self) -> float:
        """Rank correlation with the map of a model that is all noise; 0 for an honest method."""
        return self.spearman[-1]

    def to_json(self) -> dict[str, Any]:
        """Return what was found, JSON-safe."""
        found = {name: list(values) for name, values in asdict(self).items()}
        return found | {"remaining": self.remaining}


def randomisation(
    explain: ExplainAlike,
    model: nn.Module,
    image: Tensor,
    attribution: Attribution,
    *,
    n_stages: int = 4,
    seed: int = 0,
    run: Run = UNWATCHED,
) -> Randomisation:
    """Explain ever more destroyed copies of a model, and compare their maps with its own.

    Args:
        explain: Makes a map as `attribution` was made.
        model: What is explained; a copy of it is destroyed.
        image: (1, C, H, W), as the model takes it.
        attribution: The intact model's map.
        n_stages: Maps; the layers are divided among them.
        seed: Of what is drawn.
        run: Progress counts maps made.

    Raises:
        InputError: `n_stages` is below 1.
        ModelError: The model has no layer with weights.
        Cancelled: The caller asked to stop.
        XaiError: What `explain` raises.
    """
    stages = divide_into_stages(model, n_stages=n_stages, seed=seed)
    own = attribution.heat.numpy()
    layers, spearman, similar = [], [], []
    parts = in_parts(
        chunks(len(stages), 1),
        lambda at: explain(stages[at.start].build(), image).heat.numpy(),
        run,
    )
    for at, heat in parts:
        layers.append(stages[at.start].lowest)
        spearman.append(rank_similarity(heat, own))
        similar.append(ssim(heat, own))
    return Randomisation(tuple(layers), tuple(spearman), tuple(similar))


@dataclass(frozen=True, eq=False)
class Stage:
    """A model whose upper layers are to be destroyed.

    Attributes:
        model: The intact one.
        names: Weights to destroy, the last layer's first.
        seed: Of what is drawn; every stage destroys a layer in the same way.
    """

    model: nn.Module
    names: tuple[str, ...]
    seed: int

    @property
    def lowest(self) -> str:
        """The lowest layer that is destroyed."""
        return self.names[-1].rpartition(".")[0]

    def build(self) -> nn.Module:
        """Return the destroyed copy."""
        copy = deepcopy(self.model)
        weights = dict(copy.named_parameters())
        generator = torch.Generator().manual_seed(self.seed)
        with torch.no_grad():
            for name in self.names:
                weight = weights[name]
                order = torch.randperm(weight.numel(), generator=generator).to(weight.device)
                weight.copy_(weight.flatten()[order].view_as(weight))
        return copy


def divide_into_stages(model: nn.Module, *, n_stages: int, seed: int = 0) -> list[Stage]:
    """Divide a model's layers into stages, from the last layer down to the first.

    Layers are those with weight matrices or kernels, in the order in which the model lists them.

    Raises:
        InputError: `n_stages` is below 1.
        ModelError: There is none.
    """
    if n_stages < 1:
        raise InputError(f"n_stages is {n_stages}; allowed: 1 or more")
    names = [name for name, weight in model.named_parameters() if weight.dim() > 1][::-1]
    if not names:
        raise ModelError("the model has no layer with weights; allowed: one or more")
    n_stages = min(n_stages, len(names))
    ends = [len(names) * (stage + 1) // n_stages for stage in range(n_stages)]
    return [Stage(model, tuple(names[:end]), seed) for end in ends]
