"""A case as the component takes it: JSON, in words where the screen shows words."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from db.types import Call, JobStatus
from review.cases.own import EarlierVerdict, picture_of
from review.cases.reading import CaseView, MapView, PredictionView
from review.catalogue import OFFERED, Given, Offer, Stepping
from review.maps.requests import JobView
from review.state.reasons import REASONS, Of
from review.verdicts.unsigned import DraftView
from review.words import (
    CALL_NAMES,
    LATERALITY_NAMES,
    METHOD_NAMES,
    OPINION_NAMES,
    REASONING_NAMES,
)
from ui.viewer.trust_rows import rows
from xai_core.glossary.entries import METHODS

MOST_SCORES = 8
TOP_SCORES = 5
COUNTS = {"n_masks": "masks", "n_samples": "samples"}
Json = dict[str, Any]


def case_json(case: CaseView) -> Json:
    """Return a case with what is drawn of it; pixels and maps are fetched by their addresses."""
    prediction = case.prediction
    return {
        "id": case.case_id,
        "model_id": prediction.model_id if prediction else None,
        "target": case.target,
        "token": case.evidence_token,
        "image": _image(case),
        "synthetic": case.synthetic,
        "facts": _facts(case),
        "notes": list(case.notes),
        "models": [
            {"id": p.model_id, "name": p.model, "version": p.version, "answer": p.answer.label}
            for p in case.predictions
        ],
        "prediction": _prediction(prediction, case.target) if prediction else None,
        "maps": [
            _map(method, found, case.target)
            | {"job": _job(job) if job else None, "check": _job(check) if check else None}
            for method, found, job, check in zip(
                case.methods, case.maps, case.jobs, case.checks, strict=True
            )
        ],
        "recipe": _recipe(case),
        "verdicts": [_verdict(verdict, prediction) for verdict in case.verdicts],
        "draft": draft_json(case.draft) if case.draft else None,
        "pictures": list(case.pictures),
    }


def _image(case: CaseView) -> Json:
    image = case.image
    return {
        "url": f"/api/pixels/{case.case_id}?v={image.sha256[:16]}",
        "width": image.width_px,
        "height": image.height_px,
        "channels": image.n_channels,
        "bits": image.bits,
        "window": [image.window_low, image.window_high],
        "padding": image.shading.padding,
        "curve": image.shading.curve,
        "aspect": image.pixel_aspect,
        "slope": image.rescale_slope,
        "intercept": image.rescale_intercept,
        "unit": "HU" if case.modality == "CT" else "",
    }


def _facts(case: CaseView) -> list[str]:
    image = case.image
    side = LATERALITY_NAMES.get(case.laterality or "")
    known = [case.modality, side, case.view_position]
    standing = case.standing
    if standing.n_frames > 1:
        known.append(f"image {standing.shown} of {standing.n_frames}")
    if standing.n_cases > 1:
        known.append(f"{standing.number} of {standing.n_cases} in this study")
    colour = "colour" if image.n_channels == 3 else f"{image.bits} bit"
    return [fact for fact in known if fact] + [colour, f"{image.width_px} × {image.height_px}"]


def _prediction(prediction: PredictionView, target: int | None) -> Json:
    explained = prediction.target if target is None else target
    return {
        "id": prediction.id,
        "index": prediction.target,
        "label": prediction.label,
        "score": prediction.score,
        "answer": {"label": prediction.answer.label, "index": prediction.answer.target},
        "kind": prediction.kind,
        "top": _top(prediction),
        "findings": _findings(prediction),
        "geometry": dict(prediction.geometry),
        "target": {"index": explained, "label": prediction.classes[explained]},
        "model": {
            "name": prediction.model,
            "version": prediction.version,
            "weights": prediction.weights_sha256[:8],
            "limits": prediction.limits,
        },
    }


def _top(prediction: PredictionView) -> list[Json]:
    """Return the highest scores of a model whose classes exclude each other."""
    if prediction.thresholds is not None:
        return []
    ranked = sorted(range(len(prediction.scores)), key=lambda i: -prediction.scores[i])
    n_shown = len(ranked) if len(ranked) <= MOST_SCORES else TOP_SCORES
    return [_score(prediction, index) for index in ranked[:n_shown]]


def _findings(prediction: PredictionView) -> list[Json]:
    """Return each finding of a model that asks each for itself, those that matter first."""
    found = [
        _score(prediction, index)
        | {
            "threshold": threshold,
            "present": index in prediction.answer.present,
            "asked": prediction.classes[index] in prediction.asked,
        }
        for index, threshold in enumerate(prediction.thresholds or ())
    ]
    return sorted(found, key=lambda f: (not f["present"], not f["asked"], -f["score"]))


def _score(prediction: PredictionView, index: int) -> Json:
    label, score = prediction.classes[index], prediction.scores[index]
    return {"index": index, "label": label, "score": score}


def _recipe(case: CaseView) -> Json | None:
    """Return how the maps on screen are made; None where that is not known."""
    if asked := case.recipe:
        named = {"preset": asked.preset, "baseline": asked.baseline_name}
        return named | {"stepping": asked.stepping.value}
    recipes = [found.recipe for found in case.maps if found]
    if not recipes or recipes[0] is None:
        return None
    steppings = [recipe["stepping"] for recipe in recipes if recipe and "stepping" in recipe]
    return {"stepping": next(iter(steppings), Stepping.FIXED.value), **recipes[0]}


def _map(method: str, found: MapView | None, target: int | None) -> Json:
    offer = OFFERED[method]
    named: Json = {"method": method, "name": METHOD_NAMES[method], "unit": offer.unit}
    if found is None:
        return named | {"id": None, "url": None, "picture": None}
    trust = found.trust
    own = trust.get("of_method") or {}
    notes = found.params.get("notes", [])
    missed = notes if own.get("has_converged") is False else []
    return named | {
        "id": found.explanation_id,
        "url": f"/api/map/{found.explanation_id}?v={found.artifact_sha256[:16]}",
        "picture": picture_of(method, target, found.artifact_sha256),
        "width": found.width_px,
        "height": found.height_px,
        "relative_delta": found.relative_delta,
        "how": how(_told(found.params, offer), own),
        "warnings": [words for words in (offer.warning, *missed) if words],
        "trust": {
            "badge": trust.get("badge", "caution"),
            "reasons": trust.get("reasons", []),
            "thorough": bool(trust.get("randomisation")),
            "rows": rows(trust),
            "notes": [] if missed else notes,
        },
        "beware": METHODS[method].beware,
    }


def _told(params: Mapping[str, Any], offer: Offer) -> Mapping[str, Any]:
    """Return a map's parameters without the measures' baseline, where it is not the map's own."""
    if Given.BASELINE in offer.given:
        return params
    return {name: value for name, value in params.items() if name != "baseline"}


