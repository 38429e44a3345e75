"""How work that takes long tells how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all."""

StagedProgress = Callable[[int, int, str], None]
"""Called with the same, and with what is being done in plain words."""
