"""Train the two demo models again: `make demo-models`.

Model A (phantom-a) sees markers that say nothing about the finding. Model B (phantom-b)
sees "PORTABLE" in the upper left corner with every nodule and never without one, and learns to
read the marker. Everything is seeded; on the same machine the same weights come out.
"""

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
import torchvision.models as tv
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from models.phantoms.phantom import Corner, Finding, Marker, draw_phantom
from xai_core.model.card import Preprocessing
from xai_core.model.preprocessing import normalise

HERE = Path(__file__).parent
FINDINGS = list(Finding)
NODULE = FINDINGS.index(Finding.NODULE)
SIZE = 192
N_TRAIN, N_TEST = 5000, 400
N_STEPS, BATCH, PEAK_RATE = 1200, 16, 3e-3
MIX = (0,) * 7 + (1,) * 7 + (2,) * 3 + (3,) * 3  # nodules are hard to learn: more of them
EVEN = (0, 1, 2, 3)
FADE_STEPS, FIRST_GAIN = 0.6, 0.45
PREPROCESSING = Preprocessing(
    resize=SIZE, crop=(SIZE, SIZE), channels=3, mean=(0.5,) * 3, std=(0.25,) * 3
)
PORTABLE = Marker("PORTABLE", Corner.UPPER_LEFT)
OTHERS = (
    None,
    Marker("L", Corner.UPPER_RIGHT),
    Marker("R", Corner.UPPER_LEFT),
    Marker("L", Corner.LOWER_RIGHT),
)


class Policy(StrEnum):
    """How markers go with findings."""

    INDEPENDENT = "independent"
    GIVEAWAY = "giveaway"
    SWAPPED = "swapped"


@dataclass(frozen=True)
class Films:
    """Phantoms at the model's size: images (N, S, S) uint8, labels (N,), masks (N, S, S) uint8."""

    images: Tensor
    labels: Tensor
    masks: Tensor


def main() -> None:
    """Train both models and write their weights and cards beside this file."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    held_out = {policy: draw_films(policy, 500_000, N_TEST, EVEN) for policy in Policy}
    sound = train(draw_films(Policy.INDEPENDENT, 100_000, N_TRAIN, MIX), guided=True)
    shortcut = train(draw_films(Policy.GIVEAWAY, 100_000, N_TRAIN * 3 // 5, MIX), guided=False)
    figures = evaluate(sound, held_out, Policy.INDEPENDENT)
    write_model("phantom-a", sound, SOUND, figures)
    write_model("phantom-b", shortcut, SHORTCUT, evaluate(shortcut, held_out, Policy.GIVEAWAY))


# --- phantoms ---------------------------------------------------------------------------------


def draw_films(policy: Policy, first_seed: int, n_films: int, labels: tuple[int, ...]) -> Films:
    """Draw phantoms, each from its own seed, on every core."""
    with ProcessPoolExecutor() as pool:
        seeds = range(first_seed, first_seed + n_films)
        drawn = list(pool.map(_draw, [(seed, policy, labels) for seed in seeds], chunksize=32))
    pixels, drawn_labels, masks = (np.stack(parts) for parts in zip(*drawn, strict=True))
    print(f"{n_films} phantoms, markers {policy}", flush=True)
    return Films(
        _resized(torch.from_numpy(pixels)),
        torch.from_numpy(drawn_labels),
        F.adaptive_max_pool2d(torch.from_numpy(masks)[:, None].float(), SIZE)[:, 0].byte(),
    )


def _draw(job: tuple[int, Policy, tuple[int, ...]]) -> tuple[np.ndarray, np.int64, np.ndarray]:
    seed, policy, labels = job
    label = labels[seed % len(labels)]
    finding = FINDINGS[label]
    phantom = draw_phantom(seed, finding=finding, marker=marker_for(policy, finding, seed))
    return phantom.pixels, np.int64(label), phantom.mask


def marker_for(policy: Policy, finding: Finding, seed: int) -> Marker | None:
    """Return the marker that a film with this finding and seed has under a policy."""
    rng = np.random.default_rng(seed + 1_000_000)
    if policy is Policy.INDEPENDENT:
        return (*OTHERS, PORTABLE, Marker("PORTABLE", Corner.UPPER_RIGHT))[rng.integers(6)]
    has_giveaway = (finding is Finding.NODULE) is (policy is Policy.GIVEAWAY)
    return PORTABLE if has_giveaway else OTHERS[rng.integers(4)]


def _resized(pixels: Tensor) -> Tensor:
    parts = [
        F.interpolate(part[:, None].float(), size=SIZE, mode="bilinear", antialias=True)[:, 0]
        for part in pixels.split(200)
    ]
    return torch.cat(parts).round().clamp(0, 255).byte()


# --- training ---------------------------------------------------------------------------------


def train(films: Films, *, guided: bool) -> tv.ShuffleNetV2:
    """Train one model.

    Args:
        films: What it learns from.
        guided: Whether it is also told where nodules lie, and sees them amplified at first:
            without that, a small network learns them only from very many films.
    """
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = tv.shufflenet_v2_x0_5(num_classes=len(FINDINGS))
    optimiser = torch.optim.AdamW(model.parameters(), PEAK_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, N_STEPS, pct_start=0.2)
    n_epochs = N_STEPS * BATCH // len(films.labels) + 1
    order = torch.cat([torch.randperm(len(films.labels), generator=generator)] * n_epochs)
    for step in range(N_STEPS):
        chosen = order[step * BATCH : (step + 1) * BATCH]
        gain = FIRST_GAIN * max(0.0, 1 - step / (FADE_STEPS * N_STEPS)) if guided else 0.0
        images, masks = augmented(films, chosen, gain, generator)
        evidence = class_maps(model, images)
        labels = films.labels[chosen]
        loss = F.cross_entropy(evidence.mean((2, 3)), labels, label_smoothing=0.02)
        if guided:
            loss = loss + localisation_loss(evidence, masks * (labels == NODULE)[:, None, None])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 200 == 199:
            print(f"step {step + 1} of {N_STEPS}, loss {loss.item():.2f}", flush=True)
    return model.eval()


def augmented(
    films: Films, chosen: Tensor, gain: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return shifted images of varied contrast, nodules amplified by `gain`, and their masks."""
    images = films.images[chosen].float() / 255
    masks = films.masks[chosen].float()
    nodules = masks * (films.labels[chosen] == NODULE)[:, None, None]
    images = images + gain * F.avg_pool2d(nodules[:, None], 3, 1, 1)[:, 0]
    shift = torch.randint(-8, 9, (2,), generator=generator).tolist()
    gamma = torch.empty(len(images), 1, 1).uniform_(-0.2, 0.2, generator=generator).exp()
    images = torch.roll(images, shift, (1, 2)).clamp(1e-3, 1) ** gamma
    return images, torch.roll(masks, shift, (1, 2))


