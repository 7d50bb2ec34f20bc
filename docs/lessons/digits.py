"""Make the four pictures of the Overview from real digits: python docs/lessons/digits.py"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from drawings import DRAWINGS  # noqa: E402 - beside this file

from ui.figures.pictures import data_url  # noqa: E402 - the project is not installed
from zspag_core.checkpoints import load_checkpoint  # noqa: E402
from zspag_core.data import load_dataset  # noqa: E402
from zspag_core.methods.zspag import ZSPAG  # noqa: E402
from zspag_core.metrics.predictions import logits_of  # noqa: E402
from zspag_core.proxies import generate_proxies  # noqa: E402
from zspag_core.pseudo_labels import barred_labels, posterior_labels  # noqa: E402

CHECKPOINT = ROOT / "assets" / "checkpoints" / "digits_resnet.safetensors"
FORGET, EACH, SIDE = 3, 4, 20


def small(images: torch.Tensor) -> list[str]:
    """Return images (N, C, H, W) in [0, 1] as grey data URLs of few pixels."""
    grey = torch.nn.functional.interpolate(images.mean(1, keepdim=True), (SIDE, SIDE), mode="area")
    return [data_url(image.numpy(), SIDE) for image in grey]


def main() -> None:
    model = load_checkpoint(str(CHECKPOINT)).model
    shape = model.config
    data = load_dataset("digits", image_size=shape.image_size, channels=shape.channels)
    forget, rest = data.train.of_classes([FORGET]), data.test.without_classes([FORGET])
    logits = logits_of(model, forget.images)
    generator = torch.Generator().manual_seed(0)
    attack, barred = ZSPAG().build_attack(), barred_labels(forget.labels, (FORGET,), data.num_classes)
    proxies = generate_proxies(model, forget, logits, barred, attack, n_adv=1, generator=generator)
    chosen = [int((rest.labels == k).nonzero()[0]) for k in proxies.labels[:EACH].tolist()]
    threes = proxies.sources[:EACH]
    labels = posterior_labels(logits, barred)[threes]
    found = {
        "forgotten": small(forget.images[threes].float() / 255),
        "proxies": small(proxies.images[:EACH]),
        "read_as": proxies.labels[:EACH].tolist(),
        "remaining": small(rest.images[chosen].float() / 255),
        "label": [round(float(share), 4) for share in labels[0]],
        "taught": labels.argmax(1).tolist(),
    }
    for name, draw in DRAWINGS.items():
        (ROOT / "assets" / "pictures" / f"{name}.svg").write_text(draw(found), encoding="utf-8")


if __name__ == "__main__":
    main()
