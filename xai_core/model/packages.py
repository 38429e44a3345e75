"""Architectures of packages that a site may have beside torchvision, such as timm and MONAI.

None is needed to import this. Each is asked for random weights, without network.
"""

import importlib
import importlib.util
import inspect
import os
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from xai_core.errors import ModelError
from xai_core.model.card import ModelCard
from xai_core.model.card_checks import did_you_mean

_MONAI_CLASSIFIERS = re.compile(
    r"(DenseNet|SEResNet|SEResNext|SENet|resnet)\d+|DenseNet|EfficientNetBN|ViT"
)
# What a builder could take files or addresses from.
_NEVER = re.compile(r"pretrained.*|checkpoint_path|cache_dir|weights|progress")


class Logits(nn.Module):
    """A model that answers with a bundle, as the logits in it.

    Args:
        inner: The model.
        pick: Returns the logits, (N, K), of what it answers.
    """

    def __init__(self, inner: nn.Module, pick: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.inner = inner
        self._pick = pick

    def forward(self, batch: Tensor) -> Tensor:
        """Return (N, K) logits of (N, C, H, W)."""
        return self._pick(self.inner(batch))


@dataclass(frozen=True)
class Package:
    """One package with image classifiers.

    Attributes:
        name: As it is installed.
        module: What of it is imported.
        make: Builds one of its classifiers: (module, name, card).
        names: Returns what it has, for (module).
        pick: Returns the logits of its answers; None where they are logits already.
        rename: Returns what a model calls a weight of a checkpoint, for (model); None where
            checkpoints use the model's own names.
    """

    name: str
    module: str
    make: Callable[[Any, str, ModelCard], nn.Module]
    names: Callable[[Any], Iterable[str]]
    pick: Callable[[Any], Tensor] | None = None
    rename: Callable[[nn.Module], Callable[[str], str]] | None = None

    def is_installed(self) -> bool:
        """Tell whether it is there, without importing it."""
        return importlib.util.find_spec(self.name) is not None

    def members(self) -> list[str]:
        """Return the names of its classifiers; those of transformers are built from a config.

        Raises:
            ModelError: It is not installed.
        """
        return list(self.names(self.load()))

    def load(self) -> ModuleType:
        """Import the package, without network and leaving Python's warnings as they are.

        Raises:
            ModelError: It is not installed, or does not load.
        """
        # Read as they load: neither looks for a newer file elsewhere.
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return importlib.import_module(self.module)
        except ModuleNotFoundError as exc:
            missing = (exc.name or self.name).partition(".")[0]
            raise ModelError(
                f"{self.name}/… needs the package {missing}, which is not installed here: "
                f"pip install {self.name}"
            ) from exc

    def build(self, name: str, card: ModelCard) -> nn.Module:
        """Build one of its classifiers with random weights.

        Raises:
            ModelError: The package is not installed, or has none of that name.
        """
        module = self.load()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.make(module, name, card)


def _timm(timm: Any, name: str, card: ModelCard) -> nn.Module:
    if not timm.is_model(name):
        raise _unknown("timm", name, timm.list_models())
    model: nn.Module = timm.create_model(
        name,
        pretrained=False,
        num_classes=len(card.classes),
        in_chans=card.preprocessing.channels,
        **_options(card, taken=inspect.signature(timm.create_model).parameters),
    )
    return model


def _transformers(transformers: Any, name: str, card: ModelCard) -> nn.Module:
    if name not in (known := _transformers_names(transformers)):
        raise _unknown("transformers", name, known)
    stated = card.config.get("model_type", name)
    if stated != name:
        raise ModelError(f"config.model_type is {stated!r}; allowed: {name!r}, as in architecture")
    # The card says these itself, or they ask for code or files from elsewhere.
    apart = {"model_type", "id2label", "label2id", "num_labels", "num_channels", "auto_map"}
    apart |= {"dtype", "torch_dtype", "quantization_config", "architectures", "attn_implementation"}
    config = transformers.AutoConfig.for_model(
        name,
        num_labels=len(card.classes),
        num_channels=card.preprocessing.channels,
        **{
            key: value
            for key, value in card.config.items()
            if key not in apart and not key.startswith("_")
        },
    )
    model: nn.Module = transformers.AutoModelForImageClassification.from_config(
        config, attn_implementation="eager"
    )
    return model.float()


def _renaming(model: nn.Module) -> Callable[[str], str]:
    """Return what transformers does to the names in checkpoints of its earlier versions."""
    loading = importlib.import_module("transformers.core_model_loading")
    mapping = importlib.import_module("transformers.conversion_mapping")
    changes = mapping.get_model_conversion_mapping(model)
    renamings = [change for change in changes if isinstance(change, loading.WeightRenaming)]
    return lambda name: str(loading.rename_source_key(name, renamings, [])[0])


def _monai(nets: Any, name: str, card: ModelCard) -> nn.Module:
    if name not in (known := _monai_names(nets)):
        raise _unknown("monai", name, known)
    builder, n_classes = getattr(nets, name), len(card.classes)
    options = _options(card, taken=("spatial_dims",))
    if name.startswith("resnet"):
        taken = {"n_input_channels": card.preprocessing.channels, "num_classes": n_classes}
        model: nn.Module = builder(pretrained=False, spatial_dims=2, **taken, **options)
        return model
    if name == "ViT":
        given = {"classification": True, "post_activation": "none", "num_classes": n_classes}
        size = {"img_size": card.preprocessing.input_size, "patch_size": 16}
        options = {**size, **given, **options}
    else:
        options["out_channels" if name.startswith("DenseNet") else "num_classes"] = n_classes
    if name == "EfficientNetBN":
        options["pretrained"] = False
    built: nn.Module = builder(spatial_dims=2, in_channels=card.preprocessing.channels, **options)
    return built


def _torchxrayvision(models: Any, name: str, card: ModelCard) -> nn.Module:
    if name != "DenseNet":  # its ResNets build only with fetched weights; torchvision's are equal
        raise _unknown("torchxrayvision", name, ["DenseNet"])
    taken = ("weights", "op_threshs", "apply_sigmoid", "num_classes", "in_channels")
    model: nn.Module = models.DenseNet(
        weights=None,
        num_classes=len(card.classes),
        in_channels=card.preprocessing.channels,
        **_options(card, taken=taken),
    )
    return model


def _transformers_names(_: Any) -> list[str]:
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    return list(auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES)


def _monai_names(nets: Any) -> list[str]:
    return [name for name in dir(nets) if _MONAI_CLASSIFIERS.fullmatch(name)]


def _options(card: ModelCard, *, taken: Iterable[str]) -> dict[str, Any]:
    """Return the card's `config` as keyword arguments.

    Raises:
        ModelError: One of them is said by the card elsewhere, or could name a file.
    """
    for key in card.config:
        if key in {*taken} - {"kwargs"} or _NEVER.fullmatch(key):
            raise ModelError(
                f"config.{key} is not allowed: the card says it elsewhere, or it names files"
            )
    return {key: tuple(v) if isinstance(v, list) else v for key, v in card.config.items()}


def _unknown(package: str, name: str, known: Iterable[str]) -> ModelError:
    known = list(known)
    some = ", ".join(known) if len(known) <= 50 else f"a classifier of {package}'s"
    return ModelError(
        f"architecture is '{package}/{name}'; allowed: {package}/ and {some}"
        f"{did_you_mean(name, known)}"
    )


def _bundled(answer: Any) -> Tensor:
    logits: Tensor = answer.logits
    return logits


def _first(answer: Any) -> Tensor:
    first: Tensor = answer[0] if isinstance(answer, tuple) else answer
    return first


PACKAGES = {
    "timm": Package("timm", "timm", _timm, lambda timm: timm.list_models()),
    "transformers": Package(
        "transformers", "transformers", _transformers, _transformers_names, _bundled, _renaming
    ),
    "monai": Package("monai", "monai.networks.nets", _monai, _monai_names, _first),
    "torchxrayvision": Package(
        "torchxrayvision", "torchxrayvision.models", _torchxrayvision, lambda _: ["DenseNet"]
    ),
}
"""By the first word of an architecture."""
