"""What several runs on one model have in common, made once: proxies and subspaces, or the Fisher information."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.attacks.catalogue import attack_settings
from zspag_core.runs.stage_cache import StageCache

if TYPE_CHECKING:
    from zspag_core.methods.base import Method

PROXY_SETTINGS = ("attack", "n_adv", "full_classes", "coverage", "fill", *attack_settings())
SUBSPACE_SETTINGS = ("subspace", "energy", "tolerance", "pooling")
DEPENDS: dict[str, dict[str, tuple[str, ...]]] = {
    "zspag": {"logits": (), "proxies": PROXY_SETTINGS, "subspace": PROXY_SETTINGS + SUBSPACE_SETTINGS},
    "erase": {"proxies": ("images", "synthesis_steps", "crop", "flip", "cutout")},
    "fisher": {"unlearn": ("fisher_images",)},
}
"""Method -> stage that runs may share -> the settings that it depends on."""


def beginning_settings(method: str) -> frozenset[str]:
    """Return the settings of a method that its stages which runs may share depend on."""
    return frozenset(name for names in DEPENDS.get(method, {}).values() for name in names)


class SharedStages(StageCache):
    """Stages of earlier runs, each by everything that it depends on; nothing else is remembered."""

    def __init__(self, kept: dict[Any, Any], method: Method, forget: tuple[int, ...], seed: int) -> None:
        """Remember for one run.

        Args:
            kept: what all runs on the same model and the same forget samples share; it is filled.
            method: of this run.
            forget: the forgotten classes.
            seed: of this run.
        """
        self.kept, self.method, self.trial = kept, method, (method.name, forget, seed)
        self.depends = DEPENDS.get(method.name, {})

    def recall(self, part: str) -> Any:  # noqa: ANN401 - whatever was kept
        """Return what an earlier run with the same settings made of a stage."""
        return self.kept.get(self._key(part)) if part in self.depends else None

    def keep(self, part: str, value: object) -> None:
        """Keep a stage for later runs."""
        if part in self.depends:
            self.kept[self._key(part)] = value

    def _key(self, part: str) -> tuple[Any, ...]:
        return part, self.trial, *(getattr(self.method, name) for name in self.depends[part])
