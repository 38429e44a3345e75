"""The measures that explain the image again and again: on request, for one map at a time."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.measures.assess import with_badge
from xai_core.measures.randomisation import destroyed, randomisation
from xai_core.measures.stability import Explain, stability
from xai_core.runtime.chunks import IsCancelled, Progress


def assess_deeply(
    measures: Mapping[str, Any],
    attribution: Attribution,
    explain: Explain,
    model: nn.Module,
    image: Tensor,
    *,
    n_samples: int = 4,
    n_stages: int = 4,
    seed: int = 0,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
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
        progress: Called with maps made and their number, n_samples + n_stages or fewer.
        cancelled: Asked between maps.

    Returns:
        The measures with `stability` and `randomisation`, and the badge that all of them give.

    Raises:
        InputError: `n_samples` or `n_stages` is below 1, or the image is even.
        ModelError: The model has no layer with weights.
        MapError: A map holds NaN or infinity.
        Cancelled: The caller asked to stop.
        XaiError: What `explain` raises.
    """
    n_maps = n_samples + len(destroyed(model, n_stages=n_stages))

    def from_(n_before: int) -> Progress | None:
        return None if progress is None else lambda done, _: progress(n_before + done, n_maps)

    held = stability(
        explain,
        model,
        image,
        attribution,
        n_samples=n_samples,
        seed=seed,
        progress=from_(0),
        cancelled=cancelled,
    )
    changed = randomisation(
        explain,
        model,
        image,
        attribution,
        n_stages=n_stages,
        seed=seed,
        progress=from_(n_samples),
        cancelled=cancelled,
    )
    taken = {"stability": held.to_json(), "randomisation": changed.to_json()}
    return with_badge({**measures, **taken})
