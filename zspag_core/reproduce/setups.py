"""The models and data sets on which methods are compared, at each scale."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

EARLIER_NOTE = (
    "The ViT that shipped until 2026-11-27 (assets/originals), so that this page repeats; cifar10_vit, which ships "
    "now, reads 81.0 %."
)
SVHN_NOTE = "The paper's figures are of SVHN with VGG; Fashion-MNIST stands in for it here."
FACES_NOTE = "The paper's figures are of Facescrub with ResNet; faces12, twelve identities, stands in for it here."


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One original model and its data.

    Attributes:
        name: names files.
        title: what a person reads.
        data: name of the data set.
        model: name of a size, a key of MODELS.
        shipped: name of a checkpoint that comes with the project, for all or for tables alone; empty to train one.
        start: name of such a checkpoint whose training goes on; empty to start from new weights.
        settings: of the recipe by which it is trained, beside those that suit data and model.
        classes: which classes of the data set make up the setup; empty for all.
        image_size: side of the images in pixels; a shipped checkpoint has its own.
        backdoor: a class and the class that a trigger turns it into, or None.
        optional: whether a table is complete without it, where the data set is not at hand.
        note: what a reader must know of it.
    """

    name: str
    title: str
    data: str
    model: str
    shipped: str = ""
    start: str = ""
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    classes: tuple[int, ...] = ()
    image_size: int = 32
    backdoor: tuple[int, int] | None = None
    optional: bool = False
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**vars(self), "settings": dict(self.settings)}


DIGITS = Setup(
    name="digits-resnet", title="Digits, ResNet", data="digits", model="resnet_tiny", shipped="digits_resnet"
)
CIFAR10 = Setup(
    name="cifar10-vit",
    title="CIFAR-10, ViT",
    data="cifar10",
    model="vit_small",
    shipped="cifar10_vit_earlier",
    note=EARLIER_NOTE,
)
CIFAR10_RESNET = Setup(
    name="cifar10-resnet",
    title="CIFAR-10, ResNet",
    data="cifar10",
    model="resnet_small",
    shipped="cifar10_resnet_small",
)
OVERFITTED = replace(
    CIFAR10_RESNET,
    name="cifar10-overfitted",
    title="CIFAR-10, a ResNet that knows its images by heart",
    shipped="",
    settings={"epochs": 30, "train_limit": 10_000, "crop": 0, "flip": False},
    note="Trained on 10,000 images without augmentation until it reads all of them right: membership can be told.",
)
FASHION = Setup(
    name="fashion_mnist-vgg",
    title="Fashion-MNIST, VGG",
    data="fashion_mnist",
    model="vgg11_narrow",
    shipped="fashion_mnist_vgg",
    note=SVHN_NOTE,
)
SVHN = Setup(name="svhn-vgg", title="SVHN, VGG", data="svhn", model="vgg11", settings={"epochs": 20}, optional=True)
CIFAR100 = Setup(
    name="cifar100-resnet",
    title="CIFAR-100, ResNet-18",
    data="cifar100",
    model="resnet18",
    settings={"epochs": 40},
)
FACES = Setup(
    name="faces12-resnet",
    title="faces12, ResNet",
    data="faces12",
    model="resnet18",
    settings={"epochs": 60, "batch_size": 64, "learning_rate": 0.05},
    image_size=64,
    optional=True,
    note=FACES_NOTE,
)
BACKDOOR = Setup(
    name="cifar10-vit-backdoor",
    title="CIFAR-10, ViT with a backdoor",
    data="cifar10",
    model="vit_small",
    settings={"epochs": 40},
    backdoor=(1, 8),
)

SMALL_CIFAR100 = replace(
    CIFAR100,
    title="CIFAR-100, small ResNet",
    model="resnet_tiny",
    settings={"epochs": 15},
    classes=tuple(range(0, 100, 5)),
    note="A fifth of CIFAR-100's classes and a small network stand in for all of them and a ResNet-18.",
)
SMALL = {
    setup.name: setup
    for setup in (
        DIGITS,
        CIFAR10,
        CIFAR10_RESNET,
        OVERFITTED,
        FASHION,
        replace(SVHN, model="vgg11_narrow", settings={"epochs": 3, "train_limit": 30_000}),
        SMALL_CIFAR100,
        replace(FACES, title="faces12, small ResNet", model="resnet_tiny", image_size=32),
        replace(
            BACKDOOR,
            start="cifar10_vit_earlier",
            settings={"epochs": 3, "train_limit": 10_000, "learning_rate": 3e-4},
            note="The backdoor was planted in the ViT of the other tables by three more epochs on 10,000 images.",
        ),
    )
}
EVERY = (DIGITS, CIFAR10, CIFAR10_RESNET, OVERFITTED, FASHION, SVHN, CIFAR100, FACES, BACKDOOR)
FULL = {setup.name: setup for setup in EVERY}
SETUPS: dict[str, dict[str, Setup]] = {"small": SMALL, "brief": dict(FULL), "full": FULL}
