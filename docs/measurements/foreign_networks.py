"""Small networks of torchvision, timm, Hugging Face and a file of one's own, trained and kept as their owner would.

    python docs/measurements/foreign_networks.py list
    python docs/measurements/foreign_networks.py train timm_resnet --out foreign
    python docs/measurements/foreign_networks.py measure timm_resnet --out foreign
    python docs/measurements/foreign_networks.py table --out foreign

`train` writes the folder foreign/timm_resnet in the library's own format; a killed training goes on where it was.
`measure`, with which it ends, reads the folder back with the library itself and grades it on test images, each prepared
by the library from the picture at its own size, into about.json.

Images are trained on as `load_dataset` gives them: stretched to a square (antialiased bilinear), grey ones repeated to
three channels. Data sets are looked up as the product does (ZSPAG_DATA first). One thread suffices.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from zspag_core.data import load_dataset  # noqa: E402
from zspag_core.data.augment import crop_and_flip  # noqa: E402
from zspag_core.data.dataset import to_pixels  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from zspag_core.data.dataset import DataSet, Split

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
FASHION = ((0.2860,) * 3, (0.3530,) * 3)
HALVES = ((0.5,) * 3, (0.5,) * 3)
NATIVE = {"cifar10": 32, "fashion_mnist": 28}
SETTLING = 2000  # images from which batch norms take their statistics at the end
GRADED = 128  # images that are graded together
SEED = 0
FIRST = 1000


@dataclass(frozen=True)
class Recipe:
    """How one network is built, trained and kept.

    Attributes:
        library: torchvision, python, timm or hf: who builds and keeps it.
        network: its name there (for `hf` the model type of its configuration).
        data: the data set.
        image_size: pixels of a side.
        normalisation: mean and standard deviation per channel.
        images: how many training images are used, drawn once.
        epochs: how often each is seen.
        rate: the largest learning rate of the one-cycle schedule.
        batch: images a step.
        arguments: what it is built with besides ten classes.
    """

    library: str
    network: str
    data: str
    image_size: int
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]
    images: int
    epochs: int
    rate: float = 2e-3
    batch: int = 64
    arguments: dict[str, Any] = field(default_factory=dict)


SMALL_TRANSFORMER = {
    "hidden_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 192,
    "image_size": 32,
    "patch_size": 8,
}
SMALL_RESNET = {"embedding_size": 32, "hidden_sizes": [32, 64, 128, 256], "depths": [1, 1, 1, 1], "layer_type": "basic"}
NARROW_RESNET = {"channels": [32, 64, 128, 256]}
SMALL_CONVNEXT = {"patch_size": 2, "depths": [1, 1, 2, 1]}
SMALL_VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 96, "depth": 4, "num_heads": 4}

RECIPES = {
    "torchvision_mobilenet": Recipe("torchvision", "mobilenet_v3_small", "fashion_mnist", 48, IMAGENET, 8_000, 4),
    "torchvision_squeezenet": Recipe(
        "torchvision", "squeezenet1_1", "fashion_mnist", 64, IMAGENET, 15_000, 4, 1e-3, 128
    ),
    "torchvision_shufflenet": Recipe(
        "torchvision", "shufflenet_v2_x0_5", "fashion_mnist", 48, IMAGENET, 8_000, 4, 4e-3
    ),
    "python_vit": Recipe("python", "small_vit", "fashion_mnist", 32, FASHION, 10_000, 4),
    "python_swin": Recipe("python", "small_swin", "fashion_mnist", 32, FASHION, 12_000, 4, 2e-3, 128),
    "python_standardised": Recipe("python", "standardised_resnet", "fashion_mnist", 48, FASHION, 8_000, 4),
    "timm_resnet": Recipe("timm", "resnet10t", "fashion_mnist", 48, IMAGENET, 8_000, 4, arguments=NARROW_RESNET),
    "timm_convnext": Recipe("timm", "convnext_atto", "fashion_mnist", 32, IMAGENET, 8_000, 4, arguments=SMALL_CONVNEXT),
    "timm_vit": Recipe("timm", "vit_tiny_patch16_224", "fashion_mnist", 32, HALVES, 10_000, 4, arguments=SMALL_VIT),
    "hf_vit": Recipe("hf", "vit", "fashion_mnist", 32, HALVES, 10_000, 4, arguments=SMALL_TRANSFORMER),
    "hf_resnet": Recipe("hf", "resnet", "cifar10", 64, CIFAR10, 40_000, 6, 4e-3, 128, SMALL_RESNET),
}


def main() -> int:
    """List the recipes, train and measure some, or print the table of those measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("list", "train", "measure", "table"))
    parser.add_argument("names", nargs="*", help="recipes")
    parser.add_argument("--out", type=Path, default=Path("foreign"))
    chosen = parser.parse_args()
    if chosen.what == "list":
        for name, recipe in RECIPES.items():
            print(f"{name}: {recipe}")
    if chosen.what == "table":
        print(table(chosen.out))
    for name in chosen.names:
        if name not in RECIPES:
            parser.error(f"expected names of recipes, got {name!r}; see list")
        if chosen.what == "train":
            train(RECIPES[name], chosen.out / name)
        if chosen.what in {"train", "measure"}:
            measure(RECIPES[name], chosen.out / name)
    return 0


