"""What a run is asked to do; light, so that pages may build one."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ALWAYS = ("data", "checkpoint", "forget", "method", "settings", "seed", "device")
"""What the job of every run names, also where it is the default."""


@dataclass(frozen=True)
class RunConfig:
    """What one run is asked to do.

    Attributes:
        data: name or path of the data set.
        checkpoint: path of the original model.
        forget: classes to forget, by number or by name; of a prepared run, by number.
        method: key of the method.
        settings: hyper-parameters that differ from the method's defaults.
        seed: of everything random.
        device: "auto", "cpu", "mps" or "cuda[:N]".
        relearning: whether grading counts the steps that bring the classes back; None does so for at most 1,000 forget
            images. (On the handwritten digits it takes 5 of 19 seconds on one core; with more images and larger models
            up to 500 training steps a model.)
        model_classes: what the model calls its outputs, in their order, where its file does not say; where it does,
            these count all the same.
        hold_out: percent of the forget images of every class that the method does not see; what it makes of them is
            an estimate.
        model: which network the checkpoint's weights are of, as :func:`zspag_core.checkpoints.load_checkpoint` takes
            it; empty where the file says it or the weights show it.
        reading: what else that function takes: "entry", "image_size", "mean", "std", "heads", ….
        order: how class folders are numbered, see :func:`zspag_core.data.load_dataset`; "given" keeps the order that
            the data have, whatever the model reads in them.
    """

    data: str
    checkpoint: str
    forget: tuple[int | str, ...]
    method: str = "zspag"
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    seed: int = 0
    device: str = "auto"
    relearning: bool | None = None
    model_classes: tuple[str, ...] | None = None
    hold_out: float = 0.0
    model: str = ""
    reading: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    order: str = ""

    @property
    def classes(self) -> tuple[int, ...]:
        """Return the classes to forget, by number; until a run has been prepared, some may still be names."""
        return tuple(int(k) for k in self.forget)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        names = None if self.model_classes is None else list(self.model_classes)
        plain = {"forget": list(self.forget), "settings": dict(self.settings), "reading": dict(self.reading)}
        return {**vars(self), **plain, "model_classes": names}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RunConfig:
        """Rebuild a configuration from plain values."""
        names = record.get("model_classes")
        names = None if names is None else tuple(names)
        return cls(**{**record, "forget": tuple(record["forget"]), "model_classes": names})

    def to_job(self, **remembered: object) -> dict[str, Any]:
        """Return what a job in the queue is given: the fields that say something.

        Args:
            **remembered: what pages want to find there again, such as the names of the classes; None counts as nothing.
        """
        unset = {one.name: one.default for one in fields(self) if one.default is not MISSING} | {"reading": {}}
        config = {k: v for k, v in self.to_dict().items() if k in ALWAYS or v != unset.get(k)}
        return config | {name: value for name, value in remembered.items() if value is not None}

    @classmethod
    def from_job(cls, config: Mapping[str, Any]) -> RunConfig:
        """Rebuild a configuration from what a job was given; what pages remember there is left out."""
        own = {one.name for one in fields(cls)}
        return cls.from_dict({name: value for name, value in config.items() if name in own})
