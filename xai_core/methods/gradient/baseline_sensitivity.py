"""Where Integrated Gradients depends on the baseline (Sturmfels et al., Distill 2020)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.errors import InputError
from xai_core.methods.documented import documented
from xai_core.methods.gradient.expected_gradients import expected_gradients
from xai_core.methods.gradient.integral import PathEngine
from xai_core.methods.gradient.quadrature import Quadrature
from xai_core.runtime.run import IsCancelled, Progress
from xai_core.scoring import Baseline, Output

_FEWEST = 2


@documented(like=expected_gradients)
def baseline_sensitivity(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    baselines: Sequence[Baseline] | Tensor,
    n_steps: int = 50,
    rule: Quadrature | str = Quadrature.GAUSS_LEGENDRE,
    tolerance: float = 0.01,
    engine: PathEngine | str | None = None,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each pixel how much the maps of several baselines differ there.

    Args:
        baselines: Two or more, as in `xai_core.expected_gradients`.

    Returns:
        An attribution without sign: the standard deviation over the baselines of the map over
        pixels, the same in each channel, in units of the score.

    Example:
        >>> spread = baseline_sensitivity(model, image, target=2, baselines=[0.0, 1.0])
        >>> bool((spread.values >= 0).all())
        True
    """
    if len(baselines) < _FEWEST:
        raise InputError(f"there are {len(baselines)} baselines; allowed: {_FEWEST} or more")
    found = expected_gradients(
        model,
        image,
        target=target,
        baselines=baselines,
        n_steps=n_steps,
        rule=rule,
        tolerance=tolerance,
        engine=engine,
        output=output,
        chunk_size=chunk_size,
        progress=progress,
        cancelled=cancelled,
    )
    spread = cast(Tensor, found.spread)
    return replace(
        found,
        values=spread.expand_as(found.values).contiguous(),
        method="baseline_sensitivity",
        baseline_score=None,
        convergence_delta=None,
        spread=None,
        channels_share=True,
    )
