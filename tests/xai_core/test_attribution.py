from dataclasses import replace

import numpy as np
import pytest
import torch

from xai_core import Attribution

MAP = Attribution(
    values=torch.stack([torch.eye(5), -0.5 * torch.eye(5).flip(0)]),
    target=3,
    method="integrated_gradients",
    params={"n_steps": 50},
    seconds=0.1,
    device="cpu",
    score=5.0,
    baseline_score=1.0,
    convergence_delta=-0.2,
)


def test_values_are_an_array_to_numpy():
    assert np.asarray(MAP.values).shape == (2, 5, 5)
    assert np.asarray(MAP.values).dtype == np.float32


def test_heat_sums_over_channels_unless_they_share_the_effect():
    assert MAP.heat[0, 0] == 1.0
    assert replace(MAP, channels_share=True).heat[0, 0] == 0.5


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 0.05),
        ({"convergence_delta": None}, None),
        ({"baseline_score": None}, None),
        ({"baseline_score": 5.0}, None),
        ({"baseline_score": 5.0 - 1e-9}, None),
        ({"baseline_score": 7.0, "convergence_delta": 0.1}, 0.05),
    ],
)
def test_relative_delta(change, expected):
    assert replace(MAP, **change).relative_delta == pytest.approx(expected)


def test_shows_itself_in_a_notebook():
    assert MAP._repr_png_().startswith(b"\x89PNG")
    shown = replace(MAP, notes=("a <note>",))._repr_html_()
    assert "Integrated gradients, target 3, convergence delta 5.0%" in shown
    assert "not evidence" in shown
    assert "a &lt;note&gt;" in shown
    assert "data:image/png;base64," in shown


@pytest.mark.parametrize("values", [torch.zeros(2, 5, 5), torch.full((2, 5, 5), torch.nan)])
def test_a_map_without_meaning_is_said_not_drawn(values):
    broken = replace(MAP, values=values)
    assert broken._repr_png_() is None
    assert "Not drawn" in broken._repr_html_()
    assert "<img" not in broken._repr_html_()
