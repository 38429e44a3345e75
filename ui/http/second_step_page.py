"""The pages of the second factor: a code, setting one up, the recovery codes."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

import segno

from review.access import codes
from review.access.accounts import AccountView
from review.access.passwords import MAX_CHARACTERS
from review.access.second_factor import Offer
from ui.http.sign_in_page import Notice, page

_HERE = Path(__file__).parents[1] / "browser" / "sign_in"
_CODE = Template((_HERE / "code.html").read_text())
_SET_UP = Template((_HERE / "set_up.html").read_text())
_PASSWORD = (_HERE / "password.html").read_text()
_RECOVERY_CODES = Template((_HERE / "recovery_codes.html").read_text())
_REQUIRED = "This site asks you for a code of your phone beside the password."
_CHOSEN = "From then on signing in asks for a code of your phone beside the password."


def code(*, notice: Notice | None = None, next_path: str = "/") -> str:
    """Return the page that asks for a code."""
    return page(notice, _CODE.substitute(next=escape(next_path)))


def set_up(
    offer: Offer,
    *,
    action: str,
    holder: AccountView | None = None,
    notice: Notice | None = None,
    next_path: str = "/",
) -> str:
    """Return the page that offers a secret and asks for a code of it.

    Args:
        offer: The secret.
        action: Where the form goes.
        holder: Who is signed in; None while signing in waits for it.
        notice: What went wrong before.
        next_path: Where to go on.
    """
    asks = holder is not None and holder.has_password
    cancel = '<a class="button quiet" href="/account">Cancel</a>' if holder else ""
    return page(
        notice,
        _SET_UP.substitute(
            action=action,
            next=escape(next_path),
            offer=escape(offer.sealed),
            qr=qr(offer.address),
            secret=codes.grouped(offer.secret),
            why=_CHOSEN if holder else _REQUIRED,
            password=_PASSWORD.replace("$max", str(MAX_CHARACTERS)) if asks else "",
            cancel=cancel,
        ),
    )


def recovery_codes(shown: Sequence[str], *, name: str, next_path: str) -> str:
    """Return the page that shows new recovery codes once, to print or to download."""
    return page(
        Notice("good", "The second factor is set up."),
        _RECOVERY_CODES.substitute(
            codes="".join(f"<li>{each}</li>" for each in shown),
            file=f"data:text/plain;charset=utf-8,{quote(recovery_file(shown, name))}",
            next=escape(next_path),
        ),
    )


def recovery_file(shown: Sequence[str], name: str) -> str:
    """Return the recovery codes as a text file."""
    return "\n".join([f"{codes.SITE}: recovery codes of {name}", *shown, ""])


def qr(address: str) -> str:
    """Return a QR code as an SVG element: black on white, with the quiet zone around it."""
    made = segno.make(address, error="m", micro=False)
    return made.svg_inline(
        scale=4, border=4, dark="#000", light="#fff", title="QR code of the secret"
    )
