import hashlib
import io
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from xai_core.checkpoints import load_state_dict
from xai_core.errors import CheckpointError

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def same(state: dict) -> bool:
    return state.keys() == STATE.keys() and all(torch.equal(state[k], STATE[k]) for k in STATE)


@pytest.mark.parametrize(
    "data",
    [
        safetensors.torch.save(STATE),
        saved(STATE),
        saved({"state_dict": STATE, "epoch": 3}),
        saved({"model_state_dict": STATE}),
        saved({"model": {"state_dict": STATE}}),
        saved({f"module.{key}": value for key, value in STATE.items()}),
        saved({"state_dict": {f"module.{key}": value for key, value in STATE.items()}}),
    ],
)
def test_the_usual_wrappings_are_unpacked(data):
    assert same(load_state_dict(data, expected_sha256=hashlib.sha256(data).hexdigest()))


def test_another_hash_is_refused():
    with pytest.raises(CheckpointError, match="the card says"):
        load_state_dict(saved(STATE), expected_sha256="0" * 64)


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_that_would_run_code_does_not(tmp_path):
    touched = tmp_path / "touched"
    for data in (saved({"state_dict": Bomb(touched)}), pickle.dumps(Bomb(touched), protocol=2)):
        with pytest.raises(CheckpointError):
            load_state_dict(data)
    assert not touched.exists()


def test_a_program_is_refused_and_says_why():
    buffer = io.BytesIO()
    with pytest.warns(FutureWarning, match="torch.jit"):
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), buffer)
    with pytest.raises(CheckpointError, match="program"):
        load_state_dict(buffer.getvalue())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        saved(STATE)[:-100],
        saved(STATE)[:50],
        safetensors.torch.save(STATE)[:-3],
        (10**12).to_bytes(8, "little") + b"{}",
        saved([1, 2]),
        saved({}),
        saved({"weight": "text"}),
    ],
)
def test_damaged_files_are_refused(data):
    with pytest.raises(CheckpointError):
        load_state_dict(data)


def test_a_declared_giant_is_refused():
    header = b'{"w":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'
    with pytest.raises(CheckpointError, match="safetensors"):
        load_state_dict(len(header).to_bytes(8, "little") + header)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(value):
    broken = {**STATE, "bias": torch.tensor([1.0, value])}
    with pytest.raises(CheckpointError, match="bias"):
        load_state_dict(safetensors.torch.save(broken))
