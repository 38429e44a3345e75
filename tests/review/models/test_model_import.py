import hashlib
import io
import json
import resource
import subprocess
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torchvision.models as tv
from safetensors.torch import load, save
from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import nn

from db.errors import ConflictError, NotFoundError
from db.tables import AuditEvent, Case, Model
from db.types import AuditKind, Role
from imaging import decode, encode
from review.models import check, proposals, registry, trial
from review.models.plugins import MODULES_VARIABLE
from review.models.registry import ModelImportError
from review.workspace import Workspace
from tests import builders, tiny_models
from tests.builders import OPERATOR
from tests.tiny_models import write_card
from xai_core.errors import CardError, CheckpointError, ModelError
from xai_core.model.architectures import ARCHITECTURES
from xai_core.model.card import parse_card, read_card
from xai_core.model.loading import load_model
from xai_core.model.prediction import predict
from xai_core.model.preprocessing import to_input


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the checking process know the tiny architectures."""
    monkeypatch.setenv(MODULES_VARIABLE, "tests.tiny_models")


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Import without a checking process, which takes seconds to load PyTorch."""
    monkeypatch.setattr(trial, "tried", lambda *_: ())


GOLDEN = encode.to_png(np.arange(0, 250, 5, dtype=np.uint8).reshape(5, 10).repeat(8, 0))


def golden_card(folder: Path, score: float, **preprocessing: object) -> Path:
    """Write a card with a golden image that scores so for its first class."""
    (folder / "golden.png").write_bytes(GOLDEN)
    stated = {"resize": [32, 32], "channels": 1, "mean": [0.5], "std": [0.25]} | preprocessing
    golden = {"image": "golden.png", "image_sha256": hashlib.sha256(GOLDEN).hexdigest()}
    golden |= {"scores": {"normal": score}, "tolerance": 0.002}
    return write_card(folder, golden=golden, preprocessing=stated)


def golden_unit(workspace: Workspace) -> np.ndarray:
    """Return the golden image as a model is given it."""
    image = decode.decode(GOLDEN, identity_key=workspace.settings.identity_key)
    return encode.to_unit(image.pixels, image.window)


def golden_score(workspace: Workspace, folder: Path) -> float:
    """Return what the tiny model's first class scores on it."""
    card = read_card(golden_card(folder, 0.5))
    given, _ = to_input(golden_unit(workspace), card.preprocessing)
    return predict(load_model(card), given).scores[0]


@pytest.mark.slow
def test_a_model_is_tried_in_a_process_of_its_own_and_becomes_active(
    workspace: Workspace, tmp_path: Path
) -> None:
    card = golden_card(tmp_path, golden_score(workspace, tmp_path))
    model = registry.import_model(workspace, card, by=OPERATOR)
    assert (model.exact_name, model.active, model.n_cases) == ("tiny:1", True, 0)
    assert workspace.artifacts.read(model.card.weights_sha256) == tiny_models.weights()


@pytest.mark.slow
def test_a_model_that_does_not_load_is_not_imported(workspace: Workspace, tmp_path: Path) -> None:
    card = write_card(tmp_path, classes=["a", "b"])
    with pytest.raises(ModelImportError, match=r"last\.weight is \(3, 1024\)"):
        registry.import_model(workspace, card, by=OPERATOR)
    assert registry.list_models(workspace, by=OPERATOR) == ()


