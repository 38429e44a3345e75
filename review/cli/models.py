"""The command line's `model` actions."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from review.cli.acting import opened, say_who
from review.cli.output import say
from review.errors import SettingsError
from review.models import proposals, registry

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction

    Subparsers = _SubParsersAction[ArgumentParser]


def add_commands(subparsers: "Subparsers") -> None:
    """Say what can be typed after `import-model` and `model`."""
    command = subparsers.add_parser("import-model", help="add a model from its card")
    command.add_argument(
        "card", type=Path, metavar="CARD", help="TOML or JSON; its weights lie beside it"
    )
    command.set_defaults(run=import_model)
    actions = subparsers.add_parser("model", help="write the card of a model").add_subparsers(
        title="actions", metavar="ACTION", required=True
    )
    action = actions.add_parser(
        "propose",
        help="read a checkpoint and write its card, as far as files tell it",
        description="Writes CARD from the names and shapes of the weights and from config.json and "
        "preprocessor_config.json beside them. What they do not say is left empty, to be filled in "
        "before import-model.",
    )
    action.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="a file, or the folder that holds it"
    )
    action.add_argument("--out", type=Path, metavar="CARD", help="card.toml beside it unless given")
    action.set_defaults(run=propose)


def import_model(arguments: Namespace) -> int:
    """Import a model from its card."""
    ws, by = opened(arguments)
    model = registry.import_model(ws, arguments.card, by=by)
    say(f"{model.exact_name} is ready ({model.n_bytes / 1e6:,.1f} MB, {model.card.architecture})")
    for note in model.notes:
        say(f"note: {note}")
    say_who(arguments)
    return 0


def propose(arguments: Namespace) -> int:
    """Write the card that a checkpoint may have; one that is there stays as it is."""
    ws, by = opened(arguments)
    path, configs = proposals.files_of(arguments.checkpoint)
    try:
        weights = path.read_bytes()
    except OSError as exc:
        raise SettingsError(f"cannot read {path} ({exc.strerror})") from exc
    first, *others = proposals.propose(ws, weights, configs, by=by)
    out = arguments.out or path.with_name("card.toml")
    card = first.card(path.name, weights)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(proposals.as_toml(card, first.notes))
    except OSError as exc:
        raise SettingsError(f"cannot write {out} ({exc.strerror})") from exc
    colours = "RGB" if first.channels == 3 else "grey"
    say(f"{first.architecture}, {first.n_classes} classes, {colours}")
    for other in others:
        say(f"or {other.architecture}")
    for note in first.notes:
        say(f"note: {note}")
    empty = [key for key, value in card.items() if value == "" and key != "limits"]
    say(f"written to {out}; fill in: {', '.join(empty)}")
    say_who(arguments)
    return 0
