"""Runs of a graph call by call: the model's own values, rules by kind, nothing written in place."""

import operator

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from xai_core.graph.interpreter import Call, Interpreter, Values, by_kind, nodes_from_image
from xai_core.graph.tracing import prepare


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)
        self.head = nn.Linear(2, 3)
        self.bias = nn.Parameter(torch.ones(2, 1, 1))

    def forward(self, x):
        x = F.relu(self.first(x) + self.bias)
        x = self.second(x).clamp(0, max=1)
        return self.head(x.mean((2, 3)))


def small():
    torch.manual_seed(0)
    return Small().eval(), torch.randn(2, 1, 8, 8)


def test_scores_are_the_models_own():
    model, image = small()
    assert_close(Interpreter(prepare(model)).scores(image), model(image).detach())


def test_values_hold_what_every_node_gives():
    model, image = small()
    traced = prepare(model)
    values = Interpreter(traced).values(image)
    assert set(values) == set(traced.graph.nodes)
    assert_close(values[traced.graph.output_node()], model(image).detach())
    (first,) = (node for node in values if node.target == "first")
    assert_close(values[first], model.first(image).detach())


def test_what_nobody_needs_any_more_is_let_go():
    model, image = small()
    traced, values = prepare(model), Values()
    held = [len(values) for _ in Interpreter(traced).steps(image, values)]
    assert max(held) == 3  # what a sum reads, and the sum
    assert list(values) == [traced.graph.output_node()]


def test_a_rule_makes_the_calls_of_its_kind_alone():
    made = []

    def twice(call):
        made.append(call.name)
        return 2 * call.run()

    model, image = small()
    rules = {F.relu: twice, "clamp": twice, nn.Linear: twice}
    found = Interpreter(prepare(model), by_kind(rules)).scores(image)
    assert made == ["relu (relu)", "clamp (clamp)", "Linear (head)"]
    x = F.relu(model.first(image) + model.bias) * 2
    x = model.second(x).clamp(0, max=1) * 2
    assert_close(found, 2 * model.head(x.mean((2, 3))).detach())


def test_options_are_a_layers_attributes_or_a_functions_arguments():
    found = {}

    def note(call):
        if call.kind in {nn.Conv2d, "clamp"}:
            found[call.kind] = call.option(1, "kernel_size"), call.option(2, "max", "none")
        return call.run()

    model, image = small()
    Interpreter(prepare(model), note).scores(image)
    assert found == {nn.Conv2d: ((3, 3), "none"), "clamp": (0, 1)}


def test_only_what_reads_the_image_follows_from_it():
    traced = prepare(small()[0])
    fixed = [node.op for node in traced.graph.nodes if node not in nodes_from_image(traced.graph)]
    assert fixed == ["get_attr"]


IN_PLACE = operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow


class InPlace(nn.Module):
    """Reads a value, and writes over it by an operator."""

    def __init__(self, write):
        super().__init__()
        self.write = write

    def forward(self, x):
        y = x * 2
        return self.write(y, torch.relu(y)).mean((2, 3))


def add(y, z):
    y += z
    return y


def subtract(y, z):
    y -= z
    return y


def multiply(y, z):
    y *= z
    return y


def divide(y, z):
    y /= z + 1
    return y


def power(y, z):
    y **= 3
    return y * z


@pytest.mark.parametrize("write", [add, subtract, multiply, divide, power])
def test_operators_in_place_leave_earlier_values_as_they_were(write):
    model, image = InPlace(write).eval(), torch.randn(2, 3, 4, 4)
    traced = prepare(model)
    values = Interpreter(traced).values(image)
    assert not {node.target for node in values} & set(IN_PLACE)
    assert_close(values[traced.graph.output_node()], model(image.clone()))
    doubled = next(value for node, value in values.items() if node.name == "mul")
    assert_close(doubled, 2 * image)


def test_other_inputs_take_the_models_defaults():
    class Scaled(nn.Module):
        def forward(self, x, factor=3.0):
            return x.mean((2, 3)) * factor

    image = torch.randn(2, 3, 4, 4)
    assert_close(Interpreter(prepare(Scaled().eval())).scores(image), 3 * image.mean((2, 3)))


def test_a_call_runs_with_other_values_for_its_first_arguments():
    def negated(call: Call):
        return call.run(-call.args[0])

    model, image = small()
    found = Interpreter(prepare(model), by_kind({nn.Linear: negated})).scores(image)
    bias = 2 * model.head.bias
    assert_close(found, (bias - model(image)).detach())
