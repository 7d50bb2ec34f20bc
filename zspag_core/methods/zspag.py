"""ZS-PAG: proxies, protected subspace, influence-based pseudo-labels, projected descent (Chen et al.)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zspag_core import pseudo_labels
from zspag_core.errors import Cancelled
from zspag_core.methods.base import Unlearned, staged, timed
from zspag_core.methods.descent import descend
from zspag_core.methods.stages import Stages
from zspag_core.methods.zspag_settings import ZSPAGSettings
from zspag_core.metrics.predictions import logits_of
from zspag_core.narrowing import check_narrow, narrow

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.methods.projected_sgd import Pull
    from zspag_core.models import Classifier
    from zspag_core.proxies import ProxySet
    from zspag_core.pseudo_labels import PseudoLabels
    from zspag_core.runs.context import RunContext
    from zspag_core.subspace import Subspace


@dataclass(frozen=True, kw_only=True)
class ZSPAG(ZSPAGSettings):
    """Zero-shot unlearning with proxy adversarial data generation."""

    def check(self, model: Classifier, classes: tuple[int, ...]) -> None:
        """Refuse to narrow what cannot be narrowed."""
        if self.narrow:
            check_narrow(model, classes)

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Make proxies, find what they use, choose labels, descend outside of it."""
        self.check(model, classes)
        run = Unlearned(model)
        barred = pseudo_labels.barred_labels(forget.labels, classes, model.config.num_classes)
        try:
            proxies, subspace, labels, pull = self._prepare(run, model, forget, classes, barred, context)
        except Cancelled:
            run.stopped = "cancelled"
            return run
        with timed(run.seconds, "unlearn"):
            descent = descend(
                model,
                forget.images,
                labels.labels,
                barred,
                self.schedule(),
                subspace=subspace,
                proxies=proxies,
                pull=pull,
                context=context,
            )
        run.end(descent)
        if self.narrow and run.stopped != "cancelled":
            self._narrow(run, forget, classes, proxies, context)
        return run

    def _narrow(
        self,
        run: Unlearned,
        forget: Split,
        classes: tuple[int, ...],
        proxies: ProxySet,
        context: RunContext,
    ) -> None:
        """Rewrite what writes the features of the model that the descent came to."""
        images = [forget.images, proxies.images]
        try:
            with timed(run.seconds, "narrow"):
                found = narrow(
                    run.model, images, classes, passes=self.narrow, generator=context.generator, report=context.report
                )
        except Cancelled:
            run.stopped = "cancelled"
        else:
            run.model, run.rewritten = found.model, found.rewritten

    def _prepare(
        self,
        run: Unlearned,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        barred: Tensor,
        context: RunContext,
    ) -> tuple[ProxySet, Subspace, PseudoLabels, Pull | None]:
        """Carry out the stages before the descent, as far as they are not remembered, and note them in the record."""
        stages, proxies, subspace = self._shareable(run, model, forget, classes, barred, context)
        run.proxies, run.subspace = proxies, subspace
        labels = run.labels = staged(run, context, "labels", make=lambda: stages.labels(proxies, subspace))
        with timed(run.seconds, "labels"):
            pull = stages.pull(proxies, labels)
        return proxies, subspace, labels, pull

    def make_ahead(self, model: Classifier, forget: Split, classes: tuple[int, ...], context: RunContext) -> None:
        """Make proxies and subspace."""
        barred = pseudo_labels.barred_labels(forget.labels, classes, model.config.num_classes)
        self._shareable(Unlearned(model), model, forget, classes, barred, context)

    def _shareable(
        self,
        run: Unlearned,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        barred: Tensor,
        context: RunContext,
    ) -> tuple[Stages, ProxySet, Subspace]:
        """Carry out the stages that runs may share, as far as they are not remembered; return them with all stages."""
        with timed(run.seconds, "proxies"):
            logits: Tensor = context.cache.once("logits", lambda: logits_of(model, forget.images))
        stages = Stages(self, model, forget, logits, classes, barred, context.generator, context.report)
        proxies: ProxySet = staged(run, context, "proxies", make=stages.proxies)
        subspace: Subspace = staged(run, context, "subspace", make=lambda: stages.subspace(proxies))
        return stages, proxies, subspace
