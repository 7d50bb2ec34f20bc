"""Deep forgetting: what is left of a class below the final layer, which a masked logit or a new head cannot hide."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

from zspag_core.batching import images_at_once
from zspag_core.data.dataset import Split, to_pixels
from zspag_core.devices import device_of
from zspag_core.models.base import evaluating
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from zspag_core.data.dataset import DataSet
    from zspag_core.models.base import Classifier

PROBE_IMAGES = 3000
CHECKED_IMAGES = 256
CHECK_EVERY = 2
RELEARNED_SHARE = 0.9
RELEARNING_STEPS = 500
TIE = 1e-6  # probabilities closer than this are equal


@dataclass(frozen=True)
class Relearning:
    """How fast a forgotten class comes back.

    Attributes:
        steps: optimisation steps taken until the target was reached, or all that were allowed.
        reached: whether it was.
        acc_rt: accuracy on the remaining classes by then, percent, from at most 256 test images; None where there are
            none. Near 0 the class has not come back: everything is read as it.
    """

    steps: int
    reached: bool
    acc_rt: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return asdict(self)


def probe(
    features_train: Tensor,
    labels_train: Tensor,
    features_test: Tensor,
    labels_test: Tensor,
    forget_classes: Sequence[int],
    seed: int,
) -> float | None:
    """Compute how well a linear probe on frozen features still finds the forgotten classes.

    A multinomial logistic regression on standardised features learns all classes from at most 3,000 training images,
    equally many a class where there are enough (weights make up for the rest). The model's own final layer has no part
    in it. Equally probable classes count as chance.

    Args:
        features_train: (N, D) float, penultimate, of training images of all classes.
        labels_train: (N,) int64.
        features_test: (M, D) float, of test images; those of other classes are not looked at.
        labels_test: (M,) int64.
        forget_classes: whose test images are counted.
        seed: of the draw of training images.

    Returns:
        Accuracy on the forgotten classes' test images, percent; None without such images or with fewer than two
        classes to learn.

    Raises:
        ValueError: shapes do not fit or a feature is not finite.
    """
    _check_features(features_train, labels_train)
    _check_features(features_test, labels_test)
    asked = torch.isin(labels_test, torch.tensor(list(forget_classes), dtype=labels_test.dtype))
    if not bool(asked.any()) or len(torch.unique(labels_train)) < 2:
        return None
    order = torch.randperm(len(labels_train), generator=torch.Generator().manual_seed(seed))
    chosen = order[balanced(labels_train[order], PROBE_IMAGES)]
    hits = probe_hits(features_train[chosen], labels_train[chosen], features_test[asked], labels_test[asked])
    return 100 * float(np.mean(hits.numpy()))


def probe_hits(features_train: Tensor, labels_train: Tensor, features_test: Tensor, labels_test: Tensor) -> Tensor:
    """Fit the probe of :func:`probe` and return what it gets right of each test image.

    Args:
        features_train: (N, D) float.
        labels_train: (N,) int64, of at least two classes.
        features_test: (M, D) float.
        labels_test: (M,) int64.

    Returns:
        (M,) float64: 1 for the right class alone, 1/n where n equally probable ones hold the right one, else 0.
    """
    classifier = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
    fitted = make_pipeline(StandardScaler(), classifier)
    fitted.fit(features_train.double().numpy(), labels_train.numpy())
    probabilities = fitted.predict_proba(features_test.double().numpy())
    best = probabilities > probabilities.max(axis=1, keepdims=True) - TIE
    right = classifier.classes_ == labels_test.numpy()[:, None]
    return torch.from_numpy((best & right).sum(axis=1) / best.sum(axis=1))


def _check_features(features: Tensor, labels: Tensor) -> None:
    """Check one pair of features and labels."""
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        shapes = f"{tuple(features.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"features and labels: expected shapes (N, D) and (N,), got {shapes}")
    if not bool(features.isfinite().all()):
        raise ValueError("features: expected finite numbers, got NaN or infinity")


def balanced(labels: Tensor, count: int) -> Tensor:
    """Return the positions of the first samples of every class, equally many each and at most `count` together.

    Args:
        labels: (N,) int64, already in random order.
        count: most samples together; every class gets at least one.

    Returns:
        Positions, (<= count,) int64, ascending. A class with fewer samples than its share gives all it has.
    """
    classes = torch.unique(labels)
    share = max(1, count // max(1, len(classes)))
    places = [torch.nonzero(labels == label).flatten()[:share] for label in classes]
    return torch.cat([*places, torch.empty(0, dtype=torch.int64)]).sort().values


def relearning(
    model: Classifier,
    forget_train: Split,
    test: Split,
    target: float,
    *,
    lr: float = 0.001,
    batch_size: int = 64,
    max_steps: int = RELEARNING_STEPS,
    generator: torch.Generator,
    report: Reporter = SILENT,
) -> Relearning:
    """Count the plain fine-tuning steps on forget samples until the forgotten classes are recognised again.

    All weights of a copy are trained by SGD without momentum, BatchNorm in evaluation mode. So that the final layer
    cannot fake forgetting, every model starts from it in one neutral form: the forgotten classes' rows are zero, the
    remaining rows have mean zero, and their scale gives logits of mean square 1 on forget samples. A masked or very
    negative logit, a common offset and the scale of the layer thus change nothing; what counts is whether the features
    still hold the class and how far they point to others. The original itself therefore needs some steps too.

    Args:
        model: the classifier; left as it was.
        forget_train: images of the forgotten classes only, to learn from.
        test: images that are not learnt from. A fixed 256 of the same classes are to be recognised; as many of other
            classes, where there are some, are asked at the end.
        target: accuracy to reach, percent; by convention 90 % of the original model's.
        lr: learning rate.
        batch_size: images per step, drawn with replacement.
        max_steps: where to give up.
        generator: draws the images asked and learnt.
        report: receives progress at every step, as stage "relearning".

    Returns:
        The number of steps, seen at every second one, whether the target was reached, and what is left of the rest.

    Raises:
        ValueError: a split is empty, no class remains, or a number is out of range.

    Source: relearn time of Chundawat et al., Zero-shot machine unlearning, 2023, with the neutral start added here.
    """
    classes = torch.unique(forget_train.labels).tolist()
    known, others = test.of_classes(classes), test.without_classes(classes)
    _check_relearning(target, lr, batch_size, max_steps, len(forget_train), len(known))
    apart = torch.Generator().manual_seed(generator.initial_seed())  # the same images however many steps it takes
    asked, rest = known.sample(CHECKED_IMAGES, generator), others.sample(CHECKED_IMAGES, apart)
    pupil = copy.deepcopy(model).requires_grad_()
    with evaluating(pupil), torch.enable_grad():
        neutralise_head(pupil, forget_train.sample(CHECKED_IMAGES, generator))
        for step in range(max_steps + 1):
            report.progress("relearning", step, max_steps)
            reached = (step % CHECK_EVERY == 0 or step == max_steps) and accuracy_on(pupil, asked) >= target
            if reached:
                break
            if step < max_steps:
                place = torch.randint(len(forget_train), (batch_size,), generator=generator)
                descend(pupil, forget_train[place], lr)
        kept = accuracy_on(pupil, rest) if len(rest) else None
    return Relearning(step, reached, kept)


def relearn(
    model: Classifier,
    dataset: DataSet,
    forget_classes: Sequence[int],
    known: float | None,
    *,
    seed: int,
    max_steps: int = RELEARNING_STEPS,
    report: Reporter = SILENT,
) -> Relearning | None:
    """Count the steps until the forgotten classes are back at 90 % of the original model's accuracy.

    Args:
        model: the classifier; left as it was.
        dataset: whose images of the forgotten classes are learnt from and asked about.
        forget_classes: the forgotten classes.
        known: the original model's accuracy on them, percent.
        seed: the same seed gives the same figure, and models that are compared get the same images.
        max_steps: steps at most.
        report: see :func:`relearning`.

    Returns:
        The figure; None where one of the classes has no training images, or where the original knew no test image of
        theirs.
    """
    if not known or not all(bool((dataset.train.labels == k).any()) for k in forget_classes):
        return None
    train, target = dataset.train.of_classes(forget_classes), RELEARNED_SHARE * known
    generator = torch.Generator().manual_seed(seed)
    return relearning(model, train, dataset.test, target, max_steps=max_steps, generator=generator, report=report)


def anamnesis_index(steps: int | None, retrain_steps: int | None) -> float | None:
    """Compute how the relearning time compares with that of a model that never saw the class.

    Args:
        steps: of the unlearned model.
        retrain_steps: of the retrained model.

    Returns:
        steps / retrain_steps; 1 is ideal, less means that the class comes back sooner. None where either is unknown or
        the retrained model needed no step.

    Source: Chundawat et al., Zero-shot machine unlearning, 2023, equation of the Anamnesis Index.
    """
    if steps is None or not retrain_steps:
        return None
    return steps / retrain_steps


def neutralise_head(model: Classifier, forget: Split) -> None:
    """Zero the final layer's forgotten rows, centre the others and give their logits a mean square of 1 on `forget`."""
    head, gone = model.head, torch.unique(forget.labels)
    stays = torch.ones(len(head.weight), dtype=torch.bool)
    stays[gone] = False
    if not bool(stays.any()):
        raise ValueError("forget samples: expected at least one class to remain, got all of them")
    with torch.no_grad():
        for rows in filter(lambda part: part is not None, (head.weight, head.bias)):
            rows[stays] -= rows[stays].mean(dim=0)
            rows[~stays] = 0
        logits = _logits(model, forget)[:, stays]
        scale = logits.square().mean().sqrt().clamp(min=torch.finfo(logits.dtype).tiny)
        head.weight.div_(scale)
        if head.bias is not None:
            head.bias.div_(scale)