@pytest.mark.slow
def test_weights_that_unpack_to_far_more_than_their_file_are_refused(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = write_card(tmp_path)
    card = json.loads(path.read_text())
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w") as archive:
        # bytearray(2_000_000_000), which PyTorch's own reader of weights allows
        call = b"\x80\x02cbuiltins\nbytearray\nJ" + (2_000_000_000).to_bytes(4, "little")
        archive.writestr("w/data.pkl", call + b"\x85R.")
        archive.writestr("w/version", b"3")
    weights = tmp_path / card["weights"]
    weights.write_bytes(bomb.getvalue())
    assert weights.stat().st_size < 600
    card["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    path.write_text(json.dumps(card))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with pytest.raises(ModelImportError, match=r"far more memory|damaged"):
        registry.import_model(workspace, path, by=OPERATOR)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, 2_000_000)


def test_the_trial_names_the_mistake_that_a_golden_image_shows(
    workspace: Workspace, tmp_path: Path
) -> None:
    score = golden_score(workspace, tmp_path)
    card = read_card(golden_card(tmp_path, score, mean=[0.5], std=[0.5]))
    np.savez(tmp_path / "golden.npz", unit=golden_unit(workspace), pixel_aspect=1.0)
    with pytest.raises(ModelError, match=r"golden\.png does not score .*expected 0\.\d{3}"):
        check.check(card, tmp_path / "tiny.safetensors")


def test_a_golden_image_that_is_missing_or_another_is_said(
    workspace: Workspace, tmp_path: Path
) -> None:
    card = golden_card(tmp_path, 0.5)
    weights = tiny_models.weights()
    with pytest.raises(ModelImportError, match=r"choose golden\.png, too"):
        registry.import_uploaded(workspace, card.read_bytes(), weights, by=OPERATOR)
    with pytest.raises(ModelImportError, match="golden image hashes to"):
        registry.import_uploaded(workspace, card.read_bytes(), weights, b"other", by=OPERATOR)


@pytest.mark.slow
def test_a_checkpoint_is_read_and_its_card_proposed_in_the_trial_s_process(
    workspace: Workspace,
) -> None:
    state = {f"module.{k}": v for k, v in tv.squeezenet1_1(num_classes=3).state_dict().items()}
    (found,) = proposals.propose(workspace, save(state), {}, by=OPERATOR)
    assert (found.architecture, found.n_classes) == ("torchvision/squeezenet1_1", 3)
    card = found.card("net (1).pth", save(state))
    assert card["name"] == "net--1-"
    filled = card | {"scores": "softmax", "intended_use": "tests"}
    written = tomllib.loads(proposals.as_toml(filled, found.notes))
    assert parse_card(written).classes == ("class 0", "class 1", "class 2")


def test_configs_beside_a_checkpoint_must_be_json(workspace: Workspace) -> None:
    with pytest.raises(ModelImportError, match=r"config\.json is no valid JSON"):
        proposals.propose(workspace, b"", {"config.json": b"{"}, by=OPERATOR)


def test_a_folder_with_several_checkpoints_lists_them(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).touch()
    with pytest.raises(ModelImportError, match=r"a\.pt, b\.pt; name one"):
        proposals.files_of(tmp_path)
    (tmp_path / "model.safetensors").touch()
    assert proposals.files_of(tmp_path)[0].name == "model.safetensors"


def test_a_head_of_probabilities_is_refused_or_taken_off(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(
        ARCHITECTURES, "tiny/sure", lambda n: nn.Sequential(tiny_models.Linear(n), nn.Softmax(1))
    )
    state = {f"0.{k}": v for k, v in load(tiny_models.weights()).items()}
    data = save(state)
    changes = {"architecture": "tiny/sure", "weights_sha256": hashlib.sha256(data).hexdigest()}
    (tmp_path / "weights").write_bytes(data)
    card = read_card(write_card(tmp_path, **changes))
    with pytest.raises(ModelError, match=r'say output = "probabilities" in the card'):
        check.check(card, tmp_path / "weights")
    check.check(
        read_card(write_card(tmp_path, output="probabilities", **changes)), tmp_path / "weights"
    )


def test_a_trial_knows_no_address_and_no_key(workspace: Workspace, tmp_path: Path, monkeypatch):
    given = {}

    def note(_command, **options):
        given.update(options["env"])
        raise subprocess.TimeoutExpired("", 0)

    monkeypatch.setenv("SECOND_LOOK_CHECKPOINT_KEY", "secret")
    monkeypatch.setattr(subprocess, "run", note)
    with pytest.raises(ModelImportError, match="took more than"):
        registry.import_model(workspace, write_card(tmp_path), by=OPERATOR)
    assert set(given) <= set(trial.PASSED_ON)


def test_the_check_refuses_weights_that_do_not_fit(tmp_path: Path) -> None:
    card = read_card(write_card(tmp_path, classes=["a", "b"]))
    with pytest.raises(CheckpointError, match="do not fit"):
        check.check(card, tmp_path / "tiny.safetensors")


def test_the_check_lets_a_model_of_any_input_size_answer_once(tmp_path: Path) -> None:
    preprocessing = {"channels": 1, "mean": [0.0], "std": [1.0]}
    card = read_card(write_card(tmp_path, preprocessing=preprocessing))
    with pytest.raises(ModelError, match="cannot take an input of"):
        check.check(card, tmp_path / "tiny.safetensors")


def test_weights_with_another_hash_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    card = write_card(tmp_path)
    (tmp_path / "tiny.safetensors").write_bytes(tiny_models.weights(1))
    with pytest.raises(ModelImportError, match="but the card says"):
        registry.import_model(workspace, card, by=OPERATOR)


def test_missing_weights_are_named(workspace: Workspace, tmp_path: Path) -> None:
    card = write_card(tmp_path)
    (tmp_path / "tiny.safetensors").unlink()
    with pytest.raises(ModelImportError, match=r"'tiny\.safetensors' beside the card"):
        registry.import_model(workspace, card, by=OPERATOR)


def test_a_card_without_its_hash_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    path = write_card(tmp_path)
    card = json.loads(path.read_text())
    del card["weights_sha256"]
    path.write_text(json.dumps(card))
    with pytest.raises(CardError, match="weights_sha256"):
        registry.import_model(workspace, path, by=OPERATOR)


@pytest.mark.usefixtures("untried")
def test_importing_the_same_model_again_changes_nothing(
    workspace: Workspace, tmp_path: Path
) -> None:
    first = registry.import_model(workspace, write_card(tmp_path), by=OPERATOR)
    renamed = write_card(tmp_path, weights="other-name.safetensors")
    (tmp_path / "other-name.safetensors").write_bytes(tiny_models.weights())
    assert registry.import_model(workspace, renamed, by=OPERATOR).id == first.id
    assert len(registry.list_models(workspace, by=OPERATOR)) == 1


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(
    ("changes", "named"),
    [({"seed": 1}, "weights_sha256"), ({"limits": "none at all"}, "limits")],
)
def test_a_version_stands_for_one_content_for_ever(
    workspace: Workspace, tmp_path: Path, changes: dict, named: str
) -> None:
    registry.import_model(workspace, write_card(tmp_path), by=OPERATOR)
    with pytest.raises(ConflictError, match=f"another {named}.*another version"):
        registry.import_model(workspace, write_card(tmp_path, **changes), by=OPERATOR)


@pytest.mark.usefixtures("untried")
def test_uploaded_bytes_are_imported_as_files_are(workspace: Workspace, tmp_path: Path) -> None:
    with workspace.begin() as session:
        engineer = builders.account(session, Role.ENGINEER)
    card = write_card(tmp_path).read_bytes()
    model = registry.import_uploaded(workspace, card, tiny_models.weights(), by=engineer.id)
    assert model.card.classes == tuple(tiny_models.CLASSES)


@pytest.mark.usefixtures("untried")
def test_a_model_is_found_by_name_or_by_name_and_version(
    workspace: Workspace, tmp_path: Path
) -> None:
    registry.import_model(workspace, write_card(tmp_path), by=OPERATOR)
    newer = registry.import_model(workspace, write_card(tmp_path, version="2"), by=OPERATOR)
    assert registry.find(workspace, "tiny", by=OPERATOR).id == newer.id
    assert registry.find(workspace, "tiny:1", by=OPERATOR).id != newer.id
    with pytest.raises(NotFoundError, match="there are: tiny:1, tiny:2"):
        registry.find(workspace, "huge", by=OPERATOR)


@pytest.mark.usefixtures("untried")
def test_the_newest_active_version_comes_first(workspace: Workspace, tmp_path: Path) -> None:
    older = registry.import_model(workspace, write_card(tmp_path), by=OPERATOR)
    newer = registry.import_model(workspace, write_card(tmp_path, version="2"), by=OPERATOR)
    registry.set_active(workspace, newer.id, active=False, by=OPERATOR)
    assert registry.find(workspace, "tiny", by=OPERATOR).id == older.id


def test_the_list_counts_the_cases(workspace: Workspace, tmp_path: Path) -> None:
    registry.import_checked(workspace, write_card(tmp_path), by=OPERATOR)
    with workspace.begin() as session:
        _predict_one_of_two(session)
    (model,) = registry.list_models(workspace, by=OPERATOR)
    assert (model.n_cases, model.n_other_cases, model.n_waiting) == (1, 1, 0)


def test_an_unknown_model_cannot_be_switched(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="model 5"):
        registry.set_active(workspace, 5, active=True, by=OPERATOR)


def _predict_one_of_two(session: Session) -> None:
    model = session.scalars(select(Model)).one()
    for _ in range(2):
        builders.case(session)
    builders.prediction(session, session.scalars(select(Case)).first(), model)


def test_weights_that_were_damaged_are_whole_once_the_model_is_imported_again(
    workspace: Workspace, tmp_path: Path
) -> None:
    card = write_card(tmp_path)
    sha256 = registry.import_checked(workspace, card, by=OPERATOR).card.weights_sha256
    workspace.artifacts.path(sha256).write_bytes(b"damaged")
    registry.import_model(workspace, card, by=OPERATOR)
    assert workspace.artifacts.is_whole(sha256)
    with workspace.read() as session:
        kinds = session.scalars(select(AuditEvent.kind)).all()
    assert kinds.count(AuditKind.FILE_REPLACED) == 1