def train(recipe: Recipe, out: Path) -> None:
    """Train one network, one checkpoint after every epoch, and keep it in its library's format."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    dataset = load_dataset(recipe.data, image_size=recipe.image_size)
    generator = torch.Generator().manual_seed(SEED)
    part = dataset.train.sample(recipe.images, generator)
    model = build(recipe, dataset.class_names).to(memory_format=torch.channels_last)
    steps = -(-len(part) // recipe.batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps * recipe.epochs)
    for epoch in range(_resume(out, model, optimizer, schedule), recipe.epochs):
        generator.manual_seed(SEED + epoch)
        loss = _train_epoch(model, part, recipe, optimizer, schedule, generator)
        _keep(out, epoch + 1, model, optimizer, schedule)
        reached = accuracy(logits_of(model, dataset.test.images[:FIRST], recipe), dataset.test.labels[:FIRST])
        print(f"{out.name}: epoch {epoch + 1}: loss {loss:.3f}, first {FIRST} test images {reached:.1f} %", flush=True)
    settle_norms(model, part.images[:SETTLING], recipe)
    save(recipe, model.eval(), dataset.class_names, out)


def _train_epoch(
    model: nn.Module, part: Split, recipe: Recipe, optimizer: Any, schedule: Any, generator: torch.Generator
) -> float:
    """See every image once, shifted by up to an eighth of its side and mirrored; return the mean loss."""
    model.train()
    order, losses = torch.randperm(len(part), generator=generator), []
    for chosen in order.split(recipe.batch):
        images = crop_and_flip(part.images[chosen], padding=recipe.image_size // 8, flip=True, generator=generator)
        loss = F.cross_entropy(_forward(model, images, recipe), part.labels[chosen], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def settle_norms(model: nn.Module, images: Tensor, recipe: Recipe) -> None:
    """Take batch norms' statistics anew: MobileNet's move by a hundredth a step and lag behind so short a training."""
    mean, deviation = normalisation(recipe)
    batches = [(to_pixels(batch) - mean) / deviation for batch in images.split(GRADED)]
    torch.optim.swa_utils.update_bn(batches, model)


def normalisation(recipe: Recipe) -> list[Tensor]:
    """Return mean and standard deviation, (1, 3, 1, 1) each."""
    return [torch.tensor(one).view(1, -1, 1, 1) for one in recipe.normalisation]


def _forward(model: nn.Module, images: Tensor, recipe: Recipe) -> Tensor:
    """Return the logits of uint8 images."""
    mean, deviation = normalisation(recipe)
    out = model((to_pixels(images) - mean) / deviation)
    return getattr(out, "logits", out)


@torch.no_grad()
def logits_of(model: nn.Module, images: Tensor, recipe: Recipe) -> Tensor:
    """Return the logits of uint8 images in evaluation mode, batch by batch."""
    model.eval()
    return torch.cat([_forward(model, batch, recipe) for batch in images.split(GRADED)])


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the accuracy in per cent."""
    return 100 * (logits.argmax(1) == labels).double().mean().item()


