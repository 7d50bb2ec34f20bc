"""The trials behind docs/choices.md, "Who was trained on": what forget images are taught, and who can still be told.

    python docs/measurements/members.py --seeds 0 1 2 --out members    # prints a row a trial

A ResNet learns some CIFAR-10 images by heart, without augmentation, another one all but the forgotten class. ZS-PAG
then forgets cat with its proxies and subspace as they are and other images and labels in the descent. Two attacks tell
forgotten training from forgotten test images: by the loss of the forgotten class, and by the answers over the remaining
classes.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402
from sklearn.model_selection import StratifiedKFold, cross_val_predict  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from torch import Tensor  # noqa: E402

from zspag_core.checkpoints import load_checkpoint, save_checkpoint  # noqa: E402
from zspag_core.data.augment import crop_and_flip, cut_out  # noqa: E402
from zspag_core.data.images import in_memory  # noqa: E402
from zspag_core.data.sources import load_dataset  # noqa: E402
from zspag_core.methods import find_method  # noqa: E402
from zspag_core.methods.descent import descend  # noqa: E402
from zspag_core.methods.stages import Stages  # noqa: E402
from zspag_core.metrics.membership import same_class  # noqa: E402
from zspag_core.metrics.predictions import LabelledLogits, logits_of  # noqa: E402
from zspag_core.models import named_config  # noqa: E402
from zspag_core.progress import SILENT  # noqa: E402
from zspag_core.pseudo_labels import barred_labels, posterior_labels  # noqa: E402
from zspag_core.recipes import Recipe  # noqa: E402
from zspag_core.runs.context import RunContext  # noqa: E402
from zspag_core.training.loop import train  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zspag_core.data.dataset import DataSet, Split
    from zspag_core.models import Classifier

GONE = 3
CPU = torch.device("cpu")
COPIES = 8


class Trial(NamedTuple):
    """What the descent is given.

    Attributes:
        name: for the table.
        images: (N, C, H, W) uint8, the forget images or several copies of all.
        labels: (N, classes), soft.
        epochs: how many are made; 0 for as many as the rule takes.
    """

    name: str
    images: Tensor
    labels: Tensor
    epochs: int = 0


def learnt_by_heart(split: Split, data: DataSet, seed: int, epochs: int, model: str, path: Path) -> Classifier:
    """Return a network that was trained on a split without augmentation, from its file where it is there."""
    if not path.exists():
        mean, std = data.train.channel_statistics()
        config = named_config(model, num_classes=10, image_size=32, mean=mean, std=std)
        recipe = Recipe(epochs=epochs, crop=0, flip=False, batch_size=64, seed=seed)
        save_checkpoint(path, train(config, split, recipe, device=CPU).model, {"data": data.name})
    return load_checkpoint(path).model.eval()


def neighbours(images: Tensor, seed: int, crop: int, cutout: int) -> Iterator[Tensor]:
    """Yield copies of all images, each moved, mirrored or not, with a square blackened."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(COPIES):
        moved = crop_and_flip(images, padding=crop, flip=True, generator=generator)
        yield cut_out(moved, side=cutout, generator=generator)


def lowered(logits: Tensor, barred: Tensor) -> Tensor:
    """Return probabilities with barred logits lowered, all alike, until hardly an image is read as a barred class."""
    lead = logits.masked_fill(~barred, -torch.inf).amax(1) - logits.masked_fill(barred, -torch.inf).amax(1)
    return (logits - lead.quantile(0.995).clamp_min(0) * barred).softmax(1)


def trials(model: Classifier, forget: Split, barred: Tensor, seed: int) -> Iterator[Trial]:
    """Yield every trial."""
    images = in_memory(forget.images)
    logits = logits_of(model, images)
    own = posterior_labels(logits, barred)
    near = list(neighbours(images, seed, 4, 0))
    said = [logits_of(model, copy) for copy in near]
    told = [posterior_labels(one, barred) for one in said]
    mean = torch.stack(told).mean(0)
    cut = [posterior_labels(logits_of(model, copy), barred) for copy in neighbours(images, seed, 4, 8)]
    yield Trial("own answer (as today)", images, own)
    yield Trial("neighbours' answer", images, mean)
    yield Trial("neighbours' answer, cut out, too", images, torch.stack(cut).mean(0))
    yield Trial("half own, half neighbours'", images, (own + mean) / 2)
    yield Trial(
        "neighbours taught beside, each its own answer", torch.cat([images, *near[:3]]), torch.cat([own, *told[:3]])
    )
    yield Trial("neighbours taught beside, all the mean answer", torch.cat([images, *near[:3]]), mean.repeat(4, 1))
    yield Trial("own answer, 60 epochs", images, own, 60)
    yield Trial("neighbours' answer, 60 epochs", images, mean, 60)
    yield Trial("one neighbour's answer with the forgotten output lowered", images, lowered(said[0], barred))
    yield Trial("the same, 60 epochs", images, lowered(said[0], barred), 60)


