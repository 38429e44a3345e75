import ast
import subprocess
import sys

from tests.server import ROOT


def _imported_by_pages() -> set[str]:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "pages").glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def test_the_web_process_never_loads_torch():
    modules = sorted(_imported_by_pages() | {"app"})
    code = f"""
import importlib, pkgutil, sys, ui
for name in {[*modules, "review.maps.agreement"]!r}:
    importlib.import_module(name)
for module in pkgutil.walk_packages(ui.__path__, "ui."):
    if module.name != "ui.shell":
        importlib.import_module(module.name)
raise SystemExit("torch" in sys.modules or "captum" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_a_site_without_an_openid_provider_loads_nothing_for_one():
    code = "import app, sys; raise SystemExit('authlib' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
