"""Mistakes in a site's own code: said with file and line, and without folders."""

import sys

import pytest
import torch

from tests.xai_core.model.test_models import card_of, load, packed
from xai_core.errors import ModelError
from xai_core.model.architectures import ARCHITECTURES, build, import_plugins
from xai_core.model.faults import fault

CODE = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.last = nn.Linear(2, n)

    def forward(self, x):
        return self.last(x.no_such_thing)

def broken(n):
    return {}["width"]

def lost(n):
    return open("/srv/secret/place/weights.bin")

def leaving(n):
    raise SystemExit(3)
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    (tmp_path / "lung_site.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    import lung_site

    yield lung_site
    sys.modules.pop("lung_site")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", r"site/lung cannot be built: KeyError: 'width' \(lung_site\.py, line 13\)$"),
        ("lost", r"FileNotFoundError: .*'weights\.bin' \(lung_site\.py, line 16\)$"),
        ("leaving", r"SystemExit: 3 \(lung_site\.py, line 19\)$"),
    ],
)
def test_a_factory_s_fault_is_said_with_its_line(site, monkeypatch, name, said):
    monkeypatch.setitem(ARCHITECTURES, "site/lung", getattr(site, name))
    with pytest.raises(ModelError, match=said) as raised:
        build(card_of(b"", architecture="site/lung"))
    assert "/srv" not in str(raised.value)


def test_a_forward_pass_s_fault_is_said_with_its_line(site, monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "site/lung", site.Net)
    data = packed(site.Net(3).state_dict())
    with pytest.raises(ModelError, match=r"AttributeError: .*no_such.*\(lung_site\.py, line 10\)$"):
        load(data, architecture="site/lung")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1 +\n", r"SyntaxError: .*broken_site\.py, line 1"),
        ("\n\nraise ValueError('no')\n", r"ValueError: no \(broken_site\.py, line 3\)"),
        ("import no_such_site\n", r"ModuleNotFoundError: .*\(broken_site\.py, line 1\)"),
    ],
)
def test_a_plugin_that_does_not_load_is_said_with_its_line(tmp_path, monkeypatch, code, said):
    (tmp_path / "broken_site.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=f"plugin 'broken_site' cannot be imported: {said}") as exc:
        import_plugins(["broken_site"])
    assert str(tmp_path) not in str(exc.value)


def test_a_fault_within_a_library_is_placed_in_the_code_that_called_it():
    with pytest.raises(RuntimeError) as raised:
        torch.ones(2) @ torch.ones(3)
    assert fault(raised.value).endswith(f"(test_faults.py, line {raised.tb.tb_lineno})")
