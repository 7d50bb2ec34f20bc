"""Every attack's facts, each once: name, program, and which settings of ZS-PAG fill which of its own; without torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from zspag_core.plugins import ATTACKS, by_key, load_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.attacks.base import Attack


@dataclass(frozen=True, kw_only=True)
class AttackEntry:
    """What is known of an attack.

    Attributes:
        key: its name in settings and records.
        title: its name for people.
        program: the class, or "module:class", which is imported when it is needed.
        settings: field of the attack -> the setting of ZS-PAG that fills it; all other fields keep their defaults.
    """

    key: str
    title: str
    program: str | type[Attack]
    settings: Mapping[str, str]

    def load(self) -> type[Attack]:
        """Return the attack's class.

        Raises:
            UsageError: the program is not there, or is no attack.
        """
        from zspag_core.attacks.base import Attack

        return load_class(self.program, Attack, f"attack {self.key}")  # type: ignore[type-abstract]  # a base is meant


BUILT_IN = (
    AttackEntry(
        key="pgd",
        title="PGD",
        program="zspag_core.attacks.pgd:PGD",
        settings={
            "epsilon": "epsilon",
            "steps": "attack_steps",
            "step_size": "step_size",
            "random_start": "random_start",
            "confidence": "attack_confidence",
        },
    ),
    AttackEntry(
        key="fgsm",
        title="FGSM",
        program="zspag_core.attacks.fgsm:FGSM",
        settings={"epsilon": "epsilon", "confidence": "attack_confidence"},
    ),
    AttackEntry(
        key="cw",
        title="C&W",
        program="zspag_core.attacks.cw:CarliniWagner",
        settings={
            "epsilon_l2": "epsilon_l2",
            "steps": "attack_steps",
            "searches": "cw_searches",
            "learning_rate": "cw_rate",
            "confidence": "attack_confidence",
        },
    ),
    AttackEntry(
        key="deepfool",
        title="DeepFool",
        program="zspag_core.attacks.deepfool:DeepFool",
        settings={
            "epsilon_l2": "epsilon_l2",
            "steps": "attack_steps",
            "overshoot": "overshoot",
            "confidence": "attack_confidence",
        },
    ),
)


@cache
def attack_entries() -> Mapping[str, AttackEntry]:
    """Return every attack by its key: those of this project, then those from outside.

    Raises:
        UsageError: a plug-in cannot be loaded, or takes a key that is taken.
    """
    return by_key(BUILT_IN, ATTACKS, "an attack")


def attack_settings() -> tuple[str, ...]:
    """Return every setting of ZS-PAG that some attack reads, each once."""
    return tuple(dict.fromkeys(name for entry in attack_entries().values() for name in entry.settings.values()))
