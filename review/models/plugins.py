"""Code of the site's own: Python modules that register architectures for its model cards."""

import os

MODULES_VARIABLE = "SECOND_LOOK_ARCHITECTURES"


def register_architectures() -> None:
    """Import the modules that the environment names, with commas between them.

    Raises:
        ModelError: If a module cannot be imported.
    """
    from xai_core.model.architectures import import_plugins  # loads PyTorch

    names = os.environ.get(MODULES_VARIABLE, "").split(",")
    import_plugins(name.strip() for name in names if name.strip())