def descend(model: nn.Module, batch: Split, lr: float) -> None:
    """Take one step of plain gradient descent on the cross-entropy of a batch.

    Written out, since the first optimiser of a process makes torch import its compiler: 2.1 s of a short command.
    """
    device, weights = device_of(model), list(model.parameters())
    for part in torch.arange(len(batch)).split(images_at_once(model, batch.images, len(batch))):
        some = batch[part]
        loss = F.cross_entropy(model(to_pixels(some.images, device)), some.labels.to(device))
        (loss * (len(part) / len(batch))).backward()
    with torch.no_grad():
        for weight in weights:
            if weight.grad is not None:  # an auxiliary head has none, for example
                weight.sub_(weight.grad, alpha=lr)
                weight.grad = None


@torch.inference_mode()
def accuracy_on(model: nn.Module, split: Split) -> float:
    """Return the accuracy on a small split, percent."""
    device = device_of(model)
    answers = _logits(model, split).argmax(dim=1)
    return 100 * float((answers == split.labels.to(device)).double().mean())


def _logits(model: nn.Module, few: Split) -> Tensor:
    """Return the logits of a small split, on the model's device."""
    parts = few.images.split(images_at_once(model, few.images, CHECKED_IMAGES))
    return torch.cat([model(to_pixels(part, device_of(model))) for part in parts])


def _check_relearning(target: float, lr: float, batch_size: int, max_steps: int, train: int, test: int) -> None:
    """Check the numbers of :func:`relearning`."""
    if not train or not test:
        raise ValueError(f"forget samples: expected some to learn from and some to ask about, got {train} and {test}")
    if not 0 < target <= 100:
        raise ValueError(f"target: expected a percentage above 0, got {target}")
    if lr <= 0 or batch_size < 1 or max_steps < 1:
        given = f"{lr}, {batch_size} and {max_steps}"
        raise ValueError(f"lr, batch_size and max_steps: expected positive numbers, got {given}")
