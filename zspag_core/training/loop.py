"""Training a classifier, also with some classes left out (the retrained reference) or with a backdoor."""

from __future__ import annotations

import copy
import math
import pickle
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, update_bn

from zspag_core.batching import images_at_once
from zspag_core.data.augment import crop_and_flip, cut_out
from zspag_core.data.dataset import to_pixels
from zspag_core.data.images import in_memory
from zspag_core.devices import chance, fits_beside_work, mixed_precision, place, plain_attention
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.files import replace_file
from zspag_core.models import initialise
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier, ModelConfig
    from zspag_core.recipes import Recipe

STATISTICS_IMAGES = 10_000  # from which an averaged network's BatchNorm statistics are taken anew
WATCHED_IMAGES = 2000  # of the test split, graded after every epoch: within 1 % of the truth, and quick


@dataclass
class Trained:
    """A trained classifier and how it got there.

    Attributes:
        model: the classifier, on the device it was trained on, in eval mode.
        history: per finished epoch, its number, mean training loss and training accuracy in percent; also the test
            accuracy, where there were test images to watch.
        stopped: "epochs" or "cancelled".
    """

    model: Classifier
    history: list[dict[str, float]] = field(default_factory=list)
    stopped: str = "epochs"


def mean_of(models: Sequence[Classifier]) -> Classifier:
    """Return a classifier whose weights and statistics are the mean of those of equal networks."""
    mean = AveragedModel(models[0], use_buffers=True)
    for model in models:
        mean.update_parameters(model)
    found = copy.deepcopy(models[0])
    found.load_state_dict(mean.module.state_dict())
    return found


def train(
    config: ModelConfig,
    split: Split,
    recipe: Recipe,
    *,
    device: torch.device,
    start: Classifier | None = None,
    state_path: Path | None = None,
    watched: Split | None = None,
    report: Reporter = SILENT,
) -> Trained:
    """Train a classifier from scratch or from a start, or from where an interrupted training of the same recipe was.

    Args:
        config: sizes of the network.
        split: training images; labels below `config.num_classes`.
        recipe: how to train.
        device: where.
        start: a network of these sizes whose weights are gone on from; it is not changed. None draws new ones.
        state_path: file that keeps the state after every epoch; read when it exists and belongs to this recipe.
        watched: test images that are graded after every epoch; nothing is learnt or chosen from them.
        report: receives progress, and again the epochs of an interrupted training; may raise Cancelled, which ends
            training after the current batch.

    Raises:
        UnlearningError: the loss became NaN.
    """
    session = _Session(config, split, recipe, device, start)
    if state_path is not None:
        session.restore(state_path)
        if session.epoch:
            report.note(f"going on with an interrupted training, after epoch {session.epoch}")
        session.save(state_path)  # also before the first epoch: whose file it is must be known when that is cancelled
    try:
        for row in session.trained.history:
            session.tell(row, report)
        while session.epoch < recipe.epochs:
            row = session.run_epoch(watched, report)
            if state_path is not None:
                session.save(state_path)
            session.tell(row, report)
    except Cancelled:
        session.trained.stopped = "cancelled"
    session.finish()
    return session.trained


