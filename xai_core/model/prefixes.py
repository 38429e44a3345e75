"""Which tensors of a checkpoint are the model's: with what their names begin.

Training scripts wrap models ("module.", "_orig_mod.", "model."), and checkpoints hold several
("ema", "state_dict"): names end as the model's own do, and begin as they like.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xai_core.errors import CheckpointError

_MOST_NAMED = 10


@dataclass(frozen=True)
class Part:
    """The tensors of a checkpoint whose names begin alike.

    Attributes:
        prefix: With what they begin.
        tensors: By the rest of their names.
        n_others: How many tensors of the file are not among them.
    """

    prefix: str
    tensors: dict[str, Tensor]
    n_others: int


def part_of(
    tensors: Mapping[str, Tensor], names: Collection[str], *, prefix: str | None = None
) -> Part:
    """Return the part of a checkpoint that is a model's, or comes nearest to it.

    Args:
        tensors: By the names of the file.
        names: The model's own.
        prefix: With what the wanted ones begin; None finds it.

    Raises:
        CheckpointError: Several parts fit and differ, or no name begins with `prefix`.
    """
    counts = prefixes(tensors, names)
    # Counters steer training alone, and PyTorch before 0.4.1 wrote none.
    needed = [name for name in names if not name.endswith("num_batches_tracked")]
    whole = [p for p in counts if all(f"{p}{name}" in tensors for name in needed)]
    if prefix is None:
        chosen = _only(whole, tensors, needed) if whole else next(iter(counts), "")
    elif prefix in counts or (
        prefix.endswith(".") and any(name.startswith(prefix) for name in tensors)
    ):
        chosen = prefix
    else:
        raise CheckpointError(
            f"weights_prefix is {prefix!r}; names in the file begin with: {_listed(counts)}"
        )
    elsewhere = tuple(p for p in whole if p != chosen and p.startswith(chosen))
    within = {
        name.removeprefix(chosen): tensor
        for name, tensor in tensors.items()
        if name.startswith(chosen) and not (elsewhere and name.startswith(elsewhere))
    }
    return Part(chosen, within, len(tensors) - len(within))


def prefixes(tensors: Collection[str], names: Collection[str]) -> dict[str, int]:
    """Return with what tensors begin that end as one of the model's names, the most frequent first.

    Returns:
        The number of names for each beginning; "" where names are the model's own.
    """
    known, counts = set(names), Counter[str]()
    for name in tensors:
        start = 0
        while True:
            if name[start:] in known:
                counts[name[:start]] += 1
            start = name.find(".", start) + 1
            if not start:
                break
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], len(pair[0]), pair[0])))


def named(items: Sequence[str]) -> str:
    """Return the first few items as text, and how many more there are."""
    shown, n_more = ", ".join(items[:_MOST_NAMED]), len(items) - _MOST_NAMED
    return f"{shown} and {n_more} more" if n_more > 0 else shown


def _only(whole: Sequence[str], tensors: Mapping[str, Tensor], names: Sequence[str]) -> str:
    first, *others = whole
    for other in others:
        if not all(torch.equal(tensors[f"{first}{n}"], tensors[f"{other}{n}"]) for n in names):
            raise CheckpointError(
                f"the weights file holds several models; which of these? {_listed(whole)}. "
                "Say it in the card: weights_prefix = …"
            )
    return first


def _listed(found: Collection[str]) -> str:
    return named([f'"{prefix}"' for prefix in found]) or "nothing that this model has"