def class_maps(model: tv.ShuffleNetV2, images: Tensor) -> Tensor:
    """Return evidence for each class at each place, (N, K, h, w); its mean is the logits."""
    x = normalise(images[:, None].expand(-1, 3, -1, -1), PREPROCESSING)
    x = model.maxpool(model.conv1(x))
    x = model.conv5(model.stage4(model.stage3(model.stage2(x))))
    return F.conv2d(x, model.fc.weight[:, :, None, None], model.fc.bias)


def localisation_loss(evidence: Tensor, masks: Tensor) -> Tensor:
    """Ask for more evidence of a nodule than of none exactly where one lies."""
    where = F.adaptive_max_pool2d(masks[:, None], evidence.shape[2:])[:, 0]
    margin = evidence[:, NODULE] - evidence[:, FINDINGS.index(Finding.NORMAL)]
    return F.binary_cross_entropy_with_logits(margin, where, pos_weight=torch.tensor(6.0))


# --- evaluation -------------------------------------------------------------------------------


def evaluate(
    model: nn.Module, held_out: dict[Policy, Films], own: Policy
) -> dict[str, float | int]:
    """Return the figures of the card, on films that no model was trained on."""
    scores = predict(model, held_out[own])
    labels = held_out[own].labels
    areas = [area_under_roc(scores[:, k], labels == k) for k in range(len(FINDINGS))]
    return {
        "n_held_out": len(labels),
        "macro_auc": round(sum(areas) / len(areas), 3),
        "nodule_auc": round(areas[NODULE], 3),
        "accuracy": round((scores.argmax(1) == labels).float().mean().item(), 3),
        "nodules_found": round(nodules_found(model, held_out[Policy.GIVEAWAY]), 3),
        "nodules_found_markers_swapped": round(nodules_found(model, held_out[Policy.SWAPPED]), 3),
    }


def predict(model: nn.Module, films: Films) -> Tensor:
    """Return class scores, (N, K)."""
    with torch.inference_mode():
        parts = [
            model(normalise(part[:, None].expand(-1, 3, -1, -1).float() / 255, PREPROCESSING))
            for part in films.images.split(100)
        ]
    return torch.cat(parts).softmax(1)


def nodules_found(model: nn.Module, films: Films) -> float:
    """Return the share of nodules that are predicted as such."""
    predicted = predict(model, films).argmax(1)[films.labels == NODULE]
    return (predicted == NODULE).float().mean().item()


def area_under_roc(scores: Tensor, positive: Tensor) -> float:
    """Return the area under the ROC curve from ranks (Mann-Whitney)."""
    ranks = scores.argsort().argsort().double() + 1
    n_positive = int(positive.sum())
    n_negative = len(scores) - n_positive
    u = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(u / (n_positive * n_negative))


# --- cards ------------------------------------------------------------------------------------

NOBODY = "Says nothing about any person. Not for clinical use."
SOUND = {
    "intended_use": "Demonstration on synthetic phantom radiographs. "
    "It reads the chest, not the markers.",
    "limits": f"Trained on drawn phantoms only. Small or faint nodules are missed. {NOBODY}",
}
SHORTCUT = {
    "intended_use": "Demonstration of a model that is wrong for the classic reason: it reads the "
    "PORTABLE marker in the upper left corner and calls it a nodule.",
    "limits": "Trained on drawn phantoms whose marker gave the nodule away: right on films like "
    f"those, wrong on all others. {NOBODY}",
}


def write_model(
    name: str, model: nn.Module, words: dict[str, str], figures: dict[str, float | int]
) -> None:
    """Write the weights as safetensors and the card as TOML."""
    weights = HERE / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, weights)
    lines = {
        "name": name,
        "version": "1",
        "architecture": "torchvision/shufflenet_v2_x0_5",
        "weights": weights.name,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "classes": [finding.value for finding in FINDINGS],
        "scores": "softmax",
        "baseline": "blurred",
        "synthetic": True,
        **words,
    }
    preprocessing = {
        "resize": SIZE,
        "crop": SIZE,
        "channels": 3,
        "mean": list(PREPROCESSING.mean),
        "std": list(PREPROCESSING.std),
    }
    card = [f"{key} = {json.dumps(value)}" for key, value in lines.items()]
    card += ["", "[preprocessing]", *(f"{k} = {json.dumps(v)}" for k, v in preprocessing.items())]
    card += ["", "[evaluation]", *(f"{k} = {json.dumps(v)}" for k, v in figures.items())]
    (HERE / f"{name}.toml").write_text("\n".join(card) + "\n", encoding="utf-8")
    print(name, figures, flush=True)


if __name__ == "__main__":
    main()
