import io
import json
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from db.tables import Case, Export
from db.types import Role
from review.access import accounts
from review.audit import retention
from review.cli import parser
from review.demo.seed import CARDS
from review.models import registry, trial
from review.policy import OperatingSystemUser
from review.processes import worker
from review.settings import DATABASE_VARIABLE, HOME_VARIABLE
from review.workspace import Workspace
from tests import builders, tiny_models
from tests.builders import OPERATOR
from tests.pictures import png
from tests.squeezenet import write_squeezenet
from tests.tiny_models import write_card

COMMANDS = ["serve", "worker", "user", "import", "import-model", "explain", "export", "verify"]
COMMANDS += ["checkpoint", "new-identity-key", "findings", "audit"]
COMMANDS += ["backup", "restore", "upgrade", "copy-to", "exports"]


@pytest.fixture(autouse=True)
def home(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the commands find in their environment."""
    home = workspace.settings.home
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    return home


@pytest.fixture
def tiny(workspace: Workspace, tmp_path: Path) -> None:
    registry.import_checked(workspace, write_card(tmp_path / "cards"), by=OPERATOR)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(png())
    return path


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (*COMMANDS, "seed-demo"):
        with pytest.raises(SystemExit) as ended:
            parser.main([command, "--help"])
        assert ended.value.code == 0
    assert "float32" in capsys.readouterr().out


def test_a_mistyped_command_ends_with_2() -> None:
    with pytest.raises(SystemExit) as ended:
        parser.main(["explian"])
    assert ended.value.code == 2


def test_an_error_is_one_line_on_standard_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert parser.main(["import-model", str(tmp_path / "none.toml")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: none.toml")
    assert captured.err.count("\n") == 1


def test_whoever_reads_the_output_may_stop_reading(workspace: Workspace) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "review", "verify"],
        cwd=Path(parser.__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as listing:
        assert listing.stdout
        listing.stdout.close()
        assert listing.stderr
        assert listing.stderr.read() == ""
    assert listing.returncode == 141


def test_a_home_can_be_named(tmp_path: Path) -> None:
    assert parser.main(["--home", str(tmp_path / "elsewhere"), "verify"]) == 0
    assert (tmp_path / "elsewhere" / "second-look.db").exists()


# --- user ---


def test_an_account_without_a_password_gets_a_link(
    capsys: pytest.CaptureFixture[str], workspace: Workspace
) -> None:
    assert parser.main(["user", "add", "Ada", "--role", "reader"]) == 0
    assert "/sign-in/link?token=" in capsys.readouterr().out
    assert accounts.account_named(workspace, "ada", by=OPERATOR).role is Role.READER


def test_a_password_is_read_from_standard_input(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long enough phrase\n"))
    assert parser.main(["user", "add", "ada", "--role", "engineer", "--password"]) == 0
    assert accounts.account_named(workspace, "ada", by=OPERATOR).has_password


def test_accounts_are_listed_closed_and_opened(capsys: pytest.CaptureFixture[str]) -> None:
    parser.main(["user", "add", "ada", "--role", "reader"])
    assert parser.main(["user", "deactivate", "ada"]) == 0
    parser.main(["user", "list"])
    assert "inactive" in capsys.readouterr().out
    assert parser.main(["user", "link", "ada"]) == 1
    assert parser.main(["user", "activate", "ada"]) == 0
    assert parser.main(["user", "link", "ada"]) == 0


# --- import ---


def test_folders_are_imported_with_an_outcome_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "in" / "deeper"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(png(1))
    (folder.parent / "b.png").write_bytes(png(2))
    (folder.parent / ".hidden").write_bytes(b"no")
    assert parser.main(["import", str(folder.parent)]) == 0
    assert "2 stored, 0 here already, 0 refused" in capsys.readouterr().out


def test_a_refused_file_shows_in_the_status(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path
) -> None:
    assert parser.main(["import", str(picture), str(tmp_path / "gone.png")]) == 1
    out = capsys.readouterr().out
    assert "1 stored, 0 here already, 1 refused" in out
    assert "cannot be read: No such file" in out


# --- explain ---


@pytest.mark.usefixtures("tiny")
def test_explaining_a_file_writes_prediction_maps_and_overlays(
    picture: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert parser.main(["explain", str(picture), "--model", "tiny", "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {
        "prediction.json",
        "integrated_gradients.npy",
        "integrated_gradients.png",
        "occlusion.npy",
        "occlusion.png",
    }
    result = json.loads((out / "prediction.json").read_text())
    assert result["label"] in tiny_models.CLASSES
    assert result["model"] == "tiny"
    assert result["weights_sha256"] == sha256(tiny_models.weights()).hexdigest()
    assert result["image_sha256"] == sha256(picture.read_bytes()).hexdigest()
    assert result["top"][0]["label"] == result["label"]
    assert result["relative_delta"] < 0.02
    for method in ("integrated_gradients", "occlusion"):
        values = np.load(out / f"{method}.npy")
        assert (values.dtype, values.shape) == (np.float32, (1, 32, 32))
        with Image.open(out / f"{method}.png") as overlay:
            assert overlay.width == 48


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("target", ["effusion", "2"])
def test_a_class_is_chosen_by_name_or_index(picture: Path, tmp_path: Path, target: str) -> None:
    order = ["explain", str(picture), "--model", "tiny:1", "--out", str(tmp_path / "out")]
    assert parser.main([*order, "--target", target, "--preset", "quick", "--fixed"]) == 0
    result = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert result["explained"] == "effusion"
    assert result["maps"]["integrated_gradients"]["params"]["n_steps"] == 20


@pytest.mark.usefixtures("tiny")
def test_any_methods_are_made_adaptively_or_not(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    order = ["explain", str(picture), "--model", "tiny", "--out", str(out), "--preset", "quick"]
    methods = "saliency, kernel_shap,integrated_gradients,saliency"
    assert parser.main([*order, "--methods", methods, "--adaptive"]) == 0
    result = json.loads((out / "prediction.json").read_text())
    assert list(result["maps"]) == ["saliency", "kernel_shap", "integrated_gradients"]
    gradients = result["maps"]["integrated_gradients"]
    assert gradients["params"]["rule"] == "adaptive"
    assert gradients["trust"]["of_method"]["has_converged"] is True
    assert gradients["trust"]["faithfulness"]["gap"] > 0
    with Image.open(out / "kernel_shap.png") as overlay:
        assert overlay.width == 48
    assert "KernelSHAP: " in capsys.readouterr().out


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"--methods": "saliency,magic"}, "method is 'magic'; allowed: integrated_gradients, "),
        ({"--methods": ","}, "there is no method; allowed: "),
        ({"--methods": "guided_backprop"}, "ReLU"),
        ({"--model": "huge"}, "there are: tiny:1"),
        ({"--target": "nodul"}, "did you mean 'nodule'"),
        ({"--device": "cuda:99"}, "this machine has"),
    ],
)
def test_what_cannot_be_explained_is_said(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path, changes: dict, said: str
) -> None:
    options = {"--model": "tiny", "--out": str(tmp_path / "out")} | changes
    order = ["explain", str(picture), *(word for pair in options.items() for word in pair)]
    assert parser.main(order) == 1
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("tiny")
def test_a_flat_map_is_said_and_not_drawn(tmp_path: Path) -> None:
    picture, out = tmp_path / "black.png", tmp_path / "out"
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(picture)
    assert parser.main(["explain", str(picture), "--model", "tiny", "--out", str(out)]) == 0
    assert not (out / "occlusion.png").exists()
    trust = json.loads((out / "prediction.json").read_text())["maps"]["occlusion"]["trust"]
    assert (trust["flat"], trust["badge"]) == (True, "poor")


# --- export, verify ---


@pytest.mark.usefixtures("tiny")
def test_the_loop_from_file_to_export_and_a_sound_record(
    capsys: pytest.CaptureFixture[str], workspace: Workspace, picture: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "feedback.zip"
    assert parser.main(["import", str(picture)]) == 0
    worker.run_once(workspace, "cpu", stopped=lambda: False)
    assert parser.main(["export", "--out", str(archive), "--unjudged", "--model", "tiny:1"]) == 0
    assert archive.exists()
    assert "1 predictions, 2 explanations" in capsys.readouterr().out
    assert parser.main(["verify"]) == 0


def test_a_time_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert parser.main(["export", "--out", str(tmp_path / "x.zip"), "--since", "yesterday"]) == 1
    assert "'yesterday' is no time" in capsys.readouterr().err


@pytest.mark.usefixtures("tiny")
def test_an_altered_artifact_fails_the_check(
    capsys: pytest.CaptureFixture[str], workspace: Workspace
) -> None:
    weights_sha256 = registry.find(workspace, "tiny", by=OPERATOR).card.weights_sha256
    workspace.artifacts.path(weights_sha256).write_bytes(b"altered")
    assert parser.main(["verify"]) == 1
    assert f"PROBLEM artifact {weights_sha256}" in capsys.readouterr().out


# --- who acts ---


def made_by(archive: Path) -> dict[str, str]:
    with zipfile.ZipFile(archive) as file:
        return json.loads(file.read("manifest.json"))["made_by"]


def test_a_command_acts_as_the_operating_systems_user_and_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert parser.main(["export", "--out", str(tmp_path / "x.zip")]) == 0
    me = OperatingSystemUser.current()
    assert f"acting as {me}\n" in capsys.readouterr().out
    assert made_by(tmp_path / "x.zip") == {"operating_system_user": me.name}


def test_a_command_acts_as_an_account_and_what_it_records_says_so(
    capsys: pytest.CaptureFixture[str], workspace: Workspace, picture: Path, tmp_path: Path
) -> None:
    ada = accounts.create_account(workspace, "ada", role=Role.ENGINEER, by=OPERATOR)
    assert parser.main(["import", str(picture), "--as", "ada"]) == 0
    assert parser.main(["export", "--as", "ada", "--out", str(tmp_path / "x.zip")]) == 0
    assert "acting as ada\n" in capsys.readouterr().out
    assert made_by(tmp_path / "x.zip") == {"account": "ada"}
    with workspace.read() as session:
        assert session.scalars(select(Case.created_by)).all() == [ada.id]
        assert session.scalars(select(Export.created_by)).all() == [ada.id]


def test_an_account_does_no_more_at_the_command_line_than_its_role_allows(
    capsys: pytest.CaptureFixture[str], workspace: Workspace, tmp_path: Path
) -> None:
    accounts.create_account(workspace, "ada", role=Role.READER, by=OPERATOR)
    archive = tmp_path / "x.zip"
    assert parser.main(["export", "--as", "ada", "--out", str(archive)]) == 1
    assert "the reader ada may not export" in capsys.readouterr().err
    assert not archive.exists()
    assert parser.main(["user", "--as", "ada", "add", "eve", "--role", "administrator"]) == 1


@pytest.mark.parametrize("name", ["nobody", "closed", "demo"])
def test_nobody_acts_as_an_account_that_cannot_come_in(
    capsys: pytest.CaptureFixture[str], workspace: Workspace, name: str
) -> None:
    accounts.create_account(workspace, "demo", role=Role.READER, demo=True, by=OPERATOR)
    closed = accounts.create_account(workspace, "closed", role=Role.READER, by=OPERATOR)
    accounts.deactivate(workspace, closed.id, by=OPERATOR)
    assert parser.main(["verify", "--as", name]) == 1
    assert f"No one can act as {name}" in capsys.readouterr().err


# --- real data ---


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "label", "most_delta"),
    [("n02109961_Eskimo_dog", "Eskimo dog", 0.02), ("n02110185_Siberian_husky", "toy poodle", 0.1)],
)
def test_photographs_are_explained_with_the_real_squeezenet(
    workspace: Workspace,
    shared_data: Path,
    tmp_path: Path,
    name: str,
    label: str,
    most_delta: float,
) -> None:
    registry.import_checked(workspace, write_squeezenet(tmp_path, shared_data), by=OPERATOR)
    image = shared_data / "imagenet" / f"{name}.JPEG"
    out = tmp_path / "out"
    assert (
        parser.main(["explain", str(image), "--model", "squeezenet-imagenet", "--out", str(out)])
        == 0
    )
    result = json.loads((out / "prediction.json").read_text())
    assert result["label"] == label
    assert result["relative_delta"] < most_delta
    assert np.load(out / "occlusion.npy").shape == (3, 224, 224)


@pytest.mark.real
def test_a_dicom_radiograph_is_explained_with_a_demo_model(
    workspace: Workspace, shared_data: Path, tmp_path: Path
) -> None:
    registry.import_checked(workspace, CARDS / "phantom-a.toml", by=OPERATOR)
    image, out = shared_data / "cxr" / "rsna-chest.dcm", tmp_path / "out"
    assert parser.main(["explain", str(image), "--model", "phantom-a", "--out", str(out)]) == 0
    result = json.loads((out / "prediction.json").read_text())
    assert result["geometry"] == {"x": 0, "y": 0, "width": 1024, "height": 1024}
    assert np.isfinite(np.load(out / "integrated_gradients.npy")).all()
    with Image.open(out / "occlusion.png") as overlay:
        assert overlay.width == 1024


def test_an_administrator_says_which_findings_are_asked_about(workspace, capsys):
    with workspace.begin() as session:
        builders.findings_model(session, ["pneumonia", "effusion"])
        builders.account(session, Role.ENGINEER, name="grace")
    assert parser.main(["findings", "set", "effusion"]) == 0
    assert parser.main(["findings", "show"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("readers are asked about effusion\nacting as the operating system's user")
    assert out.endswith("asked  effusion\n       pneumonia\n")
    assert parser.main(["findings", "set", "efusion"]) == 1
    assert parser.main(["findings", "--as", "grace", "clear"]) == 1
    err = capsys.readouterr().err
    assert "'efusion' is no finding of a model here; did you mean 'effusion'?" in err
    assert "the engineer grace may not change this site's settings; administrators may" in err
    assert parser.main(["findings", "clear"]) == 0
    assert "no list any more" in capsys.readouterr().out


def test_the_audit_lists_commands_and_who_ran_them(workspace, tmp_path, capsys):
    assert parser.main(["user", "add", "ada", "--role", "administrator"]) == 0
    assert parser.main(["--home", str(workspace.settings.home), "user", "--as", "ada", "list"]) == 0
    capsys.readouterr()
    assert parser.main(["audit", "--kind", "command_run", "--kind", "account_added"]) == 0
    lines = capsys.readouterr().out.splitlines()
    me = str(OperatingSystemUser.current())
    assert [line[21:].split("  ") for line in lines] == [
        [me, "Command run", "audit"],
        ["ada (ada)", "Command run", f"user, by {me}"],
        [me, "Account added", "ada, administrator"],
        [me, "Command run", "user"],
    ]


def test_the_audit_is_filtered_and_written_as_csv(workspace, tmp_path, capsys):
    accounts.create_account(workspace, "ada", role=Role.READER, by=OPERATOR)
    path = tmp_path / "audit.csv"
    options = ["--since", "2026-01-01", "--until", "2999-12-31", "--csv", str(path)]
    assert parser.main(["audit", *options]) == 0
    said = capsys.readouterr().out
    n_lines = len(path.read_text().splitlines()) - 1
    assert f"{path}: {n_lines} lines" in said
    assert '"Audit downloaded"' in path.read_text()
    assert parser.main(["audit", "--account", "ada", "--refused"]) == 0
    assert capsys.readouterr().out == ""
    for wrong in (["--since", "yesterday"], ["--kind", "nonsense"], ["keep", "some"]):
        with pytest.raises(SystemExit):
            parser.main(["audit", *wrong])
    assert parser.main(["audit", "--csv", str(tmp_path / "no" / "audit.csv")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_how_long_accesses_are_kept_is_said_at_the_command_line(workspace, capsys):
    assert parser.main(["audit", "keep", "30"]) == 0
    assert "kept for 30 days; 0 older ones were let go" in capsys.readouterr().out
    assert retention.days_kept(workspace, by=OPERATOR) == 30
    assert parser.main(["audit", "keep", "forever"]) == 0
    assert retention.days_kept(workspace, by=OPERATOR) is None
    assert parser.main(["audit", "keep", "0"]) == 1
    accounts.create_account(workspace, "root", role=Role.ADMINISTRATOR, by=OPERATOR)
    assert parser.main(["audit", "--as", "root", "keep", "1"]) == 1
    assert "only the operating system's user may" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
def test_a_card_is_proposed_once_and_what_is_left_to_a_person_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"architecture": "tiny/linear", "n_classes": 3, "channels": 1, "prefixes": [""]}
    found |= {"config": {}, "classes": [], "scores": None, "thresholds": [], "notes": ["a guess"]}
    monkeypatch.setattr(trial, "proposed", lambda *_: [found | {"preprocessing": {"channels": 1}}])
    (tmp_path / "net.safetensors").write_bytes(tiny_models.weights())
    assert parser.main(["model", "propose", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "tiny/linear, 3 classes, grey\nnote: a guess\n" in said
    assert "fill in: scores, intended_use" in said
    written = (tmp_path / "card.toml").read_text()
    assert "# a guess\n" in written
    assert parser.main(["model", "propose", str(tmp_path)]) == 1
    assert (tmp_path / "card.toml").read_text() == written
