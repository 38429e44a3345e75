"""All measures of a map in one call, and the badge that they give it."""

from typing import Any

from xai_core.attribution import Attribution
from xai_core.errors import MapError
from xai_core.measures.badges import badge
from xai_core.measures.faithfulness import faithfulness
from xai_core.measures.infidelity import infidelity
from xai_core.measures.maps import map_measures
from xai_core.measures.trial import Trial
from xai_core.runtime.run import UNWATCHED, Run


def assess(
    attribution: Attribution,
    other: Attribution | None,
    trial: Trial,
    run: Run = UNWATCHED,
) -> dict[str, Any]:
    """Return the measures of a map that are cheap enough to run with every map, and its badge.

    Args:
        attribution: The map to assess.
        other: Another method's map of the same prediction, or None.
        trial: The prediction; see `xai_core.measures.trial.hold_trial`.
        run: How to pass images; progress counts them.

    Returns:
        JSON-safe measures; what could not be taken is None. `badge` is their verdict, `reasons`
        are sentences.

    Raises:
        MapError: The map does not have the image's size, or explains another class or output than
            the trial is about.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One image at a time is too much for the device.
    """
    _check_same_prediction(attribution, trial)
    measures = map_measures(attribution, other) | {"faithfulness": None, "infidelity": None}
    if not (measures["nan"] or measures["flat"]):
        heat = attribution.heat.numpy()
        curves = faithfulness(heat, trial, run)
        missed = infidelity(heat, trial)
        measures["faithfulness"] = curves.to_json() if curves else None
        measures["infidelity"] = missed.to_json() if missed else None
        measures["no_span"] = measures["no_span"] or trial.span == 0
    return with_badge(measures)


def _check_same_prediction(attribution: Attribution, trial: Trial) -> None:
    score = trial.cells.score
    asked = attribution.target, attribution.params.get("output", score.output)
    if asked != (score.target, score.output):
        raise MapError(
            f"the map explains {asked[1]} of class {asked[0]}; "
            f"allowed here: {score.output} of class {score.target}"
        )


def with_badge(measures: dict[str, Any]) -> dict[str, Any]:
    """Return the measures with the badge that they give, and the reasons."""
    given, reasons = badge(measures)
    return measures | {"badge": given, "reasons": reasons}
