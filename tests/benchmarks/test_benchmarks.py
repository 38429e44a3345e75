"""Each benchmark runs at toy size; what it gives is kept, listed and drawn. Nothing is timed."""

import json
import math

import pytest
import torch

from benchmarks import accuracy, methods, occlusion, report
from benchmarks.__main__ import BENCHMARKS
from benchmarks.flops import n_flops
from benchmarks.measuring import Pace, alternate, n_images_passed, peak_bytes, peak_flops
from benchmarks.subjects import smooth_image
from xai_core import occlusion as occluded
from xai_core.glossary.entries import METHODS

CPU = torch.device("cpu")
ONCE = Pace(rounds=1)
TOYS = [
    pytest.param(name, work, id=f"{name}, {work}", marks=[pytest.mark.e2e] * (name == "start"))
    for name, each in BENCHMARKS.items()
    for work in each.TOY
]


@pytest.fixture(autouse=True)
def _seconds_are_enough(monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.peers.find_spec", lambda _: None)
    monkeypatch.setattr(accuracy, "_REFERENCES", tmp_path / "references")
    for each in BENCHMARKS.values():
        monkeypatch.setattr(each, "peak_flops", lambda *_: 1e11, raising=False)


@pytest.mark.filterwarnings("ignore")  # the peers'
@pytest.mark.parametrize(("name", "work"), TOYS)
def test_a_benchmark_gives_a_row_with_its_workload(name, work):
    row = BENCHMARKS[name].measure(work, ONCE)
    assert row["workload"] == str(work)
    assert row["rounds"] == 1
    assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))
    assert report.table([row]).count("\n") == 2
    json.dumps(row)


def test_workloads_have_names_of_their_own():
    for each in BENCHMARKS.values():
        names = [str(work) for work in each.WORKLOADS]
        assert len(names) == len(set(names))


def test_every_method_is_timed():
    timed = {*methods.COMPARISONS, "integrated_gradients", "occlusion"}
    assert timed == set(METHODS)


def test_the_definition_that_occlusion_is_held_to_is_its_map():
    work = occlusion.Workload("squeezenet1_1", 40, 16, 8)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5), torch.nn.ReLU(), torch.nn.Flatten())
    model.append(torch.nn.Linear(4 * 36 * 36, 3)).eval()
    image = smooth_image(40)
    found = occluded(model, image, target=1, window=16, stride=8)
    for index in (0, 17, 40 * 20 + 20, 40 * 40 - 1):
        defined = occlusion._defined(work, model, image, found, index)
        assert defined == pytest.approx(float(found.heat.flatten()[index]), rel=1e-4, abs=1e-6)


def test_rounds_alternate_and_end_with_the_budget():
    order = []
    runs = {name: lambda name=name: order.append(name) for name in "ab"}
    assert alternate(runs, Pace(rounds=3)).rounds == 3
    assert order == list("abababab")  # the first two warm up
    warmed_up = alternate({"slow": lambda: sum(range(100_000))}, Pace(rounds=3, budget_s=0))
    assert warmed_up.rounds == 0
    assert warmed_up.seconds["slow"] > 0


def test_flops_are_counted_in_both_directions():
    layer = torch.nn.Conv2d(2, 4, 3, padding=1)
    image = torch.randn(1, 2, 8, 8, requires_grad=True)
    forward = 2 * 4 * 2 * 9 * 8 * 8
    assert n_flops(lambda: layer(image)) == forward
    frozen = layer.requires_grad_(False)
    assert n_flops(lambda: torch.autograd.grad(frozen(image).sum(), image)) == 2 * forward
    with torch.inference_mode():
        assert n_flops(lambda: layer(image)) == forward


def test_the_machines_peak_is_measured():
    assert peak_flops(CPU) > 1e8


def test_images_are_counted_and_the_model_is_left_without_hooks():
    model = torch.nn.Identity()
    assert n_images_passed(model, lambda: [model(torch.zeros(n, 1)) for n in (1, 4)]) == 5
    assert not model._forward_pre_hooks


def test_the_peak_is_what_was_taken_at_most():
    taken = peak_bytes(lambda: torch.ones(10_000_000).sum(), CPU)
    assert taken == pytest.approx(40e6, rel=0.2)


def test_rows_are_replaced_listed_in_order_and_drawn(tmp_path):
    page = tmp_path / "performance.md"
    marks = [
        f"<!-- {name}: begin -->\nold\n<!-- {name}: end -->" for name in ("plots", "occlusion")
    ]
    page.write_text("\n\n".join(["# Title", *marks]))
    folder = tmp_path / "results"
    for workload, ratio in (("second", 1.0), ("first", 2.0), ("second", 4.0), ("gone", 8.0)):
        row = {"workload": workload, "vs best": ratio, "target": 3.0, "met": ratio > 3, "rounds": 5}
        report.keep("occlusion", row, machine="A machine, 1 thread", folder=folder)
    report.write({"occlusion": ["first", "second"]}, folder=folder, page=page)
    text = page.read_text()
    lines = [
        line for line in text.splitlines() if line.startswith(("| first", "| second", "| gone"))
    ]
    assert lines == [
        "| first | **2.0x** | 3x, missed | 5 |",
        "| second | **4.0x** | 3x, met | 5 |",
    ]
    assert "old" not in text
    assert "A machine, 1 thread; " in text
    plot = tmp_path / "images" / "performance-a-machine-1-thread.svg"
    assert f"(images/{plot.name})" in text
    assert plot.read_text().startswith("<?xml")
