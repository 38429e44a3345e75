import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from db.tables import Access, OpenIdIdentity
from db.types import AccessKind, Role
from review.access import accounts, openid, openid_provider, openid_settings, sessions, ways
from review.access.openid_provider import OpenIdProvider, claim
from review.access.openid_settings import PREFIX
from review.audit import live
from review.errors import AccessError, LinkError, OpenIdError, SettingsError
from review.workspace import Workspace
from tests.builders import OPERATOR
from tests.openid import fake
from tests.openid.fake import FakeProvider

BACK = "http://127.0.0.1:8501/sign-in/openid/back"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def running() -> Iterator[FakeProvider]:
    with fake.running() as provider:
        yield provider


@pytest.fixture
def provider(running: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    """A provider that says what is right, and the site that it is the provider of."""
    running.announced, running.claims, running.header = {}, {}, {}
    running.person, running.asked, running.keys = None, [], running.keys[:1]
    for name, value in running.environment().items():
        monkeypatch.setenv(name, value)
    openid_provider.provider.cache_clear()
    return running


def begun(
    ws: Workspace, provider: FakeProvider, next_path: str = "/"
) -> tuple[str, dict[str, str]]:
    """Begin a sign-in; return what the browser keeps, and what the provider answers."""
    address, kept = openid.begin(ws, next_path, BACK)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    provider.nonce = asked["nonce"]
    return kept, {"state": asked["state"], "code": "a code"}


def entered(ws: Workspace, provider: FakeProvider) -> str:
    return openid.enter(ws, *begun(ws, provider)).token


def failures(ws: Workspace) -> list[dict[str, str]]:
    with ws.read() as session:
        told = select(Access.content).where(Access.kind == AccessKind.SIGN_IN_FAILED)
        return list(session.scalars(told))


def test_somebody_with_a_role_comes_in_and_has_an_account(workspace, provider):
    provider.claims = {"preferred_username": "Ada.L@hospital.example", "name": "Ada Lovelace"}
    kept, answer = begun(workspace, provider, "/review?case=3")
    found = openid.enter(workspace, kept, answer)
    account = sessions.account_of(workspace, found.token)
    assert (account.name, account.display_name, account.role) == ("ada.l", "Ada Lovelace", "reader")
    assert found.next_path == "/review?case=3"
    assert not any(live.row_problems(workspace))


def test_the_browser_is_sent_with_pkce_state_and_nonce(workspace, provider):
    address, kept = openid.begin(workspace, "/", BACK)
    asked = parse_qs(urlsplit(address).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert asked["redirect_uri"] == [BACK]
    assert len({asked[name][0] for name in ("state", "nonce", "code_challenge")}) == 3
    assert asked["state"][0] not in kept


def test_the_same_person_is_the_same_account_whatever_they_are_called(workspace, provider):
    first = sessions.account_of(workspace, entered(workspace, provider))
    provider.claims = {"preferred_username": "someone-else", "email": "other@hospital.example"}
    assert sessions.account_of(workspace, entered(workspace, provider)).id == first.id


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["radiology", "it"], Role.ADMINISTRATOR),
        (["ai-lab", "other"], Role.ENGINEER),
        ("radiology", Role.READER),
    ],
)
def test_the_role_is_the_highest_that_the_claim_tells(workspace, provider, groups, role):
    provider.claims = {"groups": groups}
    assert sessions.account_of(workspace, entered(workspace, provider)).role == role


def test_a_role_changes_with_the_claim_and_the_chain_tells_whose_word_it_was(workspace, provider):
    entered(workspace, provider)
    provider.claims = {"groups": ["ai-lab"]}
    token = entered(workspace, provider)
    assert sessions.account_of(workspace, token).role == Role.ENGINEER
    assert not any(live.row_problems(workspace))


@pytest.mark.parametrize("groups", [None, [], ["visitors"], "", [{"radiology": 1}], 7, {"a": "b"}])
def test_nobody_comes_in_without_a_role_and_that_is_recorded(workspace, provider, groups):
    provider.claims = {"groups": groups}
    with pytest.raises(OpenIdError, match="tells no role"):
        entered(workspace, provider)
    (failure,) = failures(workspace)
    assert (failure["way"], failure["subject"]) == ("OpenID", "ada-17")
    assert not accounts.list_accounts(workspace, by=OPERATOR)


