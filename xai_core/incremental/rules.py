"""Which rule carries a patch through which call; all else is carried on as values."""

import operator

import torch
from torch import nn
from torch.nn import functional as F

from xai_core.graph.tracing import NormRelu
from xai_core.incremental import concatenation, layout, pointwise, spatial
from xai_core.incremental.call import DifferenceRule

_ELEMENTWISE = (
    *(nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus),
    *(nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.LogSigmoid),
    *(F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.mish, F.softplus, F.hardtanh),
    *(F.hardswish, F.hardsigmoid, F.sigmoid, F.tanh, torch.sigmoid, torch.tanh),
    *("sigmoid", "tanh", "clamp", torch.clamp, "exp", torch.exp, "abs", torch.abs),
    *(operator.truediv, torch.div, "div", operator.neg, operator.sub, torch.sub, "sub"),
    *(operator.pow, torch.pow, "pow", torch.maximum, torch.minimum),
)

RULES: dict[object, DifferenceRule] = {
    **dict.fromkeys(_ELEMENTWISE, pointwise.elementwise),
    **dict.fromkeys((nn.ReLU, F.relu, torch.relu, "relu"), pointwise.rectifier),
    **dict.fromkeys((operator.add, torch.add, "add"), pointwise.add),
    **dict.fromkeys((operator.mul, torch.mul, "mul"), pointwise.multiply),
    **dict.fromkeys((nn.LayerNorm, F.layer_norm), pointwise.layer_norm),
    NormRelu: concatenation.norm_and_rectifier,
    nn.BatchNorm2d: pointwise.batch_norm,
    nn.Linear: pointwise.linear,
    nn.Conv2d: concatenation.convolution,
    **dict.fromkeys((nn.MaxPool2d, F.max_pool2d, torch.max_pool2d), spatial.max_pooling),
    **dict.fromkeys((nn.AvgPool2d, F.avg_pool2d), spatial.average_pooling),
    **dict.fromkeys((nn.AdaptiveAvgPool2d, F.adaptive_avg_pool2d), spatial.adaptive_average),
    **dict.fromkeys((torch.mean, "mean"), spatial.mean),
    **dict.fromkeys((torch.cat, torch.concat), concatenation.concatenate),
    **dict.fromkeys((torch.permute, "permute"), layout.permute),
    **dict.fromkeys((torch.transpose, "transpose"), layout.transpose),
    **dict.fromkeys((torch.reshape, "reshape", "view"), layout.reshape),
    **dict.fromkeys((torch.chunk, "chunk"), layout.chunk),
    **dict.fromkeys((torch.unsqueeze, "unsqueeze"), layout.unsqueeze),
    **dict.fromkeys(("contiguous", "clone", torch.clone, "detach"), layout.unchanged),
    operator.getitem: layout.item,
    "size": layout.size,
    "dim": layout.n_dims,
    getattr: layout.attribute,
}
"""Keys are layer types (exactly: a subclass may do something else), functions and method names."""
