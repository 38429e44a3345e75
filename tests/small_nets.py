"""Small networks with the wiring on which attribution methods stumble, and what they keep."""

from collections.abc import Callable
from copy import deepcopy
from threading import Thread
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Linear(nn.Module):
    """Scores (0, <w, x>)."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 2) scores."""
        score = (x * self.weight).flatten(1).sum(1)
        return torch.stack([torch.zeros_like(score), score], dim=1)


class Residual(nn.Module):
    """A block whose one in-place ReLU serves twice, as in torchvision's ResNet."""

    def __init__(self, width: int, *, functional: bool = False, inplace: bool = True) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.relu = F.relu if functional else nn.ReLU(inplace=inplace)

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(x + second(relu(norm(first(x)))))."""
        return self.relu(x + self.second(self.relu(self.norm(self.first(x)))))


class SingleUse(Residual):
    """The same block with a ReLU module for each use, as module hooks need it."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.relu, self.last = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return what `Residual` returns."""
        return self.last(x + self.second(self.relu(self.norm(self.first(x)))))


def plain(*, inplace: bool = True, norm: bool = True) -> nn.Sequential:
    """Return a sequential network with max pooling, of 5 classes, in eval mode."""
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 6, 3, stride=2),
        _busy_norm(6) if norm else nn.Identity(),
        nn.ReLU(inplace=inplace),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(inplace=inplace),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    ]
    return nn.Sequential(*layers).eval()


def grouped() -> nn.Sequential:
    """Return a network with group norms and a maximum over all places, of 5 classes, in eval mode.

    Its dropout is a function, idle in eval mode.
    """
    torch.manual_seed(0)
    norm = nn.GroupNorm(2, 6)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias, std=0.1)
    layers = [nn.Conv2d(3, 6, 3, stride=2), norm, nn.ReLU(inplace=True), _Dropping()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(6, 5)).eval()


class _Dropping(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, training=self.training)


def residual(block: Callable[[int], nn.Module] = Residual) -> nn.Sequential:
    """Return a network with two residual blocks, of 5 classes, in eval mode."""
    torch.manual_seed(0)
    stem = [nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5)]
    return nn.Sequential(*stem, block(6), block(6), *head).eval()


def state_of(model: nn.Module) -> dict[str, Any]:
    """Return all that an explanation must leave as it was."""
    return {
        "modes": [m.training for m in model.modules()],
        "frozen": [p.requires_grad for p in model.parameters()],
        "grads": [p.grad for p in model.parameters()],
        "hooks": [len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules()],
        "forwards": ["forward" in vars(m) for m in model.modules()],
        "weights": {key: value.tolist() for key, value in deepcopy(model.state_dict()).items()},
    }


def side_by_side(*works: Callable[[], Any], times: int = 4) -> list[list[Any]]:
    """Do each work `times` times in a thread of its own, all at once, and return their results."""
    results: list[list[Any]] = [[] for _ in works]

    def repeat(work: Callable[[], Any], into: list[Any]) -> None:
        into.extend(work() for _ in range(times))

    threads = [Thread(target=repeat, args=pair) for pair in zip(works, results, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _busy_norm(width: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(width)
    for values in (norm.weight.data, norm.running_mean, norm.running_var):
        values.uniform_(0.5, 1.5)
    return norm
