"""The sign-in page: plain HTML with a stylesheet of our own, drawn before Streamlit is reached."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from review.access import openid_settings
from review.access.accounts import MAX_NAME, AccountView
from review.access.links import Offer
from review.access.passwords import MAX_CHARACTERS
from ui.http.addresses import sign_in_path
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


_ELSEWHERE = (
    '<p class="or">You may still be signed in at {label}. '
    '<a href="/sign-in/openid/leave">Sign out there, too</a></p>'
)
NOTICES = {
    "signed-out": Notice("good", "You are signed out."),
    "waiting": Notice(
        "warn",
        "You are signed out. A verdict that was signed here could not be sent: it waits in this "
        "browser until its reader signs in again.",
    ),
    "ended": Notice("warn", "Your session has ended. Sign in to go on where you were."),
    "again": Notice("warn", "Signing in took too long, or was ended. Begin again."),
    "stays": Notice(
        "warn", "You are signed out here. The provider offers no way to sign out there from here."
    ),
    "link": Notice(
        "warn",
        "This sign-in link was used or has expired. Ask an administrator for a new one; whoever "
        "runs the server gets one by: python -m review user link NAME",
    ),
}


def form(
    *,
    notice: Notice | None = None,
    name: str = "",
    next_path: str = "/",
    elsewhere: bool = False,
) -> str:
    """Return the page with the form, the cursor where typing goes on, and the provider's button.

    Args:
        notice: What happened.
        name: What was typed before.
        next_path: Where to go on.
        elsewhere: Whether the browser may still be signed in at the provider.
    """
    site = openid_settings.load()
    parts = []
    if not (site and site.only):
        parts = [
            _FORM.substitute(
                next=escape(next_path),
                name=escape(name),
                max_name=MAX_NAME,
                max_password=MAX_CHARACTERS,
                focus_name="" if name else "autofocus",
                focus_password="autofocus" if name else "",
            )
        ]
    if site:
        parts += ['<p class="or">or</p>'] if parts else []
        address = sign_in_path("/sign-in/openid", next_path)
        parts.append(_button(f"Sign in with {site.label}", address, quiet=not site.only))
    if site and elsewhere:
        parts.append(_ELSEWHERE.format(label=escape(site.label)))
    hint = "" if site and site.only else _HINT
    return page(notice, "\n".join(parts), hint=hint)


def link(offer: Offer, token: str, holder: AccountView | None) -> str:
    """Return the page that asks whether to sign in by a link, whoever is signed in already."""
    notice = None
    if holder is not None and holder.name != offer.name:
        notice = Notice(
            "warn",
            f"You are signed in as {holder.display_name} ({holder.name}). This link signs you in "
            f"as {offer.display_name} ({offer.name}) instead.",
        )
    return page(
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
    return page(None, "", refresh='<meta http-equiv="refresh" content="0">')


def entering(next_path: str = "/") -> str:
    """Return the page that leads on after signing in elsewhere.

    A redirect would still count as coming from there, and the browser would hold the strict cookie
    back; a page of ours that moves on does not.
    """
    target = escape(next_path)
    return page(
        Notice("good", "You are signed in."),
        f'<div class="panel">{_button("Continue", next_path)}</div>',
        refresh=f'<meta http-equiv="refresh" content="0; url={target}">',
    )


def page(notice: Notice | None, body: str, *, refresh: str = "", hint: str = "") -> str:
    """Return a page outside the gate, with a notice above what it shows."""
    line = (
        f'<p class="notice {notice.tone}" role="alert">{escape(notice.text)}</p>' if notice else ""
    )
    return _PAGE.substitute(
        refresh=refresh, notice=line, body=body, footer=f"{hint}{NOT_FOR_DIAGNOSIS}"
    )


def _button(words: str, address: str, *, quiet: bool = False) -> str:
    tone = " quiet" if quiet else ""
    focus = "" if quiet else " autofocus"
    return f'<a class="button{tone}" href="{escape(address)}"{focus}>{escape(words)}</a>'
