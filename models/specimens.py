"""Maps of phantoms, sound ones and such as are bad on purpose, with all their measures."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.phantoms.phantom import Finding, Phantom, draw_phantom
from models.train_demo import FINDINGS, Policy, marker_for
from xai_core import baselines, integrated_gradients, occlusion
from xai_core.attribution import Attribution
from xai_core.heat import Mask
from xai_core.measures.assess import assess
from xai_core.measures.localisation import mask_share
from xai_core.measures.randomisation import divide_into_stages
from xai_core.measures.thorough import assess_thoroughly
from xai_core.measures.trial import Trial, hold_trial
from xai_core.methods.relevance.guided_backprop import guided_backprop
from xai_core.model.card import read_card
from xai_core.model.loading import LoadedModel, load_model
from xai_core.model.prediction import predict
from xai_core.model.preprocessing import normalise, to_input

WINDOW_PX = 14
N_STEPS, N_QUICK_STEPS, N_FEW_STEPS = 50, 20, 2
SURE = 0.6  # a prediction that is less sure is flagged whatever its maps say
CLIPPED_AT = 0.6  # the quantile of |value| at which a clipped map is cut off
DEEP_EVERY = 4  # phantoms; stability and shuffled weights take eight maps each


class Kind(StrEnum):
    """What a map is."""

    SOUND = "sound"
    NOISE = "noise"
    MIRRORED = "mirrored"
    OTHER_CLASS = "of another class"
    SHUFFLED = "of shuffled weights"
    FEW_STEPS = "of two points"
    TWO_PIXELS = "two pixels"
    CLIPPED = "clipped"
    GUIDED = "Guided Backprop"
    MARKER = "of the model that reads a marker"


@dataclass(frozen=True)
class Specimen:
    """A map's measures.

    Attributes:
        kind: What the map is.
        method: What made it.
        seed: Of the phantom.
        measures: As `assess` gives them, and `localisation` where the phantom has a mask.
    """

    kind: Kind
    method: str
    seed: int
    measures: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Subject:
    """A phantom's prediction, and how its maps are made.

    Attributes:
        model: What is explained.
        image: (1, C, H, W), as the model takes it.
        baseline: (1, C, H, W).
        target: The predicted class.
        mask: Where the finding is, (H, W).
    """

    model: nn.Module
    image: Tensor
    baseline: Tensor
    target: int
    mask: Mask

    def trial(self) -> Trial:
        """Hold the trial that the maps share."""
        return hold_trial(self.model, self.image, self.baseline, target=self.target)

    def pair(self, *, quick: bool = False) -> tuple[Attribution, Attribution]:
        """Make both maps, at the standard or the quick preset."""
        n_steps, stride = (N_QUICK_STEPS, WINDOW_PX) if quick else (N_STEPS, WINDOW_PX // 2)
        return self.gradients(n_steps), self.occluded(stride)

    def gradients(self, n_steps: int) -> Attribution:
        """Make the map of Integrated Gradients."""
        return integrated_gradients(
            self.model, self.image, target=self.target, baseline=self.baseline, n_steps=n_steps
        )

    def occluded(self, stride: int) -> Attribution:
        """Make the map of Occlusion."""
        return occlusion(
            self.model,
            self.image,
            target=self.target,
            window=WINDOW_PX,
            stride=stride,
            baseline=self.baseline,
        )


def specimens_of(seed: int) -> list[Specimen]:
    """Return sound and bad maps of the sound model, or none where it is wrong or unsure."""
    finding = FINDINGS[seed % len(FINDINGS)]
    phantom = draw_phantom(
        seed, finding=finding, marker=marker_for(Policy.INDEPENDENT, finding, seed)
    )
    subject = _subject("phantom-a", phantom)
    if subject is None:
        return []
    trial, partners = subject.trial(), subject.pair()
    made = list(_assessed(seed, Kind.SOUND, partners, partners, subject, trial))
    for kind, maps in _bad(subject, partners, np.random.default_rng(seed)):
        others = partners if kind in _ONE_AT_A_TIME else maps
        made += _assessed(seed, kind, maps, others, subject, trial)
    if seed // len(FINDINGS) % DEEP_EVERY == 0:
        made = [*_thoroughly(seed, subject), *made]
    return made


def marked_specimens_of(seed: int) -> list[Specimen]:
    """Return maps of the model that reads a marker, of a nodule that it calls so."""
    marker = marker_for(Policy.GIVEAWAY, Finding.NODULE, seed)
    phantom = draw_phantom(seed, finding=Finding.NODULE, marker=marker)
    subject = _subject("phantom-b", phantom)
    if subject is None:
        return []
    maps = subject.pair()
    return list(_assessed(seed, Kind.MARKER, maps, maps, subject, subject.trial()))


@cache
def _model(name: str) -> LoadedModel:
    return load_model(read_card(Path(__file__).with_name(f"{name}.toml")))


def _subject(name: str, phantom: Phantom) -> Subject | None:
    loaded = _model(name)
    preprocessing = loaded.card.preprocessing
    unit, _ = to_input(phantom.shown, preprocessing)
    prediction = predict(loaded, unit)
    if prediction.target != FINDINGS.index(phantom.finding) or prediction.score < SURE:
        return None
    blank = baselines.BY_NAME[loaded.card.baseline or "black"](unit[0])[None]
    mask = torch.from_numpy(phantom.mask)[None].float()
    return Subject(
        loaded.module,
        normalise(unit, preprocessing),
        normalise(blank, preprocessing),
        prediction.target,
        F.adaptive_max_pool2d(mask, unit.shape[2:])[0].bool().numpy(),
    )


_ONE_AT_A_TIME = {Kind.NOISE, Kind.MIRRORED, Kind.FEW_STEPS, Kind.TWO_PIXELS, Kind.CLIPPED}
"""Kinds of maps beside which the other method's map is sound."""


