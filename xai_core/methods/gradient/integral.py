"""The integral of a path's gradients, by the rule and within the limits that a caller chose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from xai_core.errors import InputError
from xai_core.methods.gradient import secants
from xai_core.methods.gradient.adaptive import integrate_adaptively
from xai_core.methods.gradient.path import Path
from xai_core.methods.gradient.quadrature import Quadrature, nodes_and_weights
from xai_core.runtime.chunks import Chunk, chunks, in_parts
from xai_core.runtime.run import Run
from xai_core.scoring import TargetScore, choice


class PathEngine(StrEnum):
    """What is differentiated."""

    MODEL = "model"
    PREPARED = "prepared"


@dataclass(frozen=True)
class Integrator:
    """How paths are integrated; see `xai_core.methods.gradient.integrated_gradients`.

    Attributes:
        rule: How points are placed and weighted.
        n_steps: Points on a path; for the adaptive rule, the most it may use.
        tolerance: Of the adaptive rule.
        engine: What is differentiated; secants need a prepared copy.
    """

    rule: Quadrature
    n_steps: int
    tolerance: float
    engine: PathEngine

    @property
    def params(self) -> dict[str, Any]:
        """What repeats the integration, JSON-safe."""
        tolerance = {"tolerance": self.tolerance} if self.rule is Quadrature.ADAPTIVE else {}
        return {
            "n_steps": self.n_steps,
            "rule": str(self.rule),
            "engine": str(self.engine),
            **tolerance,
        }

    def integrate(
        self, start: Tensor, end: Tensor, scores: Sequence[TargetScore], run: Run
    ) -> "Integral":
        """Integrate the gradients of scores of one model from `start` to `end`, (1, C, H, W)."""
        lay = Path.prepared if self.engine is PathEngine.PREPARED else Path.between
        path = lay(start, end, scores)
        is_secant = self.rule is Quadrature.SECANT
        n_copies = secants.N_COPIES if is_secant else 1
        at_once = path.at_once(self.n_steps, run, n_copies=n_copies)
        if self.rule is Quadrature.ADAPTIVE:
            return self._adaptive(path, at_once, run)
        work = secants.Walk(path, self.n_steps).over if is_secant else self._by_points(path)
        total = path.ends.new_zeros(())
        for _, part in in_parts(chunks(self.n_steps, at_once), work, run):
            total = total + part
            del part  # its memory is for the next chunk
        return Integral.of(path, path.attributed(total))

    def _by_points(self, path: Path) -> Callable[[Chunk], Tensor]:
        nodes, shares = nodes_and_weights(self.rule, self.n_steps)
        alphas, weights = path.ends.new_tensor(nodes), path.ends.new_tensor(shares)

        def weighted(at: Chunk) -> Tensor:
            gradients, _ = path.gradients(alphas[at.start : at.stop])
            return torch.einsum("n,tn...->t...", weights[at.start : at.stop], gradients)

        return weighted

    def _adaptive(self, path: Path, at_once: int, run: Run) -> "Integral":
        result = integrate_adaptively(
            path,
            tolerance=self.tolerance,
            budget=self.n_steps,
            at_once=at_once,
            run=run,
        )
        change = max(result.change)
        measures = {
            "n_points": result.n_points,
            "map_change": change,
            "has_converged": result.has_converged,
        }
        note = (
            f"Not converged to {self.tolerance:.2%} within {self.n_steps} points: "
            f"the last refinement still moved the map by {change:.2%}."
        )
        notes = () if result.has_converged else (note,)
        return Integral.of(path, result.values, measures, notes)


def choose_integrator(
    *,
    rule: Quadrature | str,
    n_steps: int,
    tolerance: float,
    engine: PathEngine | str | None,
) -> Integrator:
    """Check what a caller chose.

    Raises:
        InputError: There is no such rule or engine, or the rule cannot have this engine.
    """
    rule = choice(Quadrature, rule, "rule")
    needed = PathEngine.PREPARED if rule is Quadrature.SECANT else PathEngine.MODEL
    engine = needed if engine is None else choice(PathEngine, engine, "engine")
    if rule is Quadrature.SECANT and engine is not PathEngine.PREPARED:
        raise InputError(f"engine is '{engine}'; allowed for chord: prepared")
    return Integrator(rule, n_steps, tolerance, engine)


@dataclass(frozen=True)
class Integral:
    """What one path came to, for each of T scores.

    Attributes:
        values: (T, C, H, W); each sums to the rise of its score, up to the rule's error.
        start_scores: F at the path's start, (T,).
        end_scores: F at its end, (T,).
        measures: JSON-safe numbers of the rule.
        notes: What a reader of the maps should know.
    """

    values: Tensor
    start_scores: Tensor
    end_scores: Tensor
    measures: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        path: Path,
        values: Tensor,
        measures: dict[str, Any] | None = None,
        notes: tuple[str, ...] = (),
    ) -> "Integral":
        """Add the scores of a path's ends to its values."""
        return cls(values, *path.end_scores, measures or {}, notes)