class _Session:
    """The moving parts of one training: model, optimiser, schedule, generator, epoch."""

    def __init__(
        self, config: ModelConfig, split: Split, recipe: Recipe, device: torch.device, start: Classifier | None
    ) -> None:
        self.recipe, self.device, self.epoch = recipe, device, 0
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.split = split.sample(recipe.train_limit, self.generator) if recipe.train_limit else split
        self.identity = repr((config, recipe, len(self.split), self.split.fingerprint()))
        if fits_beside_work(self.split.images, device):  # where they are indexed and moved without the processor
            self.split = self.split.to(device)
        if start is not None:
            self.identity += f" from {weights_fingerprint(start)}"
        model = place(copy.deepcopy(start) if start is not None else initialise(config, recipe.seed), device)
        self.trained = Trained(model)
        self.optimizer = _optimizer(model, recipe)
        self.average = AveragedModel(model) if recipe.averaged else None
        self.steps = math.ceil(len(self.split) / recipe.batch_size)

    def chance(self) -> AbstractContextManager[None]:
        """Let dropout draw from this training's seed and from where it stands; its own generator is left as it is.

        So it needs no state of its own, and networks without dropout are trained as if there were none.
        """
        ahead = torch.Generator()
        ahead.set_state(self.generator.get_state())
        return chance(int(torch.randint(2**31, (), generator=ahead)), self.device)

    def run_epoch(self, watched: Split | None, report: Reporter) -> dict[str, float]:
        """Make one pass over the training images in a new random order; return its figures."""
        with self.chance():
            return self._run_epoch(watched, report)

    def _run_epoch(self, watched: Split | None, report: Reporter) -> dict[str, float]:
        model = self.trained.model.train()
        order = torch.randperm(len(self.split), generator=self.generator)
        loss_sum = correct = 0.0
        for step, index in enumerate(order.split(self.recipe.batch_size)):
            self._set_learning_rate(self.epoch + step / self.steps)
            batch = self.split[index]
            loss, hits = self._step(model, batch)
            loss_sum, correct = loss_sum + loss * len(batch), correct + hits
            report.progress("train", self.epoch * self.steps + step + 1, self.recipe.epochs * self.steps, loss=loss)
        self.epoch += 1
        if self.average is not None and self.epoch > self.recipe.epochs - self.recipe.averaged:
            self.average.update_parameters(model)
        row = {
            "epoch": self.epoch,
            "loss": loss_sum / len(self.split),
            "train_accuracy": 100 * correct / len(self.split),
        }
        if watched is not None:
            here = ("train", self.epoch * self.steps, self.recipe.epochs * self.steps)
            batch_size = self.recipe.batch_size
            row["test_accuracy"] = accuracy(
                model, watched, self.device, batch_size, tick=lambda *_: report.progress(*here)
            )
        self.trained.history.append(row)
        return row

    def tell(self, row: Mapping[str, float], report: Reporter) -> None:
        """Report an epoch that has ended."""
        figures = {name: value for name, value in row.items() if name != "epoch"}
        report.epoch(int(row["epoch"]), self.recipe.epochs, self.trained.model, **figures)

    def finish(self) -> None:
        """Put the average in the model's place, where one was asked for and begun; leave the model in eval mode."""
        if self.average is not None and int(self.average.n_averaged):
            drawn = torch.randperm(len(self.split), generator=self.generator)[:STATISTICS_IMAGES]
            batches = (to_pixels(self._augment(in_memory(self.split[i].images)), self.device) for i in drawn.split(256))
            with self.chance():
                update_bn(batches, self.average)
            self.trained.model.load_state_dict(self.average.module.state_dict())
        self.trained.model.eval()

    def _augment(self, images: Tensor) -> Tensor:
        """Return uint8 images as one step sees them."""
        recipe, generator = self.recipe, self.generator
        images = crop_and_flip(images, padding=recipe.crop, flip=recipe.flip, generator=generator)
        return cut_out(images, side=recipe.cutout, generator=generator)

    def _step(self, model: Classifier, batch: Split) -> tuple[float, int]:
        """Take one optimiser step; return the loss and the number of right answers."""
        images = self._augment(in_memory(batch.images))
        labels = batch.labels.to(self.device)
        with mixed_precision(self.device), plain_attention(self.device):
            logits = model(to_pixels(images, self.device))
            loss = F.cross_entropy(logits, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.recipe.optimizer == "adamw":
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        self.optimizer.step()
        value = loss.item()
        if not math.isfinite(value):
            raise UnlearningError(
                f"training stopped in epoch {self.epoch + 1}: the loss is {value}; try a smaller learning_rate"
            )
        return value, int((logits.argmax(1) == labels).sum())

    def _set_learning_rate(self, epoch: float) -> None:
        """Rise linearly to the peak, then fall along a cosine to zero (one cycle; Smith, 2018).

        Where epochs are averaged, it stays at what it was when they begin (stochastic weight averaging; Izmailov and
        others, 2018).
        """
        done = min(epoch, max(0, self.recipe.epochs - self.recipe.averaged)) / self.recipe.epochs
        if done < self.recipe.warmup:
            factor = (done + 0.01) / (self.recipe.warmup + 0.01)
        else:
            factor = 0.5 + 0.5 * math.cos(math.pi * (done - self.recipe.warmup) / (1 - self.recipe.warmup))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * factor

    def save(self, path: Path) -> None:
        """Write everything that the next epoch depends on."""
        state = {
            "identity": self.identity,
            "epoch": self.epoch,
            "history": self.trained.history,
            "model": self.trained.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        with replace_file(path) as partial:
            torch.save(state, partial)

    def restore(self, path: Path) -> None:
        """Continue from a saved state if it is of this very training; otherwise start anew."""
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (FileNotFoundError, pickle.UnpicklingError, RuntimeError, EOFError):  # none, cut off, or not ours
            return
        if state.get("identity") != self.identity:
            return
        self.epoch, self.trained.history = state["epoch"], state["history"]
        self.trained.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def weights_fingerprint(model: Classifier) -> int:
    """Return a number that tells one set of weights from another."""
    crc = 0
    for value in model.state_dict().values():
        crc = zlib.crc32(value.detach().cpu().numpy().tobytes(), crc)
    return crc


@torch.inference_mode()
def accuracy(
    model: Classifier,
    split: Split,
    device: torch.device,
    batch_size: int | None = None,
    *,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> float:
    """Return the share of right answers in percent, computed in mixed precision; the model is left in eval mode.

    Args:
        model: the classifier, on the device.
        split: labelled images.
        device: where to compute.
        batch_size: images per pass; what suits the device when None.
        tick: called after every pass with the numbers of images done and to do.
    """
    model.eval()
    correct = done = 0
    size = batch_size or images_at_once(model, split.images)
    for images, labels in zip(split.images.split(size), split.labels.split(size), strict=True):
        with mixed_precision(device):
            correct += int((model(to_pixels(images, device)).argmax(1).cpu() == labels).sum())
        done += len(labels)
        tick(done, len(split))
    return 100 * correct / max(1, len(split))


def _optimizer(model: Classifier, recipe: Recipe) -> torch.optim.Optimizer:
    """Build the optimiser; weight decay is for matrices and kernels, not for biases, norms and tokens."""
    decayed = [p for p in model.parameters() if p.ndim > 1 and p.shape[0] != 1]
    others = [p for p in model.parameters() if p.ndim <= 1 or p.shape[0] == 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=True)