def _bad(
    subject: Subject, sound: tuple[Attribution, ...], rng: np.random.Generator
) -> Iterator[tuple[Kind, tuple[Attribution, ...]]]:
    """Yield bad maps by kind; what was spoilt afterwards keeps the delta of the sound one."""
    for kind in (Kind.NOISE, Kind.MIRRORED, Kind.TWO_PIXELS, Kind.CLIPPED):
        yield (
            kind,
            tuple(replace(map_, values=spoilt(kind, map_.values, rng)) for map_ in sound),
        )
    n_classes = len(FINDINGS)
    other = replace(subject, target=(subject.target + 1 + rng.integers(n_classes - 1)) % n_classes)
    (stage,) = divide_into_stages(subject.model, n_stages=1)
    for kind, wrong in (
        (Kind.OTHER_CLASS, other),
        (Kind.SHUFFLED, replace(subject, model=stage.build())),
    ):
        maps = wrong.pair(quick=True)
        yield kind, tuple(replace(map_, target=subject.target) for map_ in maps)
    yield Kind.FEW_STEPS, (subject.gradients(N_FEW_STEPS),)


def spoilt(kind: Kind, values: Tensor, rng: np.random.Generator) -> Tensor:
    """Return what becomes of a map's values, (C, H, W), when they are spoilt in a way."""
    if kind is Kind.NOISE:
        return _noise(values, rng)
    if kind is Kind.TWO_PIXELS:
        return _two_pixels(values, rng)
    return values.flip(2) if kind is Kind.MIRRORED else _clipped(values)


def _noise(values: Tensor, rng: np.random.Generator) -> Tensor:
    """Return noise of the same size and grain as a map."""
    grain = 1 if len(values) > 1 and not torch.equal(values[0], values[1]) else WINDOW_PX
    shape = (len(values), *(-(-side // grain) for side in values.shape[1:]))
    noise = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    return float(values.std()) * F.interpolate(noise[None], values.shape[1:])[0]


def _two_pixels(values: Tensor, rng: np.random.Generator) -> Tensor:
    """Return a map of two pixels that has the same sum."""
    found = torch.zeros_like(values)
    for y, x in rng.integers(values.shape[1], size=(2, 2)):
        found[:, y, x] = values.sum((1, 2)).abs() / 2 + float(values.std())
    return found


def _clipped(values: Tensor) -> Tensor:
    limit = float(values.sum(0).abs().quantile(CLIPPED_AT)) / len(values)
    mean = values.mean(0, keepdim=True).clamp(-limit, limit)
    return mean.expand_as(values).clone()


def _assessed(
    seed: int,
    kind: Kind,
    maps: tuple[Attribution, ...],
    partners: tuple[Attribution, ...],
    subject: Subject,
    trial: Trial,
) -> Iterator[Specimen]:
    for at, map_ in enumerate(maps):
        measures = assess(map_, partners[1 - at], trial)
        if subject.mask.any():
            found = mask_share(map_.heat.numpy(), subject.mask)
            measures["localisation"] = asdict(found)
        yield Specimen(kind, map_.method, seed, measures)


def _thoroughly(seed: int, subject: Subject) -> Iterator[Specimen]:
    """Yield what noise and shuffled weights make of quick maps, and of a map of the image alone."""

    def gradients(model: nn.Module, image: Tensor) -> Attribution:
        return replace(subject, model=model, image=image).gradients(N_QUICK_STEPS)

    def occluded(model: nn.Module, image: Tensor) -> Attribution:
        return replace(subject, model=model, image=image).occluded(WINDOW_PX)

    def guided(model: nn.Module, image: Tensor) -> Attribution:
        return guided_backprop(model, image, target=subject.target)

    for kind, explain in (
        (Kind.SOUND, gradients),
        (Kind.SOUND, occluded),
        (Kind.GUIDED, guided),
    ):
        map_ = explain(subject.model, subject.image)
        measures = assess_thoroughly({}, map_, explain, subject.model, subject.image)
        yield Specimen(kind, map_.method, seed, measures)
