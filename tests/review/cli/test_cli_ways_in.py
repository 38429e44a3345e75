import pytest

from db.tables import SecondFactor
from review.access import accounts, openid_settings
from review.cli import parser
from review.settings import DATABASE_VARIABLE, HOME_VARIABLE
from review.workspace import Workspace
from tests.builders import OPERATOR


@pytest.fixture(autouse=True)
def site(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that the commands find, and the provider."""
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.settings.home))
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    values = {"ISSUER": "https://login.example", "CLIENT_ID": "us", "ROLES": "readers=reader"}
    for name, value in values.items():
        monkeypatch.setenv(openid_settings.PREFIX + name, value)
    parser.main(["user", "add", "ada", "--role", "reader"])


def test_a_lost_second_factor_is_removed(workspace, capsys):
    assert parser.main(["user", "remove-second-factor", "ada"]) == 1
    ada = accounts.account_named(workspace, "ada", by=OPERATOR)
    with workspace.begin() as session:
        session.add(SecondFactor(account_id=ada.id, secret="sealed"))
    parser.main(["user", "list"])
    assert "second factor" in capsys.readouterr().out
    assert parser.main(["user", "remove-second-factor", "ada"]) == 0
    parser.main(["audit"])
    assert "Second factor removed" in capsys.readouterr().out


def test_an_account_is_linked_to_openid_and_unlinked(capsys):
    assert parser.main(["user", "link-openid", "ada", "ada-17"]) == 0
    parser.main(["user", "list"])
    assert "OpenID: ada-17 at https://login.example" in capsys.readouterr().out
    assert parser.main(["user", "link", "ada"]) == 1
    assert parser.main(["user", "unlink-openid", "ada"]) == 0
    assert parser.main(["user", "link", "ada"]) == 0
