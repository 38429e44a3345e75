"""The sign-in page: plain HTML with a stylesheet of our own, drawn before Streamlit is reached."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from review.access.accounts import MAX_NAME
from review.access.passwords import MAX_CHARACTERS
from ui.words import NOT_FOR_DIAGNOSIS

_HERE = Path(__file__).parents[1] / "browser" / "sign_in"
_PAGE = Template((_HERE / "sign_in.html").read_text())
_FORM = Template((_HERE / "form.html").read_text())
STYLE = (_HERE / "sign_in.css").read_text()
_HINT = "No password yet? Ask an administrator for a sign-in link."


@dataclass(frozen=True)
class Notice:
    """A line above the form: what happened, and how it is coloured."""

    tone: str
    text: str


NOTICES = {
    "signed-out": Notice("good", "You are signed out."),
    "waiting": Notice(
        "warn",
        "You are signed out. A verdict that was signed here could not be sent: it waits in this "
        "browser until its reader signs in again.",
    ),
    "ended": Notice("warn", "Your session has ended. Sign in to go on where you were."),
    "link": Notice(
        "warn",
        "This sign-in link was used or has expired. Each start of the server prints a new one; "
        "an administrator can issue one, too.",
    ),
}


def form(*, notice: Notice | None = None, name: str = "", next_path: str = "/") -> str:
    """Return the page with the form; the cursor stands where typing goes on."""
    return _page(
        notice,
        _FORM.substitute(
            next=escape(next_path),
            name=escape(name),
            max_name=MAX_NAME,
            max_password=MAX_CHARACTERS,
            focus_name="" if name else "autofocus",
            focus_password="autofocus" if name else "",
        ),
    )


def entering(next_path: str = "/") -> str:
    """Return the page that leads on after a sign-in link.

    A redirect would still count as coming from where the link was clicked, and the browser would
    hold the strict cookie back; a page of ours that moves on does not.
    """
    target = escape(next_path)
    return _page(
        Notice("good", "You are signed in."),
        f'<div class="panel"><a class="button" href="{target}" autofocus>Continue</a></div>',
        refresh=f'<meta http-equiv="refresh" content="0; url={target}">',
    )


def _page(notice: Notice | None, body: str, *, refresh: str = "") -> str:
    line = (
        f'<p class="notice {notice.tone}" role="alert">{escape(notice.text)}</p>' if notice else ""
    )
    footer = f"{_HINT}<br>{NOT_FOR_DIAGNOSIS}"
    return _PAGE.substitute(refresh=refresh, notice=line, body=body, footer=footer)
