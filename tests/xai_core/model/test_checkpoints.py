import hashlib
import pickle
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torch.testing import assert_close

from xai_core.errors import CheckpointError
from xai_core.model.checkpoints import read_tensors, weights_of

STATE = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.ones(2)}
PARALLEL = {f"module.{name}": tensor for name, tensor in STATE.items()}


def saved(content, *, legacy=False):
    buffer = BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def load(data, names=None, prefix=None):
    tensors = read_tensors(data, expected_sha256=hashlib.sha256(data).hexdigest())
    return weights_of(tensors, names or tensors, prefix=prefix).tensors


def rewritten(data, change, *, compression=zipfile.ZIP_STORED):
    """Return the archive with its members, as a dict of names to bytes, changed."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        safetensors.torch.save(STATE),
        saved(STATE),
        saved(STATE, legacy=True),
        saved({"state_dict": STATE, "epoch": 3}),
        saved({"model_state_dict": STATE, "optimizer": {"lr": 0.1}}),
        saved({"model": {"state_dict": STATE}}),
        saved(PARALLEL),
        saved({"state_dict": PARALLEL}),
        safetensors.torch.save(PARALLEL),
        saved({"net": {f"_orig_mod.{k}": v for k, v in STATE.items()}, "epoch": 3, 1: [2]}),
        saved({"model": STATE, "state_dict": STATE}),  # the same, twice
        saved({"state_dict": {**PARALLEL, "criterion.weight": torch.ones(2)}}),
    ],
)
def test_whatever_names_begin_with_is_taken_off(data):
    assert_close(load(data, STATE), STATE)


def test_what_was_taken_off_left_out_and_converted_is_said():
    state = {f"model.{k}": v.bfloat16() for k, v in STATE.items()} | {"step": torch.tensor(1)}
    weights = weights_of(state, STATE)
    assert weights.prefix == "model."
    assert weights.notes == (
        "names of the weights begin with 'model.', which was taken off",
        "1 other tensors of the file were left out",
        "weights are bfloat16; they are used as float32",
    )


def test_of_several_models_the_card_says_which():
    ema = {name: tensor + 1 for name, tensor in STATE.items()}
    data = saved({"model": STATE, "ema": {f"module.{k}": v for k, v in ema.items()}})
    with pytest.raises(CheckpointError, match=r'which of these\? "model\.", "ema\.module\."\. Say'):
        load(data, STATE)
    assert_close(load(data, STATE, prefix="ema.module."), ema)
    with pytest.raises(
        CheckpointError, match=r"'ema' .*; names in the file begin with: \"model\.\""
    ):
        load(data, STATE, prefix="ema")


def test_a_model_beside_its_average_is_told_from_it():
    both = STATE | {f"ema.{k}": v + 1 for k, v in STATE.items()}
    assert_close(load(saved(both), STATE, prefix=""), STATE)


def test_a_file_is_read_as_its_bytes_are(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(saved(STATE))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert_close(read_tensors(path, expected_sha256=digest), STATE)


def test_floating_point_of_every_width_comes_as_float32():
    halves = {"a": torch.ones(2).half(), "b": torch.ones(2).bfloat16(), "n": torch.tensor(3)}
    loaded = load(safetensors.torch.save(halves))
    assert [loaded[k].dtype for k in "abn"] == [torch.float32, torch.float32, torch.int64]


def test_another_hash_is_refused_and_both_are_said():
    data = saved(STATE)
    found = hashlib.sha256(data).hexdigest()
    with pytest.raises(CheckpointError, match=f"SHA-256 {found}; the card says {'0' * 64}"):
        read_tensors(data, expected_sha256="0" * 64)


def test_a_missing_file_is_named_without_its_folder(tmp_path):
    with pytest.raises(CheckpointError, match=r"^gone\.pt cannot be read: No such file"):
        read_tensors(tmp_path / "gone.pt", expected_sha256="0" * 64)


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("legacy", [True, False])
def test_a_pickle_that_would_run_code_does_not(tmp_path, legacy):
    bomb = Bomb(tmp_path / "touched")
    for data in (
        saved({"state_dict": STATE, "x": bomb}, legacy=legacy),
        saved(bomb, legacy=legacy),
        pickle.dumps(bomb, protocol=2),
        pickle.dumps(bomb),
    ):
        with pytest.raises(CheckpointError):
            load(data)
    assert not bomb.path.exists()


def test_a_pickled_model_is_refused_with_what_it_holds_and_what_to_do():
    with pytest.raises(CheckpointError, match=r"holds torch\.nn\.\S*Linear, which runs .*save the"):
        load(saved(nn.Linear(2, 2)))


def test_torchscript_is_refused():
    buffer = BytesIO()
    with pytest.warns(FutureWarning, match=r"torch\.jit"):
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), buffer)
    with pytest.raises(CheckpointError, match=r"code/.*TorchScript, exported programs"):
        load(buffer.getvalue())


@pytest.mark.parametrize(
    "name", ["archive/code/model.py", "archive/models/model.json", "data.pkl", "archive/../x.so"]
)
def test_an_archive_with_more_than_weights_is_refused(name):
    with pytest.raises(CheckpointError, match="may run code"):
        load(rewritten(saved(STATE), lambda members: members.update({name: b"pass"})))


def test_an_archive_that_unpacks_to_more_than_its_size_is_refused():
    bomb = rewritten(
        saved({"w": torch.zeros(2**20)}), lambda members: None, compression=zipfile.ZIP_DEFLATED
    )
    with pytest.raises(CheckpointError, match="unpacks to more"):
        load(bomb)


def test_storage_that_is_shorter_than_declared_is_refused():
    def shorten(members):
        members["archive/data/0"] = members["archive/data/0"][:4]

    with pytest.raises(CheckpointError, match="damaged"):
        load(rewritten(saved(STATE), shorten))


def test_a_tensor_larger_than_its_file_is_refused():
    with pytest.raises(CheckpointError, match=r"w is \(1000000, 1000000\), 4000000000000 bytes"):
        load(saved({"w": torch.ones(1).expand(10**6, 10**6)}))


def test_a_giant_declared_by_safetensors_is_refused():
    header = b'{"w":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'
    with pytest.raises(CheckpointError, match="safetensors file is damaged"):
        load(len(header).to_bytes(8, "little") + header)


def test_a_header_longer_than_the_file_is_refused():
    with pytest.raises(CheckpointError, match="safetensors file is damaged"):
        load((2**62).to_bytes(8, "little") + b"{}")


def test_a_pickle_that_holds_itself_comes_to_an_end():
    endless: dict[str, object] = {}
    endless["model"] = endless
    with pytest.raises(CheckpointError, match="no state dict"):
        load(saved(endless))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "no state dict"),
        ({}, "no state dict"),
        ({"epoch": 3, "net": nn.Linear(2, 2).bias.tolist()}, "no state dict"),
        ({"w": torch.empty(2, device="meta")}, "w is torch.strided on meta"),
    ],
)
def test_what_is_no_state_dict_is_said_so(content, message):
    with pytest.raises(CheckpointError, match=message):
        load(saved(content))


@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch is about to give quantization up
def test_quantized_weights_are_refused():
    quantized = torch.quantize_per_tensor(torch.ones(2), 1, 0, torch.qint8)
    with pytest.raises(CheckpointError, match="w is quantized; allowed: a dense tensor"):
        load(saved({"w": quantized}))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("save", [saved, safetensors.torch.save])
def test_weights_that_are_no_numbers_are_named(save, value):
    broken = STATE | {"fc.bias": torch.tensor([1.0, value])}
    with pytest.raises(CheckpointError, match=r"NaN or infinite in fc\.bias$"):
        load(save(broken))


def test_the_first_ten_names_are_given():
    broken = {f"w{i:02}": torch.tensor(float("nan")) for i in range(12)}
    with pytest.raises(CheckpointError, match=r"w00, .*w09 and 2 more$"):
        load(safetensors.torch.save(broken))


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<html>404</html>", b"PK\x03\x04", b"\x80"])
def test_other_files_are_refused(data):
    with pytest.raises(CheckpointError):
        load(data)


@pytest.mark.parametrize(
    "data", [saved(STATE), saved(STATE, legacy=True), safetensors.torch.save(STATE)]
)
def test_every_truncation_is_refused(data):
    for length in range(0, len(data) - 1, 7):
        with pytest.raises(CheckpointError):
            load(data[:length])


@pytest.mark.parametrize(
    "data", [saved(STATE), saved(STATE, legacy=True), safetensors.torch.save(STATE)]
)
def test_flipped_bytes_give_tensors_or_a_checkpoint_error(data):
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        for place in random.integers(len(data), size=3):
            damaged[place] = random.integers(256)
        try:
            loaded = load(bytes(damaged))
        except CheckpointError:
            continue
        assert all(tensor.isfinite().all() for tensor in loaded.values())
