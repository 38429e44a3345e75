"""Prepared copies of models, kept for the next map as long as a model is what it was."""

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, fx, nn

from xai_core.errors import ModelError, NotCopiedError, UntraceableError
from xai_core.graph.exported import export
from xai_core.graph.tracing import prepare
from xai_core.runtime.precision import tolerated

MOST_KEPT = 4
"""How many models' copies are kept; the one used longest ago goes first."""

_TOLERANCE = 1e-4  # of the scores' size; a prepared copy differs from its model by rounding only
_PLAIN = (bool, int, float, str, tuple, type(None))


Fingerprints = MutableMapping[nn.Module, str]
"""What models are known to be; best a `weakref.WeakKeyDictionary`."""

_known: ContextVar[Fingerprints | None] = ContextVar("known fingerprints", default=None)


_Size = torch.Size | None


class _Kept(NamedTuple):
    model: "weakref.ref[nn.Module]"
    fingerprint: str
    copy: fx.GraphModule | None
    failure: str


class PreparedModels:
    """Prepared copies by model; safe to share between threads.

    A copy is given again while the model still has the weights, layers and settings of which it
    was made, and is dropped with the model. What is given must not be changed.

    Args:
        most_kept: How many to keep.
    """

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        self._most_kept = most_kept
        self._kept: OrderedDict[tuple[int, _Size], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, model: nn.Module, image: Tensor | None = None) -> fx.GraphModule:
        """Return the model's prepared copy; see `xai_core.graph.tracing.prepare`.

        Where `torch.fx` cannot trace the model, `torch.export` makes a copy for images of one size;
        `note_of` says so.

        Args:
            model: In eval mode.
            image: (1, C, H, W), of the size that the copy shall take; None leaves export out.

        Raises:
            UntraceableError: The model cannot be prepared.
        """
        model = getattr(model, "_orig_mod", model)  # what torch.compile was given
        known = _known.get()
        found = known.get(model) if known is not None else None
        if found is None:
            found = fingerprint(model)
            if known is not None:
                known[model] = found
        sizes = [None] if image is None else [None, image.shape[1:]]
        with self._lock:
            for key in ((id(model), size) for size in sizes):
                kept = self._kept.get(key)
                if kept and kept.model() is model and kept.fingerprint == found:
                    self._kept.move_to_end(key)
                    return _given(kept)
        size, copy, failure = _made(model, image)
        kept = _Kept(weakref.ref(model, self._forget), found, copy, failure)
        if copy is not None or size is not None:
            with self._lock:
                self._kept[id(model), size] = kept
                self._kept.move_to_end((id(model), size))
                while len(self._kept) > self._most_kept:
                    self._kept.popitem(last=False)
        return _given(kept)

    def _forget(self, gone: "weakref.ref[nn.Module]") -> None:
        # Runs wherever the garbage collector does, perhaps inside the lock: pop alone is atomic.
        for key, kept in list(self._kept.items()):
            if kept.model is gone:
                self._kept.pop(key, None)


def note_of(traced: fx.GraphModule) -> str | None:
    """Return what there is to say of how a prepared copy was made; nothing, where fx traced it."""
    note: str | None = traced.meta.get("note")
    return note


def _made(model: nn.Module, image: Tensor | None) -> tuple[_Size, fx.GraphModule | None, str]:
    """Return for which size of image a copy was made (None: all), and the copy or what failed."""
    # A copy made in inference mode could never be differentiated.
    with torch.inference_mode(mode=False):
        try:
            return None, prepare(model), ""
        except NotCopiedError:
            raise
        except UntraceableError as exc:
            if image is None:
                raise
            reason = str(exc)
        try:
            copy = export(model, image)
        except UntraceableError as exc:
            return image.shape[1:], None, f"{reason}; {exc}"
    copy.meta["note"] = f"Traced by torch.export, for {reason}."
    return image.shape[1:], copy, ""


def _given(kept: _Kept) -> fx.GraphModule:
    if kept.copy is None:
        raise UntraceableError(kept.failure)
    return kept.copy


def fingerprint(model: nn.Module) -> str:
    """Return the SHA-256 of a model's weights, buffers, layers and their plain settings."""
    digest = hashlib.sha256()
    for name, module in model.named_modules():
        settings = {k: v for k, v in sorted(vars(module).items()) if isinstance(v, _PLAIN)}
        n_hooks = len(module._forward_hooks) + len(module._forward_pre_hooks)
        kind = f"{type(module).__module__}.{type(module).__qualname__}@{id(type(module))}"
        digest.update(f"{name}:{kind}:{settings}:{n_hooks}\n".encode())
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}:{tensor.device}\n".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


@contextmanager
def unchanged(known: Fingerprints) -> Iterator[None]:
    """Believe inside, in this thread, that models are what `known` says of them.

    Models that are not in it are hashed once and added. Nobody may change them until the mapping
    is used no more.
    """
    token = _known.set(known)
    try:
        yield
    finally:
        _known.reset(token)


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().view(-1)
    return flat.view(torch.uint8).numpy().data


_shared = PreparedModels()


def prepared_copy(model: nn.Module, image: Tensor | None = None) -> fx.GraphModule:
    """Return a model's prepared copy from those that this process keeps.

    Args:
        model: In eval mode.
        image: (1, C, H, W), of the size that the copy shall take, if it takes one size only.

    Raises:
        UntraceableError: The model cannot be prepared.
    """
    return _shared.of(model, image)


def require_same_scores(own: Tensor, copied: Tensor) -> None:
    """Refuse a copy whose class scores, (1, K), are not its model's own for the same image.

    Raises:
        ModelError: They miss by more than rounding.
    """
    miss = float((own - copied.detach()).abs().max())
    allowed = tolerated(_TOLERANCE, own.device) * float(own.abs().max())
    if not miss <= allowed:
        raise ModelError(f"a copy's scores miss by {miss:.3g}; allowed: {allowed:.3g}")
