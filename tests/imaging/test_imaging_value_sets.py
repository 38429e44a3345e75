import pytest

from imaging.value_sets import VALUES, standard_value


@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("Modality", "CR", "CR"),
        ("Modality", " cr ", "CR"),
        ("BodyPartExamined", "Chest", "CHEST"),
        ("ViewPosition", "MLO", "MLO"),
        ("Laterality", "L", "L"),
        ("Laterality", "X", None),
        ("Modality", "DOE", None),
        ("ViewPosition", ["PA", "DOE"], None),
        ("Modality", None, None),
    ],
)
def test_only_what_the_standard_lists_is_kept(keyword, value, kept):
    assert standard_value(keyword, value) == kept


def test_every_listed_value_is_a_code_string_that_fits_its_column():
    for values in VALUES.values():
        assert all(value.isalnum() and value.isupper() and len(value) <= 16 for value in values)
