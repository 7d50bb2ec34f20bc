"""What ZS-PAG does before its descent: proxies, the subspace that they use, labels for the forget samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zspag_core import pseudo_labels
from zspag_core.influence import inverse_direction, label_influences, project_direction
from zspag_core.layers import weight_layers
from zspag_core.methods.projected_sgd import Pull
from zspag_core.metrics.predictions import outputs_of, outputs_of_pixels
from zspag_core.proxies import generate_proxies
from zspag_core.pseudo_labels import PseudoLabels
from zspag_core.quota import proxies_per_class
from zspag_core.subspace import empty_subspace, estimate_subspace, random_subspace

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.methods.zspag_settings import ZSPAGSettings
    from zspag_core.models import Classifier
    from zspag_core.progress import Reporter
    from zspag_core.proxies import ProxySet
    from zspag_core.subspace import Subspace


TINY = 1e-12


@dataclass(frozen=True)
class Stages:
    """The three stages of one run, in the order in which they are carried out.

    Attributes:
        settings: the method's hyper-parameters.
        model: the original model.
        forget: the forget samples, N of them.
        logits: (N, classes), the original model's logits of them.
        classes: the forgotten classes.
        barred: (N, classes) bool, see :func:`zspag_core.pseudo_labels.barred_labels`.
        generator: source of randomness, on the CPU.
        report: receives progress.
    """

    settings: ZSPAGSettings
    model: Classifier
    forget: Split
    logits: Tensor
    classes: tuple[int, ...]
    barred: Tensor
    generator: torch.Generator
    report: Reporter

    def proxies(self) -> ProxySet:
        """Stage 1."""
        settings = self.settings
        return generate_proxies(
            self.model,
            self.forget,
            self.logits,
            self.barred,
            settings.build_attack(),
            n_adv=proxies_per_class(settings.n_adv, settings.full_classes, self.logits.shape[1] - len(self.classes)),
            fill=settings.fill if settings.coverage == "balanced" else 0.0,
            generator=self.generator,
            report=self.report,
        )

    def subspace(self, proxies: ProxySet) -> Subspace:
        """Stage 2, or the ablation that stands in for it."""
        settings = self.settings
        if settings.subspace == "none":
            return empty_subspace(self.model)
        remaining = [k for k in range(self.logits.shape[1]) if k not in self.classes]
        estimated = estimate_subspace(
            self.model,
            proxies,
            remaining,
            energy=settings.energy,
            tolerance=settings.tolerance,
            pooling=settings.pooling,
            report=self.report,
        )
        return random_subspace(estimated, self.generator) if settings.subspace == "random" else estimated

    def labels(self, proxies: ProxySet, subspace: Subspace) -> PseudoLabels:
        """Stage 3."""
        mode, logits, barred = self.settings.label_mode, self.logits, self.barred
        self.report.progress("labels", 0, len(self.forget))  # heard of also where it takes no time
        if mode == "random":
            return PseudoLabels(pseudo_labels.random_labels(barred, self.generator), mode)
        if mode == "second_best":
            return PseudoLabels(pseudo_labels.second_best_labels(logits, barred), mode)
        posterior = pseudo_labels.posterior_labels(logits, barred)
        if mode == "posterior":
            return PseudoLabels(posterior, mode)
        influences, residual, share = self._influences(proxies, subspace)
        labels = self._influenced(influences)
        before, after = (pseudo_labels.predicted_change(influences, y) for y in (posterior, labels))
        return PseudoLabels(labels, mode, before, after, residual, share, influences)

    def pull(self, proxies: ProxySet, labels: PseudoLabels) -> Pull | None:
        """Return where the forget samples' features are drawn to: the mean features of the classes they are taught.

        The mean features of a class are those of its proxies, as the original model sees them. The weight is relative:
        at the start, a `deep` of 1 adds 1 to the loss.
        """
        if not self.settings.deep:
            return None
        reached = proxies.labels.unique()
        features = outputs_of_pixels(self.model, proxies.images).features
        means = torch.stack([features[proxies.labels == k].mean(0) for k in reached])
        shares = labels.labels[:, reached]
        shares = (shares + TINY) / (shares + TINY).sum(1, keepdim=True)
        targets = shares @ means
        start = outputs_of(self.model, self.forget.images).features
        apart = float((start - targets).square().sum(1).mean())
        return Pull(targets, self.settings.deep / max(apart, TINY))

    def _influenced(self, influences: Tensor) -> Tensor:
        """Return the labels (N, classes) that influence chooses, freely or near the posterior."""
        settings = self.settings
        if settings.label_mode == "influence":
            return pseudo_labels.influence_labels(
                influences,
                self.forget.labels,
                self.barred,
                sign=settings.influence_sign,
                divergence=settings.influence_divergence,
                generator=self.generator,
            )
        return pseudo_labels.anchored_labels(
            influences, self.logits, self.barred, sign=settings.influence_sign, trust=settings.influence_trust
        )

    def _influences(self, proxies: ProxySet, subspace: Subspace) -> tuple[Tensor, float, float]:
        """Return c of every forget sample and label, the solver's residual and the share of s that steps can follow."""
        model, settings = self.model, self.settings
        device = model.head.weight.device
        drawn = torch.randperm(len(proxies), generator=self.generator)[: settings.influence_images]
        movable = [f"{name}.weight" for name in weight_layers(model) if not subspace.layers[name].full]
        solved = inverse_direction(
            model,
            proxies.images[drawn].to(device).float(),
            proxies.labels[drawn].to(device),
            movable,
            damping=settings.damping,
            steps=settings.cg_steps,
            report=self.report,
        )
        projected, share = project_direction(model, solved.direction, subspace)
        direction = projected if settings.influence_projected else solved.direction
        return label_influences(model, direction, self.forget.images, report=self.report), solved.residual, share
