import tomllib
from pathlib import Path

import numpy as np
import pytest

import xai_core
from tests.maps import attribution
from xai_core.measures.badges import Badge, BadgeRule, Side, badge, caution_limit, measure_of, rules
from xai_core.measures.maps import map_measures

ROOT = Path(xai_core.__file__).parents[1]
ABOVE = BadgeRule("m", Side.ABOVE, caution=0.1, poor=0.3, words="{value:.0%}")
BELOW = BadgeRule("m", Side.BELOW, caution=0.1, poor=None, words="{value:.2f}")


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        (ABOVE, 0.0999, Badge.GOOD),
        (ABOVE, 0.1, Badge.CAUTION),
        (ABOVE, 0.3, Badge.POOR),
        (BELOW, 0.1, Badge.GOOD),
        (BELOW, 0.0999, Badge.CAUTION),
        (BELOW, -9.0, Badge.CAUTION),
    ],
)
def test_a_rule_at_its_limits(rule, value, expected):
    assert rule.badge(value) is expected


def test_nothing_against_a_map_makes_it_good():
    assert badge({}) == (Badge.GOOD, [])
    assert badge({"agreement": None, "relative_delta": None, "nan": False}) == (Badge.GOOD, [])


def test_the_worst_rule_gives_the_badge_and_all_say_why():
    found, reasons = badge({"relative_delta": 0.5, "corner_share": 0.9, "border_share": 0.0})
    assert found is Badge.POOR
    assert len(reasons) == 2
    assert "by 50%" in reasons[0]
    assert "90%" in reasons[1]


def test_maps_that_contradict_each_other_are_poor():
    found, reasons = badge({"agreement": {"spearman": -1.0}})
    assert found is Badge.POOR
    assert "rank correlation is -1.00" in reasons[0]


def test_trues_and_falses_count():
    assert badge({"nan": True})[0] is Badge.POOR
    assert badge({"flat": True})[0] is Badge.POOR
    assert badge({"no_span": True})[0] is Badge.CAUTION


def test_measures_of_older_versions_are_judged_by_what_they_have():
    old = {"flat": False, "nan": False, "agreement": {"spearman": 0.5}, "corner_share": 0.1}
    assert badge(old) == (Badge.GOOD, [])


def test_parts_of_a_group_are_named_by_a_dot():
    assert measure_of({"a": {"b": 2}}, "a.b") == 2.0
    assert measure_of({"a": None}, "a.b") is None
    assert measure_of({}, "a") is None


def test_a_rule_counts_only_where_what_it_needs_was_taken():
    foretold = {"infidelity": {"share": 1.0}}
    assert badge(foretold) == (Badge.GOOD, [])
    assert badge(foretold | {"relative_delta": 0.0})[0] is Badge.POOR


def test_caution_limits_are_known_by_name():
    assert 0 < caution_limit("corner_share") < 1
    with pytest.raises(KeyError):
        caution_limit("beauty")


def test_every_rule_has_one_measure_of_its_own_and_limits_in_order():
    names = [rule.measure for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        worse = 1 if rule.bad is Side.ABOVE else -1
        assert rule.poor is None or worse * rule.poor >= worse * rule.caution


def test_every_rule_is_a_sentence_without_jargon_left_open():
    for rule in rules():
        said = rule.words.format(value=0.25)
        assert said[0].isupper() or said[0].isdigit()
        assert said.endswith(".")
        assert "{" not in said
        assert rule.basis.endswith("."), rule.measure


def test_rules_on_maps_are_about_measures_that_exist():
    heat = np.random.default_rng(0).normal(size=(32, 32))
    taken = map_measures(attribution(heat, delta=0.1), attribution(heat))
    by_model = ("faithfulness", "infidelity", "stability", "randomisation")
    for rule in rules():
        if not rule.measure.startswith(by_model):
            assert measure_of(taken, rule.measure) is not None, rule.measure


def test_thresholds_are_installed_with_the_package():
    with (ROOT / "pyproject.toml").open("rb") as file:
        patterns = tomllib.load(file)["tool"]["setuptools"]["package-data"]["*"]
    assert "*.toml" in patterns
