import pytest

from ui.words import as_it_is


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Müller-Lüdenscheidt, Dr. (CR 1.2)", "Müller-Lüdenscheidt, Dr. (CR 1.2)"),
        ("**bold**", r"\*\*bold\*\*"),
        ("![x](y)", r"!\[x\](y)"),
        (":red[x] $a_b$", r":red\[x\] \$a\_b\$"),
        ("# a\n\n<b>`c`", r"\# a \<b\>\`c\`"),
        ("see https://evil.example or www.evil.example", None),
    ],
)
def test_a_name_is_shown_and_does_nothing(name: str, shown: str | None):
    found = as_it_is(name)
    assert found == shown or (shown is None and r"https\://" in found and r"www\." in found)