def told_by_the_rest(members: LabelledLogits, strangers: LabelledLogits, seed: int) -> float:
    """Return the AUC of an attack on the answers over the remaining classes alone, sorted, percent."""
    logits = torch.cat([members.logits, strangers.logits]).double()
    logits[:, GONE] = -torch.inf
    kept = logits.log_softmax(1).sort(descending=True).values[:, :-1].clamp_min(-30).numpy()
    marks = [1] * len(members) + [0] * len(strangers)
    attack = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    splits = StratifiedKFold(5, shuffle=True, random_state=seed)
    return 100 * roc_auc_score(marks, cross_val_predict(attack, kept, marks, cv=splits, method="decision_function"))


def grade(model: Classifier, learnt: Split, test: Split, seed: int) -> str:
    """Return accuracies and both attacks as the cells of a row."""
    logits = logits_of(model, test.images)
    right, mine = logits.argmax(1) == test.labels, test.labels == GONE
    gone = learnt.of_classes([GONE])
    members = LabelledLogits(logits_of(model, gone.images), gone.labels)
    strangers = LabelledLogits(logits, test.labels)[mine]
    strangers = strangers[torch.randperm(len(strangers), generator=torch.Generator().manual_seed(seed))[: len(members)]]
    auc = same_class(members, strangers, seed=seed).auc
    rest, losses = told_by_the_rest(members, strangers, seed), (members.loss.mean(), strangers.loss.mean())
    kept, left = (100 * right[part].double().mean() for part in (~mine, mine))
    return f"{kept:.2f} | {left:.2f} | {auc:.1f} | {rest:.1f} | {losses[0]:.2f}, {losses[1]:.2f}"


def main() -> None:
    """Make the trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--trained", type=int, default=None, help="seed of the networks; that of the trial when absent")
    parser.add_argument("--only", nargs="+", default=None, help="names of trials")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--model", default="resnet_tiny")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    data = load_dataset("cifar10", image_size=32, channels=3)
    test = data.test[torch.arange(0, len(data.test), 3)]
    for seed in chosen.seeds:
        first = seed if chosen.trained is None else chosen.trained
        drawn = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(first))
        learnt = data.train[drawn[: chosen.images]]
        make = (data, first, chosen.epochs, chosen.model)
        model = learnt_by_heart(learnt, *make, chosen.out / f"original{first}.safetensors")
        print(f"| {seed} | original | {grade(model, learnt, test, seed)} | |", flush=True)
        without = learnt_by_heart(learnt.without_classes([GONE]), *make, chosen.out / f"retrain{first}.safetensors")
        print(f"| {seed} | Retrain | {grade(without, learnt, test, seed)} | |", flush=True)
        forget, method = learnt.of_classes([GONE]), find_method("zspag")()
        barred = barred_labels(forget.labels, (GONE,), 10)
        generator = torch.Generator().manual_seed(seed)
        known = logits_of(model, forget.images)
        stages = Stages(method, model, forget, known, (GONE,), barred, generator, SILENT)
        proxies = stages.proxies()
        subspace = stages.subspace(proxies)
        for trial in trials(model, forget, barred, seed):
            if chosen.only and trial.name not in chosen.only:
                continue
            start = time.process_time()
            schedule = method.schedule()
            if trial.epochs:
                schedule = replace(schedule, epochs=trial.epochs, rule=replace(schedule.rule, forget_accuracy=None))
            found = descend(
                model,
                trial.images,
                trial.labels,
                barred.repeat(len(trial.images) // len(forget), 1),
                schedule,
                subspace=subspace,
                proxies=proxies,
                context=RunContext(torch.Generator().manual_seed(seed)),
            )
            cells = grade(found.model, learnt, test, seed)
            spent = f"{len(found.history)} ({time.process_time() - start:.0f} s)"
            print(f"| {seed} | {trial.name} | {cells} | {spent} |", flush=True)


if __name__ == "__main__":
    main()