def test_a_role_that_is_gone_ends_what_was_open(workspace, provider):
    token = entered(workspace, provider)
    provider.claims = {"groups": []}
    with pytest.raises(OpenIdError):
        entered(workspace, provider)
    assert sessions.account_of(workspace, token) is None


def test_a_local_account_of_the_same_name_is_not_taken_over(workspace, provider):
    local = accounts.create_account(workspace, "ada", role=Role.ENGINEER, by=OPERATOR)
    provider.claims = {"preferred_username": "ada"}
    with pytest.raises(OpenIdError, match=r"An administrator can link it.*ada-17"):
        entered(workspace, provider)
    openid.link(workspace, local.id, "ada-17", by=OPERATOR)
    assert sessions.account_of(workspace, entered(workspace, provider)).id == local.id


def test_a_linked_account_comes_in_by_the_provider_alone(workspace, provider):
    account = accounts.create_account(
        workspace, "ada", role=Role.READER, password=PASSWORD, by=OPERATOR
    )
    link = accounts.issue_link(workspace, account.id, by=OPERATOR)
    open_session = sessions.redeem_link(workspace, link)
    unused = accounts.issue_link(workspace, account.id, by=OPERATOR)
    openid.link(workspace, account.id, "ada-17", by=OPERATOR)
    assert sessions.account_of(workspace, open_session) is None
    with pytest.raises(AccessError):
        sessions.sign_in(workspace, "ada", PASSWORD)
    with pytest.raises(LinkError):
        sessions.redeem_link(workspace, unused)
    for refused in (
        lambda: accounts.issue_link(workspace, account.id, by=OPERATOR),
        lambda: accounts.set_password(workspace, account.id, PASSWORD, by=OPERATOR),
        lambda: accounts.reset_password(workspace, account.id, by=OPERATOR),
        lambda: accounts.set_role(workspace, account.id, Role.ENGINEER, by=OPERATOR),
        lambda: openid.link(workspace, account.id, "other", by=OPERATOR),
    ):
        with pytest.raises(AccessError, match="unlink it first"):
            refused()
    assert ways.ways_of_all(workspace, by=OPERATOR)[account.id].subject == "ada-17"


def test_an_unlinked_account_comes_in_here_again(workspace, provider):
    token = entered(workspace, provider)
    account = sessions.account_of(workspace, token)
    openid.unlink(workspace, account.id, by=OPERATOR)
    assert sessions.account_of(workspace, token) is None
    assert sessions.redeem_link(workspace, accounts.issue_link(workspace, account.id, by=OPERATOR))
    with pytest.raises(OpenIdError, match="here already"):
        entered(workspace, provider)
    with pytest.raises(AccessError, match="comes in here already"):
        openid.unlink(workspace, account.id, by=OPERATOR)


def test_a_subject_is_one_account(workspace, provider):
    entered(workspace, provider)
    other = accounts.create_account(workspace, "eve", role=Role.READER, by=OPERATOR)
    with pytest.raises(AccessError, match="is the account"):
        openid.link(workspace, other.id, "ada-17", by=OPERATOR)


def test_an_administrator_who_comes_in_here_is_always_left(workspace, provider):
    local = accounts.ensure_administrator(workspace, by=OPERATOR)
    provider.claims = {"groups": ["it"]}
    elsewhere = sessions.account_of(workspace, entered(workspace, provider))
    for left_out in (
        lambda: openid.link(workspace, local.id, "admin", by=elsewhere.id),
        lambda: accounts.deactivate(workspace, local.id, by=elsewhere.id),
        lambda: accounts.set_role(workspace, local.id, Role.READER, by=elsewhere.id),
    ):
        with pytest.raises(AccessError, match="only administrator"):
            left_out()
    assert accounts.ensure_administrator(workspace, by=OPERATOR).id == local.id


def test_a_closed_account_stays_closed(workspace, provider):
    account = sessions.account_of(workspace, entered(workspace, provider))
    accounts.deactivate(workspace, account.id, by=OPERATOR)
    with pytest.raises(OpenIdError, match="closed"):
        entered(workspace, provider)


def test_where_the_provider_is_the_only_way_passwords_and_readers_links_are_off(
    workspace, provider, monkeypatch
):
    reader = accounts.create_account(
        workspace, "ada", role=Role.READER, password=PASSWORD, by=OPERATOR
    )
    before = accounts.issue_link(workspace, reader.id, by=OPERATOR)
    monkeypatch.setenv(f"{PREFIX}ONLY", "yes")
    with pytest.raises(AccessError, match="nobody signs in by a password"):
        sessions.sign_in(workspace, "ada", PASSWORD)
    with pytest.raises(LinkError):
        sessions.redeem_link(workspace, before)
    with pytest.raises(AccessError, match="links let administrators in alone"):
        accounts.issue_link(workspace, reader.id, by=OPERATOR)
    administrator = accounts.ensure_administrator(workspace, by=OPERATOR)
    link = accounts.issue_link(workspace, administrator.id, by=OPERATOR)
    assert sessions.redeem_link(workspace, link)


