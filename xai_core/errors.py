"""The one exception tree of the core: catch `XaiError` and you have caught them all."""


class XaiError(Exception):
    """Whatever the core refuses to do, said in words fit for a reader."""


class InputError(XaiError, ValueError):
    """An image, baseline or parameter has the wrong shape, type or value."""


class WindowError(InputError):
    """A window or stride does not fit the image, or leaves gaps in it."""


class TargetError(InputError):
    """The target is not a class of the model."""


class MapError(InputError):
    """An attribution map carries nothing that may be drawn or measured."""


class ModelError(XaiError):
    """A model cannot be built or cannot be explained as it stands."""


class UntraceableError(ModelError):
    """The model's forward pass cannot be written down as a graph."""


class NotCopiedError(UntraceableError):
    """A copy would not do what the model does, however it is traced."""


class CardError(XaiError, ValueError):
    """A model card is incomplete or contradicts itself."""


class CheckpointError(XaiError):
    """A weights file does not fit the model, or is not what it says it is."""


class MemoryExhaustedError(XaiError):
    """Not even one image at a time fits into the device's memory."""


class Cancelled(XaiError):  # noqa: N818 - an answer to the caller's own wish, not a fault
    """The caller asked to stop; no partial result is kept."""
