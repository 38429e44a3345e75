"""What `xai_core` offers by name, as the stub that editors and mypy read and the package loads by.

`python -m docs.public_stub FILE`. Every method of the glossary is public; a test compares the two.
"""

import sys
from pathlib import Path

import xai_core
from xai_core.glossary.entries import METHODS

OTHERS = {
    "Attribution": "attribution",
    "Cancelled": "errors",
    "XaiError": "errors",
    "input_x_gradient": "methods.gradient.saliency",
    "integrated_gradients_of": "methods.gradient.integrated_gradients",
    "register_architecture": "model.architectures",
}
"""Names that are no method's, or not in the module that is named for it."""

PACKAGE = Path(xai_core.__file__).parent


def stub() -> str:
    """Return the text of `xai_core/__init__.pyi`."""
    homes = {name: OTHERS.get(name) or _home(name) for name in sorted({*OTHERS, *METHODS})}
    imports = sorted(f"from .{home} import {name} as {name}" for name, home in homes.items())
    names = [f'    "{name}",' for name in homes]
    head = "# Made by `make docs`; see docs/public_stub.py."
    return "\n".join([head, *imports, "", "__all__ = [", *names, "]", ""])


def _home(method: str) -> str:
    (module,) = PACKAGE.glob(f"methods/*/{method}.py")
    return f"methods.{module.parent.name}.{method}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(stub(), encoding="utf-8")
