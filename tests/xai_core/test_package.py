import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import xai_core
from docs import public_stub
from xai_core.glossary.entries import METHODS
from xai_core.methods.documented import documented

COMMON = ["target", "output", "chunk_size", "progress", "cancelled"]


def loads_torch(statement):
    script = f"import sys; {statement}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return done.stdout.strip() == "True"


@pytest.mark.parametrize(
    "statement", ["import xai_core", "import xai_core.errors", "from xai_core import XaiError"]
)
def test_what_the_web_process_imports_costs_no_torch(statement):
    assert not loads_torch(statement)


def test_every_public_name_is_there():
    assert set(xai_core.__all__) <= set(dir(xai_core))
    assert all(getattr(xai_core, name) is not None for name in xai_core.__all__)


def test_methods_stay_functions_after_their_modules_load():
    importlib.import_module("xai_core.methods.perturbation.occlusion")

    assert callable(xai_core.occlusion)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = xai_core.nothing


def test_the_stub_offers_every_method_of_the_glossary():
    """Run `make docs` where this fails."""
    written = Path(xai_core.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
    assert written == public_stub.stub()
    assert set(METHODS) <= set(xai_core.__all__)


@pytest.mark.parametrize("name", ["Attribution", *METHODS])
def test_what_a_notebook_uses_has_an_example_that_is_run(name):
    assert ">>>" in getattr(xai_core, name).__doc__


@pytest.mark.parametrize("key", METHODS)
def test_methods_share_one_signature(key):
    first, second, *options = inspect.signature(getattr(xai_core, key)).parameters.values()
    assert [first.name, second.name] == ["model", "image"]
    assert all(option.kind is option.KEYWORD_ONLY for option in options)
    defaults = {option.name: option.default for option in options}
    assert set(COMMON) <= set(defaults)
    assert defaults["target"] is inspect.Parameter.empty
    assert [defaults[name] for name in COMMON[1:]] == ["logit", None, None, None]


@pytest.mark.parametrize("key", [*METHODS, "integrated_gradients_of"])
def test_the_help_of_a_method_speaks_of_every_argument_and_error(key):
    method = getattr(xai_core, key)
    said = [line.strip().partition(":")[0] for line in inspect.getdoc(method).splitlines()]
    arguments = [*inspect.signature(method).parameters]
    first = said.index("Args")
    assert [name for name in said[first:] if name in arguments] == arguments
    assert {"InputError", "TargetError", "ModelError", "Cancelled", "Returns"} <= set(said)


def test_an_example_stays_the_last_word_of_a_methods_help():
    @documented()
    def method(model, image):
        """Explain.

        Returns:
            A map.

        Example:
            >>> 1 + 1
            2
        """

    said = inspect.getdoc(method)
    headings = ["Args:\n", "Returns:\n", "Raises:\n", "Example:\n    >>> 1 + 1\n    2"]
    assert [said.index(heading) for heading in headings] == sorted(map(said.index, headings))
    assert said.endswith(headings[-1])


def test_a_methods_own_words_go_before_those_that_all_share():
    assert "Torchvision's VisionTransformer" in xai_core.attention_rollout.__doc__
    assert "In eval mode; takes (N, C, H, W)" in xai_core.saliency.__doc__
    assert "Noisy images, 2 or more." in xai_core.var_grad.__doc__
    assert 'such as "saliency"' in xai_core.var_grad.__doc__