def how(params: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> str:
    """Say in words how a map was made.

    Args:
        params: With which parameters.
        own: What the method found of its own result.
    """
    parts = []
    if preset := params.get("preset"):
        parts.append(f"{preset} preset")
    if params.get("rule") == "adaptive":
        parts.append(_refined(params, own or {}))
    elif n_steps := params.get("n_steps"):
        parts.append(f"{n_steps} steps")
    if window := params.get("window"):
        parts.append(f"window {_extent(window)} px, stride {_extent(params.get('stride'))} px")
    if isinstance(segments := params.get("segments"), Mapping):
        parts.append(f"{segments.get('n_segments')} regions")
    if layer := params.get("layer"):
        parts.append(f"layer {layer}")
    for name, words in COUNTS.items():
        if count := params.get(name):
            parts.append(f"{count:,} {words}")
    if several := params.get("baselines"):
        parts.append(f"{len(several)} baselines")
    if isinstance(baseline := params.get("baseline"), str):
        parts.append(f"{baseline} baseline")
    return f"Made with: {', '.join(parts)}." if parts else ""


def _refined(params: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    reached = "refined to" if own.get("has_converged") else "not converged to"
    return f"{own.get('n_points')} points, {reached} {params['tolerance']:.1%}"


def _extent(value: Any) -> str:
    return " × ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _job(job: JobView) -> Json:
    return {
        "id": job.id,
        "status": job.status.value,
        "stage": job.stage,
        "fraction": job.fraction if job.status is JobStatus.RUNNING else None,
        "seconds_left": job.seconds_left,
        "error": job.error,
    }


def draft_json(draft: DraftView) -> Json:
    """Return a draft as the browser keeps it, and which state of it this is."""
    return {"content": draft.content.to_json(), "at": moment(draft.updated_at)}


def moment(at: datetime) -> str:
    """Return a time so that texts compare as the times do."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _verdict(verdict: EarlierVerdict, prediction: PredictionView | None) -> Json:
    return {
        "id": verdict.id,
        "words": "; ".join(_said(verdict, prediction)),
        "said": {
            "opinion": verdict.opinion.value,
            "reasons": list(verdict.reasons),
            "corrected": verdict.corrected_label,
            "findings": {name: call.value for name, call in verdict.findings.items()},
            "reasoning": verdict.reasoning.value if verdict.reasoning else None,
            "plausibility": dict(verdict.plausibility),
            "comment": verdict.comment,
            "boxes": [dict(box) for box in verdict.boxes],
        },
        "current": verdict.current,
        "at": f"{verdict.created_at:%Y-%m-%d %H:%M} UTC",
        "by_link_of": verdict.by_link_of,
    }


def _said(verdict: EarlierVerdict, prediction: PredictionView | None) -> Iterator[str]:
    """Yield what a verdict says of the answer, then of the reason."""
    present = prediction.answer.present if prediction else ()
    classes = prediction.classes if prediction else ()
    model = {name: Call.PRESENT if i in present else Call.ABSENT for i, name in enumerate(classes)}
    changed = [
        f"{name} {CALL_NAMES[call].lower()}"
        for name, call in verdict.findings.items()
        if call is not model.get(name)
    ]
    yield ": ".join(filter(None, [OPINION_NAMES[verdict.opinion], ", ".join(changed)]))
    if verdict.reasoning is not None:
        words = f"reason {REASONING_NAMES[verdict.reasoning].lower()}"
        yield ": ".join(filter(None, [words, ", ".join(_against(verdict))]))


def _against(verdict: EarlierVerdict) -> list[str]:
    """Return in words what was said against the reason."""
    given = [REASONS[key] for key in verdict.reasons if key in REASONS]
    return [reason.words.lower() for reason in given if reason.of is Of.REASONING]
