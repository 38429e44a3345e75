"""What is read of one token alone is computed for it alone, and the scores stay what they are."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torchvision import models

from xai_core.graph.tracing import prepared
from xai_core.incremental.clean import CleanMaps
from xai_core.incremental.narrowing import narrowed

N_TOKENS, WIDTH = 6, 8


class Tokens(nn.Module):
    """Takes an image of one row for a map of tokens."""

    def __init__(self, read, *, need_weights=False):
        super().__init__()
        self.before, self.norm, self.after = (
            nn.Linear(WIDTH, WIDTH),
            nn.LayerNorm(WIDTH),
            nn.Linear(WIDTH, WIDTH),
        )
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.read, self.need_weights = read, need_weights

    def forward(self, image):
        x = self.before(image.flatten(1, 2))
        normed = self.norm(x)
        attended, weights = self.attention(normed, normed, normed, need_weights=self.need_weights)
        x = x + attended
        x = x + torch.relu(self.after(x))
        return self.read(x) + (weights.mean() if self.need_weights else 0)


def narrow(model, image):
    traced = prepared(model.eval())
    maps = CleanMaps.of(traced, image)
    graph, found = narrowed(traced, maps)
    assert_close(graph(image), model(image))
    for node in graph.graph.nodes:
        clean = CleanMaps.of(graph, image)[node]
        if isinstance(clean, torch.Tensor):
            assert_close(found[node], clean)
    return traced, graph


def lengths(graph, image):
    maps = CleanMaps.of(graph, image)
    pairs = ((node.name, maps[node]) for node in graph.graph.nodes)
    return {
        name: value.shape[1]
        for name, value in pairs
        if isinstance(value, torch.Tensor) and value.dim() == 3
    }


def image():
    return torch.randn(1, 1, N_TOKENS, WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("index", [0, -1, 3])
def test_behind_the_last_attention_only_the_token_that_is_read_remains(index):
    torch.manual_seed(0)
    _, graph = narrow(Tokens(lambda x: x[:, index]), image())
    found = lengths(graph, image())
    assert (found["before"], found["norm"]) == (N_TOKENS, N_TOKENS)
    assert (found["after"], found["add"], found["add_1"]) == (1, 1, 1)


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.mean(1),
        lambda x: x[:, 0] + x[:, 1],
        lambda x: x[:, 0] + x.amax(1),
        lambda x: x[:, 1:].sum(1),
    ],
)
def test_where_more_is_read_nothing_is_left_out(read):
    torch.manual_seed(0)
    traced, graph = narrow(Tokens(read), image())
    assert graph is traced


def test_weights_that_are_read_need_all_queries():
    torch.manual_seed(0)
    _, graph = narrow(Tokens(lambda x: x[:, 0], need_weights=True), image())
    found = lengths(graph, image())
    assert (found["getitem"], found["after"]) == (N_TOKENS, 1)


def test_a_vision_transformer_keeps_its_graph_and_gives_its_scores():
    torch.manual_seed(0)
    model = models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    ).eval()
    nn.init.normal_(model.heads.head.weight)
    pixels = torch.randn(1, 3, 32, 32)
    traced, graph = narrow(model, pixels)
    before = [str(node.args) for node in traced.graph.nodes]
    narrowed(traced, CleanMaps.of(traced, pixels))
    assert [str(node.args) for node in traced.graph.nodes] == before
    assert sorted(set(lengths(graph, pixels).values())) == [1, 16, 17]