LIES = {
    "another's nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": None}},
    "another audience": {"claims": {"aud": "another"}},
    "a second audience": {"claims": {"aud": ["second-look", "another"]}},
    "for another party": {"claims": {"aud": ["second-look", "b"], "azp": "b"}},
    "no audience": {"claims": {"aud": None}},
    "another issuer": {"claims": {"iss": "http://127.0.0.1:1"}},
    "no subject": {"claims": {"sub": None}},
    "an empty subject": {"claims": {"sub": ""}},
    "a long subject": {"claims": {"sub": "x" * 256}},
    "a subject that is a number": {"claims": {"sub": 17}},
    "another's access token": {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
    "no signature": {"header": {"alg": "none"}},
    "signed with the client's secret": {"header": {"alg": "HS256"}},
    "a key that is nowhere": {"header": {"kid": "unheard of"}},
    "expired": {"claims": {"exp": int(time.time()) - 600, "iat": int(time.time()) - 900}},
    "no end": {"claims": {"exp": None}},
    "of tomorrow": {"claims": {"iat": int(time.time()) + 86_400, "exp": int(time.time()) + 90_000}},
    "another's metadata": {"announced": {"issuer": "https://login.example"}},
    "a token endpoint without TLS": {"announced": {"token_endpoint": "http://login.example/t"}},
    "no keys": {"announced": {"jwks_uri": None}},
    "another person's claims": {"claims": {"groups": None}, "person": {"sub": "eve"}},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_provider_that_lies_lets_nobody_in(workspace, provider, lie):
    kept, answer = begun(workspace, provider)
    openid_provider.provider.cache_clear()
    for name, value in LIES[lie].items():
        setattr(provider, name, value)
    with pytest.raises(OpenIdError):
        openid.enter(workspace, kept, answer)
    with workspace.read() as session:
        assert not session.scalars(select(OpenIdIdentity)).all()
    assert len(failures(workspace)) == 1


@pytest.mark.parametrize("lie", ["expired", "of tomorrow"])
def test_clocks_that_differ_are_named(workspace, provider, lie):
    provider.claims = LIES[lie]["claims"]
    with pytest.raises(OpenIdError, match="clocks"):
        entered(workspace, provider)


@pytest.mark.parametrize("seconds", [-100, 100])
def test_clocks_may_differ_by_two_minutes(workspace, provider, seconds):
    at = int(time.time()) + seconds
    provider.claims = {"iat": at, "exp": at + 1}
    assert entered(workspace, provider)


def test_a_token_signed_by_another_key_of_the_same_name_is_refused(workspace, provider):
    kept, answer = begun(workspace, provider)
    openid_provider.provider(openid_settings.load())._keys()
    forged = fake.new_key()
    provider.header, provider.keys = {"kid": provider.keys[0].kid}, [*provider.keys, forged]
    with pytest.raises(OpenIdError):
        openid.enter(workspace, kept, answer)


def test_new_keys_of_the_provider_are_asked_for_once(workspace, provider):
    entered(workspace, provider)
    provider.keys = [*provider.keys, fake.new_key()]
    provider.asked = []
    assert entered(workspace, provider)
    assert provider.asked.count("/keys") == 1
    provider.header, provider.asked = {"kid": "unheard of"}, []
    with pytest.raises(OpenIdError):
        entered(workspace, provider)
    assert provider.asked.count("/keys") == 1


def test_what_the_id_token_does_not_tell_the_userinfo_endpoint_does(workspace, provider):
    provider.claims = {"groups": None, "name": None}
    provider.person = {"sub": "ada-17", "groups": ["it"], "name": "Ada Lovelace", "nonce": "x"}
    account = sessions.account_of(workspace, entered(workspace, provider))
    assert (account.role, account.display_name) == (Role.ADMINISTRATOR, "Ada Lovelace")


def test_an_answer_counts_once(workspace, provider):
    kept, answer = begun(workspace, provider)
    openid.enter(workspace, kept, answer)
    with pytest.raises(OpenIdError, match="used already"):
        openid.enter(workspace, kept, answer)


def test_an_answer_counts_in_the_browser_that_asked(workspace, provider):
    mine, _ = begun(workspace, provider)
    others, answer = begun(workspace, provider)
    for kept in ("", "x", "é", mine, others[:-4] + "AAAA"):
        with pytest.raises(OpenIdError, match="another browser"):
            openid.enter(workspace, kept, answer)
    with pytest.raises(OpenIdError, match="another browser"):
        openid.enter(workspace, others, answer | {"state": ""})


def test_an_answer_comes_in_time(workspace, provider, monkeypatch):
    kept, answer = begun(workspace, provider)
    now = openid.now
    monkeypatch.setattr(openid, "now", lambda: now() + openid.WAITS)
    with pytest.raises(OpenIdError, match="too long ago"):
        openid.enter(workspace, kept, answer)


def test_an_answer_of_another_provider_is_refused(workspace, provider):
    kept, answer = begun(workspace, provider)
    with pytest.raises(OpenIdError, match="another provider"):
        openid.enter(workspace, kept, answer | {"iss": "https://login.example"})
    provider.announced = {"authorization_response_iss_parameter_supported": True}
    openid_provider.provider.cache_clear()
    with pytest.raises(OpenIdError, match="another provider"):
        openid.enter(workspace, kept, answer)
    assert openid.enter(workspace, kept, answer | {"iss": provider.issuer})


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("access_denied", "by you, or by the provider"),
        ("temporarily_unavailable", "answered: temporarily_unavailable"),
        ("<script>alert(1)</script>", "Begin again"),
        ("", "Begin again"),
    ],
)
def test_a_refusal_is_said_in_words(workspace, provider, error, words):
    kept, answer = begun(workspace, provider)
    with pytest.raises(OpenIdError, match=words):
        openid.enter(workspace, kept, {"state": answer["state"], "error": error})


