from db.types import Role


def test_help_says_what_a_heatmap_is_not(open_page):
    page = open_page("help", Role.READER)
    assert not page.exception
    assert "not for primary diagnosis" in page.markdown[0].value
