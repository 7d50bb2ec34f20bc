"""Which network of torchvision or timm weights may belong to, by the names and shapes of their tensors.

The libraries' networks are looked up in an index of signatures, since building them all takes minutes. A signature is
the least of many hashes of the (name, shape) of every tensor but counters; the share of places at which two signatures
agree estimates how much two networks have in common (their Jaccard index).

Source: Broder, On the resemblance and containment of documents, 1997.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from zspag_core.errors import CheckpointError
from zspag_core.files import replace_file
from zspag_core.models.foreign.config import ForeignConfig
from zspag_core.models.foreign.sources import build_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

Signature = npt.NDArray[np.uint64]

HASHES = 64
INDEX = Path(__file__).with_name("networks.npz")
ALIKE_ENOUGH = 0.35
"""Share of tensors in common below which two networks have little to do with each other."""
MOST = 3
HF_FAMILIES = frozenset(
    {
        "beit",
        "bit",
        "convnext",
        "convnextv2",
        "cvt",
        "data2vec_vision",
        "deit",
        "dinat",
        "dinov2",
        "efficientformer",
        "efficientnet",
        "focalnet",
        "levit",
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilevit",
        "mobilevitv2",
        "nat",
        "poolformer",
        "pvt",
        "regnet",
        "resnet",
        "segformer",
        "swiftformer",
        "swin",
        "swinv2",
        "van",
        "vit",
        "vit_hybrid",
        "vit_msn",
    }
)
"""First words of the tensors of Hugging Face's image classifiers."""
HF_PARTS = ("embeddings.", "encoder.", "conv_stem.", "layer.")
"""What stands in the names of most of them, and of no other family that has such a first word."""


@dataclass(frozen=True)
class Candidate:
    """A network that weights may belong to.

    Attributes:
        source: as `--model` takes it.
        share: how many tensors the two have in common, estimated, 0 to 1.
    """

    source: str
    share: float


def candidates(weights: Mapping[str, Tensor], most: int = MOST) -> list[Candidate]:
    """Return the networks of the libraries that have most in common with weights, the likeliest first.

    Args:
        weights: tensors by name, without a wrapper's prefix.
        most: how many at most; of networks with equal tensors all up to that number.
    """
    sources, signatures = _index()
    if not len(sources) or not weights:
        return []
    mine = signature((name, tuple(tensor.shape)) for name, tensor in weights.items())
    shares = (signatures == mine).mean(1)
    order = np.argsort(-shares, kind="stable")
    found = [Candidate(sources[k], float(shares[k])) for k in order[:most] if shares[k] >= ALIKE_ENOUGH]
    return [one for one in found if one.share >= 0.8 * found[0].share]


def hint(weights: Mapping[str, Tensor]) -> str:
    """Say which network weights look like and how to name it; nothing where they look like none."""
    families = [family for name in weights if (family := name.partition(".")[0]) in HF_FAMILIES]
    if families and any(part in name for name in weights for part in HF_PARTS):
        return f"it looks like Hugging Face's {families[0]}: name the folder with its config.json, --model hf:FOLDER"
    found = candidates(weights)
    if not found:
        return ""
    first, *others = (one.source for one in found)
    also = f" (or {', '.join(others)})" if others else ""
    return f"it looks like {first.replace(':', ' ')}: pass --model {first}{also}"


def signature(tensors: Iterable[tuple[str, tuple[int, ...]]]) -> Signature:
    """Return the signature (HASHES,) of tensors, given by name and shape."""
    multipliers, shifts = _hashes()
    least = np.full(HASHES, np.iinfo(np.uint64).max, dtype=np.uint64)
    for name, shape in tensors:
        if name.endswith("num_batches_tracked"):
            continue
        digest = hashlib.blake2b(f"{name} {shape}".encode(errors="surrogatepass"), digest_size=8).digest()
        hashed = np.uint64(int.from_bytes(digest, "little"))
        with np.errstate(over="ignore"):
            least = np.minimum(least, multipliers * hashed + shifts)
    return least


def write_index(path: Path = INDEX) -> int:
    """Build every classifier of the installed torchvision and timm, without memory where that works, for signatures.

    Returns:
        The number of networks in the index.
    """
    found = {source: one for source in all_sources() if (one := _signature_of(source)) is not None}
    with replace_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, sources=np.array(list(found)), signatures=np.stack(list(found.values())))
    return len(found)


def all_sources() -> list[str]:
    """Return all classifiers of torchvision and timm, as `--model` takes them."""
    import timm
    import torchvision

    ours = torchvision.models.list_models(module=torchvision.models)
    return [*(f"torchvision:{name}" for name in ours), *(f"timm:{name}" for name in timm.list_models())]


def _signature_of(source: str) -> Signature | None:
    """Return the signature of a library's network with ImageNet's 1,000 classes, None where it cannot be built."""
    config = ForeignConfig(source=source, num_classes=1000)
    for place in (
        "meta",
        "cpu",
    ):  # RegNets of torchvision compute widths with tensors: not on meta
        with contextlib.suppress(CheckpointError), torch.device(place):
            network = build_network(config)
            break
    else:
        return None
    return signature((name, tuple(tensor.shape)) for name, tensor in network.state_dict().items())


@lru_cache(maxsize=1)
def _index() -> tuple[list[str], npt.NDArray[np.uint64]]:
    """Return the index, empty where it is missing."""
    if not INDEX.is_file():
        return [], np.zeros((0, HASHES), dtype=np.uint64)
    with np.load(INDEX, allow_pickle=False) as stored:
        return [str(source) for source in stored["sources"]], stored["signatures"]


@lru_cache(maxsize=1)
def _hashes() -> tuple[Signature, Signature]:
    """Return odd multipliers and shifts of the hash functions, always the same."""
    numbers = np.random.default_rng(0).integers(0, 2**63, size=(2, HASHES), dtype=np.uint64)
    return numbers[0] * np.uint64(2) + np.uint64(1), numbers[1]
