"""What can be said of a run with the images to forget and the proxies alone: estimates, since the method saw both."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from zspag_core.metrics.accuracy import percent
from zspag_core.metrics.membership import same_class
from zspag_core.metrics.predictions import LabelledLogits, logits_of, outputs_of_pixels

if TYPE_CHECKING:
    from zspag_core.data.dataset import Split
    from zspag_core.models.base import Classifier
    from zspag_core.proxies import ProxySet


def estimate(model: Classifier, forget: Split, held_out: Split, proxies: ProxySet | None, seed: int) -> dict[str, Any]:
    """Compute what one model makes of the forget images and of the proxies.

    Args:
        model: before or after unlearning.
        forget: the images that the method saw, under their own labels.
        held_out: images of the same classes that it did not see; may be empty.
        proxies: stand-ins for the remaining classes, None where the method makes none.
        seed: of the same-class attack.

    Returns:
        {"forget_accuracy": percent of the forget images read as their class, "held_out_accuracy": likewise of those
        held out, "proxy_agreement": percent of the proxies read as the class that they stand for, "same_class": how
        well forget images are told from held-out ones, as in result.json}; what there are no images for is None.
    """
    seen, unseen = (LabelledLogits(logits_of(model, part.images), part.labels) for part in (forget, held_out))
    attack = asdict(same_class(seen, unseen, seed=seed))
    interval = attack["auc_ci"]
    return {
        "forget_accuracy": percent(seen.logits.argmax(1) == seen.labels),
        "held_out_accuracy": percent(unseen.logits.argmax(1) == unseen.labels),
        "proxy_agreement": _agreement(model, proxies),
        "same_class": None if interval is None else attack | {"auc_ci": list(interval)},
    }


def _agreement(model: Classifier, proxies: ProxySet | None) -> float | None:
    """Return how many proxies a model reads as the class that they stand for, percent."""
    if proxies is None or not len(proxies):
        return None
    return percent(outputs_of_pixels(model, proxies.images).logits.argmax(1) == proxies.labels)