def test_a_provider_that_is_away_is_said(workspace, provider, monkeypatch):
    monkeypatch.setenv(f"{PREFIX}ISSUER", "http://127.0.0.1:1")
    with pytest.raises(OpenIdError, match="cannot be reached"):
        openid.begin(workspace, "/", BACK)


def test_a_site_without_a_provider_asks_nobody(workspace):
    with pytest.raises(OpenIdError, match="no OpenID provider"):
        openid.begin(workspace, "/", BACK)


def test_metadata_are_asked_for_once_an_hour(provider):
    at = SimpleNamespace(seconds=0.0)
    asker = OpenIdProvider(openid_settings.load(), clock=lambda: at.seconds)
    for at.seconds in (0.0, 3599.0, 3601.0):
        asker.insist_on_issuer(None)
    assert provider.asked == ["/.well-known/openid-configuration"] * 2


@pytest.mark.parametrize(
    ("name", "found"),
    [("a", 1), ("a.b", 2), ("c.d", 3), ("c.x", None), ("c.d.e", None), ("x", None)],
)
def test_a_claim_may_be_nested_and_may_hold_dots(name, found):
    assert claim({"a": 1, "a.b": 2, "c": {"d": 3}}, name) == found


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ISSUER", "http://login.example", "on loopback alone"),
        ("ISSUER", "https://login.example?x", "allowed is https"),
        ("ISSUER", "https://a:b@login.example", "allowed is https"),
        ("ISSUER", "file:///etc/passwd", "allowed is https"),
        ("CLIENT_ID", "", "CLIENT_ID is missing"),
        ("CLIENT_SECRET_FILE", "/there/is/none", "cannot be read"),
        ("ROLES", "", "ROLES is missing"),
        ("ROLES", "radiology=doctor", "with a ROLE of"),
        ("ROLES", "reader", "allowed is VALUE=ROLE"),
        ("ONLY", "perhaps", "yes or no"),
    ],
)
def test_nonsense_in_the_settings_is_said(provider, monkeypatch, name, value, words):
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError, match=words):
        openid_settings.load()


def test_settings_take_a_secret_file_and_distinguished_names(provider, monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("kept\n")
    monkeypatch.setenv(f"{PREFIX}CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv(f"{PREFIX}ROLES", "CN=Radiology,O=Hospital=reader; CN=IT=administrator")
    found = openid_settings.load()
    assert found.client_secret == "kept"
    assert found.roles == {"CN=Radiology,O=Hospital": "reader", "CN=IT": "administrator"}
    assert replace(found, only=True).only
