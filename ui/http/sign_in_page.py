"""The sign-in page: plain HTML with a stylesheet of our own, drawn before Streamlit is reached."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from review.access.accounts import MAX_NAME, AccountView
from review.access.links import Offer
from review.access.passwords import MAX_CHARACTERS
from ui.words import NOT_FOR_DIAGNOSIS

_HERE = Path(__file__).parents[1] / "browser" / "sign_in"
_PAGE = Template((_HERE / "sign_in.html").read_text())
_FORM = Template((_HERE / "form.html").read_text())
_LINK = Template((_HERE / "link.html").read_text())
STYLE = (_HERE / "sign_in.css").read_text()
_HINT = "No password yet? Ask an administrator for a sign-in link.<br>"


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
        "This sign-in link was used or has expired. Ask an administrator for a new one; whoever "
        "runs the server gets one by: python -m review user link NAME",
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
        hint=_HINT,
    )


def link(offer: Offer, token: str, holder: AccountView | None) -> str:
    """Return the page that asks whether to sign in by a link, whoever is signed in already."""
    notice = None
    if holder is not None and holder.name != offer.name:
        notice = Notice(
            "warn",
            f"You are signed in as {holder.display_name} ({holder.name}). This link signs you in "
            f"as {offer.display_name} ({offer.name}) instead.",
        )
    return _page(
        notice,
        _LINK.substitute(
            token=escape(token),
            name=escape(offer.name),
            display_name=escape(offer.display_name),
            issuer=escape(offer.issuer),
            expires_at=f"{offer.expires_at:%Y-%m-%d %H:%M} UTC",
        ),
    )


def once_more() -> str:
    """Return a page that asks for its own address again, as coming from this site."""
    return _page(None, "", refresh='<meta http-equiv="refresh" content="0">')


def _page(notice: Notice | None, body: str, *, refresh: str = "", hint: str = "") -> str:
    line = (
        f'<p class="notice {notice.tone}" role="alert">{escape(notice.text)}</p>' if notice else ""
    )
    return _PAGE.substitute(
        refresh=refresh, notice=line, body=body, footer=f"{hint}{NOT_FOR_DIAGNOSIS}"
    )
