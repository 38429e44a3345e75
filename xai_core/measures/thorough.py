"""The measures that explain the image again and again: on request, for one map at a time."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.measures.assess import with_badge
from xai_core.measures.randomisation import divide_into_stages, randomisation
from xai_core.measures.stability import ExplainAlike, stability
from xai_core.runtime.run import UNWATCHED, Run


def assess_thoroughly(
    measures: Mapping[str, Any],
    attribution: Attribution,
    explain: ExplainAlike,
    model: nn.Module,
    image: Tensor,
    *,
    n_samples: int = 4,
    n_stages: int = 4,
    seed: int = 0,
    run: Run = UNWATCHED,
) -> dict[str, Any]:
    """Add stability under noise and the check of shuffled weights to a map's measures.

    Args:
        measures: What `xai_core.measures.assess.assess` gave for the map.
        attribution: The map.
        explain: Makes a map of a model and an image as `attribution` was made.
        model: In eval mode; what was explained.
        image: (1, C, H, W), as the model takes it.
        n_samples: Noisy images.
        n_stages: Steps in which the model's layers are destroyed.
        seed: Of noise and weights.
        run: Progress counts maps made, n_samples + n_stages or fewer.

    Returns:
        The measures with `stability` and `randomisation`, and the badge that all of them give.

    Raises:
        InputError: `n_samples` or `n_stages` is below 1, or the image is even.
        ModelError: The model has no layer with weights.
        MapError: A map holds NaN or infinity.
        Cancelled: The caller asked to stop.
        XaiError: What `explain` raises.
    """
    n_maps = n_samples + len(divide_into_stages(model, n_stages=n_stages))
    held = stability(
        explain,
        model,
        image,
        attribution,
        n_samples=n_samples,
        seed=seed,
        run=run.after(0, n_maps),
    )
    changed = randomisation(
        explain,
        model,
        image,
        attribution,
        n_stages=n_stages,
        seed=seed,
        run=run.after(n_samples, n_maps),
    )
    taken = {"stability": held.to_json(), "randomisation": changed.to_json()}
    return with_badge({**measures, **taken})