def _keep(out: Path, epoch: int, *parts: Any) -> None:
    """Write the state of an unfinished training."""
    unfinished = out / "training.tmp"
    torch.save({"epoch": epoch, "parts": [part.state_dict() for part in parts]}, unfinished)
    unfinished.replace(out / "training.pt")


def _resume(out: Path, *parts: Any) -> int:
    """Put the state of an unfinished training back; return how many epochs it has seen."""
    if not (out / "training.pt").exists():
        return 0
    state = torch.load(out / "training.pt", weights_only=True)
    for part, content in zip(parts, state["parts"], strict=True):
        part.load_state_dict(content)
    return state["epoch"]


def build(recipe: Recipe, class_names: tuple[str, ...]) -> nn.Module:
    """Return the network, untrained, with its classes."""
    return BUILDERS[recipe.library](recipe, class_names)


def _build_torchvision(recipe: Recipe, class_names: tuple[str, ...]) -> nn.Module:
    import torchvision

    return torchvision.models.get_model(recipe.network, weights=None, num_classes=len(class_names))


def _build_python(recipe: Recipe, _class_names: tuple[str, ...]) -> nn.Module:
    spec = importlib.util.spec_from_file_location("networks", Path(__file__).parent / "networks.py")
    networks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(networks)
    return getattr(networks, recipe.network)()


def _build_timm(recipe: Recipe, class_names: tuple[str, ...]) -> nn.Module:
    import timm

    return timm.create_model(recipe.network, num_classes=len(class_names), **recipe.arguments)


def _build_hf(recipe: Recipe, class_names: tuple[str, ...]) -> nn.Module:
    from transformers import AutoConfig, AutoModelForImageClassification

    names = dict(enumerate(class_names))
    numbers = {name: k for k, name in names.items()}
    config = AutoConfig.for_model(recipe.network, id2label=names, label2id=numbers, **recipe.arguments)
    return AutoModelForImageClassification.from_config(config)


BUILDERS: dict[str, Callable[[Recipe, tuple[str, ...]], nn.Module]] = {
    "torchvision": _build_torchvision,
    "python": _build_python,
    "timm": _build_timm,
    "hf": _build_hf,
}


def save(recipe: Recipe, model: nn.Module, class_names: tuple[str, ...], out: Path) -> None:
    """Write the trained network in its library's own format."""
    model = model.to(memory_format=torch.contiguous_format)
    if recipe.library == "timm":
        _save_timm(recipe, model, class_names, out / "model")
    elif recipe.library == "hf":
        _save_hf(recipe, model, out / "model")
    else:
        torch.save(model.state_dict(), out / "model.pth")
        (out / "classes.txt").write_text("\n".join(class_names) + "\n", encoding="utf-8")


def _save_timm(recipe: Recipe, model: nn.Module, class_names: tuple[str, ...], folder: Path) -> None:
    """Write weights and config.json as timm puts them on a hub."""
    from timm.models._hub import save_for_hf

    mean, deviation = recipe.normalisation
    shape = [3, recipe.image_size, recipe.image_size]
    read = {"input_size": shape, "mean": mean, "std": deviation, "crop_pct": 1.0, "interpolation": "bilinear"}
    config = {"label_names": list(class_names), "pretrained_cfg": read}
    save_for_hf(model, folder, config, model_args=recipe.arguments, safe_serialization=True)


def _save_hf(recipe: Recipe, model: Any, folder: Path) -> None:
    """Write weights, configuration and preprocessing as transformers does."""
    from transformers import ViTImageProcessor

    mean, deviation = recipe.normalisation
    side = {"height": recipe.image_size, "width": recipe.image_size}
    model.save_pretrained(folder)
    ViTImageProcessor(size=side, resample=2, image_mean=mean, image_std=deviation).save_pretrained(folder)


