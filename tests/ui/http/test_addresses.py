import pytest
from starlette.datastructures import Headers

from ui.http.addresses import (
    client_address,
    host_allowed,
    local_path,
    same_origin,
    sign_in_address,
)

PUBLIC = "https://second-look.example"


@pytest.mark.parametrize(
    "host", ["localhost:8501", "127.0.0.1", "[::1]:8501", "10.0.0.7:80", "second-look.example:443"]
)
def test_addresses_and_the_sites_own_name_are_answered(host):
    assert host_allowed(host, PUBLIC)


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "second-look.example.evil", "127.0.0.1.evil", "x@evil", "::", "["],
)
def test_other_names_are_not_answered(host):
    assert not host_allowed(host, PUBLIC)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "127.0.0.1:8501", "origin": "http://127.0.0.1:8501"}, True),
        ({"host": "127.0.0.1:8501", "origin": PUBLIC}, True),
        ({"host": "127.0.0.1:8501", "origin": "http://127.0.0.1:9999"}, False),
        ({"host": "127.0.0.1:8501", "origin": "null"}, False),
        ({"host": "127.0.0.1:8501", "origin": "http://["}, False),
        ({"host": "127.0.0.1:8501"}, True),
        ({"host": "127.0.0.1:8501", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_only_our_own_pages_may_change_something(headers, expected):
    assert same_origin(Headers(headers), PUBLIC) == expected


@pytest.mark.parametrize("target", ["/", "/help", "/review?case=3&model=2", "/a%20b"])
def test_paths_of_ours_are_kept(target):
    assert local_path(target) == target


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "help",
        "//x",
        "/\\x",
        "\\\\x",
        "/\tx",
        "/\r\nx",
        "http://x",
        "/é",
        "/sign-in?next=/x",
    ],
)
def test_anything_else_becomes_the_worklist(target):
    assert local_path(target) == "/"


def test_the_way_back_survives_the_sign_in_page():
    assert sign_in_address("/", b"") == "/sign-in"
    assert sign_in_address("/review", b"case=3&model=2") == (
        "/sign-in?next=/review%3Fcase%3D3%26model%3D2"
    )


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%=cmd|' /C calc'!A0", "fe80::1"),
        ("=HYPERLINK(1)", "unknown"),
        ("\x1b[2J", "unknown"),
        ("", "unknown"),
        ("Mustermann^Erika", "unknown"),
    ],
)
def test_only_an_address_is_kept_of_where_a_request_came_from(host, kept):
    assert client_address({"client": (host, 80)}) == kept
    assert client_address({"client": None}) == "unknown"
