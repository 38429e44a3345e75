import pytest

from review.errors import SettingsError
from review.processes import figures


def test_a_token_that_is_too_short_is_refused(monkeypatch):
    monkeypatch.setenv(figures.TOKEN_VARIABLE, "secret")
    with pytest.raises(SettingsError, match="has 6 characters: 16 or more") as caught:
        figures.token()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("value", "token"), [("", None), ("  ", None), ("x" * 16, "x" * 16)])
def test_no_token_means_no_figures(monkeypatch, value, token):
    monkeypatch.setenv(figures.TOKEN_VARIABLE, value)
    assert figures.token() == token
