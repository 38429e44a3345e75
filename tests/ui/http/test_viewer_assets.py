import re

import pytest
from starlette.requests import Request

from ui.http.assets import SCRIPTS, VERSION, entry_script, script
from ui.viewer.component import SITE
from xai_core.rendering import diverging_lut


def get(version: str, name: str):
    return script(Request({"type": "http", "path_params": {"version": version, "name": name}}))


def test_scripts_are_kept_under_the_address_of_their_content():
    reply = get(VERSION, "component.js")
    assert reply.body == SCRIPTS["component.js"]
    assert reply.media_type == "text/javascript"
    assert "immutable" in reply.headers["cache-control"]


def test_an_old_address_is_served_but_not_kept():
    assert get("0" * 16, "component.js").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["viewer.css", "..", "nothing.js"])
def test_only_scripts_are_served(name):
    assert get(VERSION, name).status_code == 404


def test_every_import_of_a_script_leads_to_a_script():
    for name, source in SCRIPTS.items():
        for wanted in re.findall(r'from "\./([\w.]+)"', source.decode()):
            assert wanted in SCRIPTS, f"{name} imports {wanted}"


def test_streamlit_loads_the_entry_by_its_address():
    assert f"/viewer/{VERSION}/component.js" in entry_script("component.js")


def test_the_screen_has_the_colours_of_the_core():
    assert SITE["lut"] == diverging_lut().ravel().tolist()
