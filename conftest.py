"""What the examples in docstrings of `xai_core` begin with: the example of `xai_core` itself."""

import doctest
from typing import Any

import pytest

import xai_core


@pytest.fixture(scope="session")
def doctest_namespace() -> dict[str, Any]:
    """The names that are known once the package's own example has run."""
    known: dict[str, Any] = {}
    for example in doctest.DocTestParser().get_examples(xai_core.__doc__ or ""):
        exec(example.source, known)  # noqa: S102 - our own docstring
    return known