def measure(recipe: Recipe, out: Path) -> None:
    """Read a kept network back with its library and grade it there in float32; write about.json."""
    native = load_dataset(recipe.data, image_size=NATIVE[recipe.data])
    model = load(recipe, kept_in(recipe, out), native.class_names)
    prepare, labels = preprocessing(recipe, out), native.test.labels
    own = _owner_logits(model, native, prepare)
    about = {
        "model": option(recipe, out),
        "data": recipe.data,
        "image_size": recipe.image_size,
        "mean": recipe.normalisation[0],
        "std": recipe.normalisation[1],
        "parameters": sum(one.numel() for one in model.parameters()),
        f"accuracy_first_{FIRST}": accuracy(own[:FIRST], labels[:FIRST]),
        "accuracy": accuracy(own, labels),
    }
    (out / "about.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({"name": out.name} | about), flush=True)


@torch.no_grad()
def _owner_logits(model: nn.Module, native: DataSet, prepare: Callable[[Image], Tensor]) -> Tensor:
    """Return the logits of all test images, each prepared alone as a picture at its own size."""
    from torchvision.transforms.functional import to_pil_image

    found = []
    for batch in native.test.images.split(GRADED):
        out = model(torch.stack([prepare(to_pil_image(image)) for image in batch]))
        found.append(getattr(out, "logits", out))
    return torch.cat(found)


def load(recipe: Recipe, kept: Path, class_names: tuple[str, ...]) -> nn.Module:
    """Return a kept network as its owner would load it; a tensor that is missing or surplus is an error."""
    if recipe.library == "timm":
        import timm

        return timm.create_model(f"local-dir:{kept}", pretrained=True).eval()
    if recipe.library == "hf":
        from transformers import AutoModelForImageClassification

        network = AutoModelForImageClassification
        model, told = network.from_pretrained(kept, local_files_only=True, output_loading_info=True)
        if told["missing_keys"] or told["unexpected_keys"] or told["mismatched_keys"]:
            raise ValueError(f"{kept}: expected exactly the tensors of its network, got {told}")
        return model.eval()
    model = build(recipe, class_names)
    model.load_state_dict(torch.load(kept, weights_only=True), strict=True)
    return model.eval()


def kept_in(recipe: Recipe, folder: Path, stem: str = "model") -> Path:
    """Return the file or folder in which a network is kept."""
    return folder / (stem if recipe.library in {"timm", "hf"} else f"{stem}.pth")


def preprocessing(recipe: Recipe, out: Path) -> Callable[[Image], Tensor]:
    """Return what the owner does with one picture before the network."""
    if recipe.library == "timm":
        import timm

        model = timm.create_model(f"local-dir:{out / 'model'}")
        return timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    if recipe.library == "hf":
        from transformers import AutoImageProcessor

        processor = AutoImageProcessor.from_pretrained(out / "model", local_files_only=True)
        return lambda image: processor(image, return_tensors="pt")["pixel_values"][0]
    from torchvision.transforms import Compose, Normalize, Resize, ToTensor

    return Compose([Resize((recipe.image_size,) * 2), ToTensor(), Normalize(*recipe.normalisation)])


def table(out: Path) -> str:
    """Return one Markdown line a network that was measured."""
    lines = [
        "| name | network | data, images × epochs | px | parameters | test accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for name, recipe in RECIPES.items():
        if not (out / name / "about.json").exists():
            continue
        about = json.loads((out / name / "about.json").read_text(encoding="utf-8"))
        lines.append(
            f"| `{name}` | {recipe.library} {recipe.network} | {recipe.data}, {recipe.images:,} × {recipe.epochs} | "
            f"{recipe.image_size} | {about['parameters']:,} | "
            f"{about['accuracy']:.1f} ({about[f'accuracy_first_{FIRST}']:.1f}) |"
        )
    return "\n".join(lines)


def option(recipe: Recipe, out: Path) -> str:
    """Return what `--model` is given for a kept network."""
    options = {
        "torchvision": f"torchvision:{recipe.network}",
        "python": f"python:docs/measurements/networks.py:{recipe.network}",
        "timm": f"timm:{recipe.network}",
        "hf": f"hf:{out / 'model'}",
    }
    return options[recipe.library]


if __name__ == "__main__":
    sys.exit(main())
