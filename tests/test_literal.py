"""The fast implementation against the literal one of tests/reference, on small networks in float64."""

from __future__ import annotations

import copy
import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from zspag_core.attacks import PGD
from zspag_core.data.dataset import Split
from zspag_core.influence import inverse_direction, label_influences, project_direction
from zspag_core.layers import as_matrices, groups_of, input_rows, weight_layers
from zspag_core.methods.descent import Schedule, descend
from zspag_core.models import Classifier, ModelConfig
from zspag_core.models.resnet import ResNet, ResNetConfig
from zspag_core.models.vit import ViT, ViTConfig
from zspag_core.proxies import ProxySet, generate_proxies
from zspag_core.pseudo_labels import LABEL_RATE, LABEL_STEPS, barred_labels, influence_labels
from zspag_core.runs.context import RunContext
from zspag_core.subspace import LayerBasis, Subspace, estimate_subspace

# torch's own forward-mode rules still call torch.jit.script when they are first imported
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")

FORGOTTEN, CLASSES = (3,), 6
REMAINING = [k for k in range(CLASSES) if k not in FORGOTTEN]
SIZES = {"num_classes": CLASSES, "image_size": 8, "channels": 1, "mean": (0.3,), "std": (0.4,)}


def _load_literal():
    path = Path(__file__).parent / "reference" / "literal.py"
    spec = importlib.util.spec_from_file_location("literal", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["literal"] = module
    spec.loader.exec_module(module)
    return module


literal = _load_literal()


class Odd(Classifier):
    """Convolutions with groups, dilation, stride and uneven kernels and padding."""

    def __init__(self):
        super().__init__(ModelConfig(**SIZES))
        self.first = nn.Conv2d(1, 6, (3, 2), stride=(1, 2), padding=(1, 0))
        self.grouped = nn.Conv2d(6, 9, 3, padding=2, dilation=2, groups=3)
        self.narrow = nn.Conv2d(9, 8, (1, 3), stride=2, padding=(0, 2), bias=False)
        self.pointwise = nn.Conv2d(8, 8, 1, stride=2, groups=2)
        self.head = nn.Linear(8, CLASSES)

    def embed(self, images):
        x = self.normalise(images)
        for layer in (self.first, self.grouped, self.narrow, self.pointwise):
            x = F.gelu(layer(x))
        return x.mean(dim=(2, 3))

    @property
    def cam_layers(self):
        return {}


def _resnet():
    return ResNet(ResNetConfig(**SIZES, widths=(4, 6), blocks=(1, 1)))


def _vit():
    return ViT(ViTConfig(**SIZES, patch_size=2, width=8, depth=2, heads=2, hidden=10))


@pytest.fixture(scope="module")
def digits():
    """Real digits of the first six classes, 8x8 pixels."""
    found = load_digits(n_class=CLASSES)
    images = torch.tensor(found.images / 16 * 255).round().to(torch.uint8)[:, None]
    return Split(images, torch.tensor(found.target))


@pytest.fixture(scope="module", params=[_resnet, Odd, _vit], ids=["resnet", "odd convolutions", "vit"])
def model(request, digits):
    """A network that has seen some digits, in float64 and eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        network = request.param().train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    images, labels = digits.images[:400].float() / 255, digits.labels[:400]
    for _ in range(25):
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
    optimizer.zero_grad()
    return network.eval().double()


@pytest.fixture(scope="module")
def forget(digits):
    return digits.of_classes(FORGOTTEN)[torch.arange(16)]


@pytest.fixture(scope="module")
def proxies(digits):
    """Images with labels of every remaining class but the last, which has none."""
    chosen = torch.cat([(digits.labels == k).nonzero().flatten()[: 4 + 2 * k] for k in REMAINING[:-1]])
    images, labels = digits.images[chosen].double() / 255, digits.labels[chosen]
    return ProxySet(images, labels, torch.arange(len(labels)), torch.ones(len(labels)), len(labels), 0)


def _estimates(model, proxies, energy, tolerance):
    fast = estimate_subspace(
        model, proxies, REMAINING, energy=energy, tolerance=tolerance, pooling="per_class", batch_size=5
    )
    slow = literal.estimate(model, proxies.images, proxies.labels, REMAINING, energy=energy, tolerance=tolerance)
    return fast, slow


def _in_float64(subspace):
    """The bases in the precision of the model, orthonormal to that precision."""
    layers = {}
    for name, layer in subspace.layers.items():
        basis = torch.zeros_like(layer.basis, dtype=torch.float64)
        for group, rank in enumerate(layer.ranks):
            basis[group, :, :rank] = torch.linalg.qr(layer.basis[group, :, :rank].double()).Q
        layers[name] = LayerBasis(basis, layer.ranks)
    return Subspace(layers, subspace.unprotected, subspace.pooling)


@pytest.mark.slow
def test_rows_times_weights_are_the_layers_outputs(model, digits):
    # neither implementation is asked here: torch's own layers say what a patch is
    seen = {}
    hooks = [
        layer.register_forward_hook(lambda _m, given, out, name=name: seen.__setitem__(name, (given[0], out)))
        for name, layer in weight_layers(model).items()
    ]
    with torch.no_grad():
        model(digits.images[:3].double() / 255)
    for hook in hooks:
        hook.remove()
    for name, layer in weight_layers(model).items():
        given, out = seen[name]
        products = input_rows(layer, given) @ as_matrices(layer.weight, layer).transpose(1, 2)  # (groups, rows, out)
        bias = 0 if layer.bias is None else layer.bias
        if isinstance(layer, nn.Conv2d):
            products = products.unflatten(1, (3, -1)).permute(1, 0, 3, 2).reshape(out.shape)
            bias = bias if layer.bias is None else layer.bias[:, None, None]
        torch.testing.assert_close(products.reshape(out.shape) + bias, out)


@pytest.mark.slow
@pytest.mark.parametrize(("energy", "tolerance"), [(0.9, 0.05), (0.6, 0.0), (0.99, 0.3)])
def test_bases_span_the_same_space(model, proxies, energy, tolerance):
    fast, slow = _estimates(model, proxies, energy, tolerance)
    assert list(fast.layers) == list(slow)
    assert fast.unprotected == (REMAINING[-1],)
    for name, layer in weight_layers(model).items():
        basis = fast.layers[name]
        assert basis.ranks == tuple(s.shape[1] for s in slow[name])
        for group in range(groups_of(layer)):
            mine, theirs = basis.basis[group, :, : basis.ranks[group]].double(), slow[name][group]
            cosines = torch.linalg.svdvals(mine.T @ theirs)
            assert cosines.shape == (basis.ranks[group],)
            assert (cosines > 1 - 1e-6).all(), name
    partial = [name for name, basis in fast.layers.items() if 0 < basis.rank < basis.dim]
    assert len(partial) >= 3, "the comparison says little when nothing or everything is protected"


@pytest.mark.slow
def test_influences_agree(model, proxies, forget):
    names = [f"{name}.weight" for name in weight_layers(model)]
    solved = inverse_direction(model, proxies.images, proxies.labels, names, damping=0.1, steps=3000, tolerance=1e-8)
    dense = literal.dense_direction(model, proxies.images, proxies.labels, names, 0.1)
    fast = label_influences(model, solved.direction, forget.images, batch_size=7)
    slow = literal.influences(model, dense, _pixels(forget), CLASSES)
    assert solved.residual <= 1e-8
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-6 * float(slow.abs().max()))


@pytest.mark.slow
def test_unfinished_conjugate_gradients_agree(model, proxies):
    names = [f"{name}.weight" for name in weight_layers(model)]
    solved = inverse_direction(model, proxies.images, proxies.labels, names, damping=0.1, steps=4, tolerance=0.0)
    slow = literal.cg_direction(model, proxies.images, proxies.labels, names, damping=0.1, steps=4)
    assert solved.steps == 4
    for name, part in slow.items():
        torch.testing.assert_close(solved.direction[name], part, rtol=1e-6, atol=1e-9 * float(part.abs().max() + 1e-30))


@pytest.mark.slow
def test_projected_influences_agree(model, proxies, forget):
    names = [f"{name}.weight" for name in weight_layers(model)]
    fast, slow = _estimates(model, proxies, 0.9, 0.05)
    direction = literal.dense_direction(model, proxies.images, proxies.labels, names, 0.1)
    moved, share = project_direction(model, direction, _in_float64(fast))
    explicit = {}
    for name, groups in literal.projections(slow).items():
        part = direction[f"{name}.weight"]
        rows = [one.flatten(1) @ p for one, p in zip(part.chunk(len(groups)), groups, strict=True)]
        explicit[f"{name}.weight"] = torch.cat(rows).view_as(part)
    square = {key: sum(float(part.square().sum()) for part in s.values()) for key, s in
              {"whole": direction, "free": explicit}.items()}  # fmt: skip
    assert share == pytest.approx((square["free"] / square["whole"]) ** 0.5, rel=1e-5)
    torch.testing.assert_close(
        label_influences(model, moved, forget.images),
        literal.influences(model, explicit, _pixels(forget), CLASSES),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize("sign", ["removing", "training"])
def test_optimised_labels_agree(sign):
    truth = torch.full((9,), 3)
    influences = torch.randn(9, CLASSES, generator=torch.Generator().manual_seed(1))
    costs = influences / influences.std(dim=1).mean() * (1 if sign == "removing" else -1)
    fast = influence_labels(
        influences,
        truth,
        barred_labels(truth, (3,), CLASSES),
        sign=sign,
        divergence=0.7,
        generator=torch.Generator().manual_seed(2),
    )
    slow = literal.optimise_labels(
        costs,
        truth,
        divergence=0.7,
        steps=LABEL_STEPS,
        rate=LABEL_RATE * CLASSES,
        generator=torch.Generator().manual_seed(2),
    )
    torch.testing.assert_close(fast, slow, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_projected_step_agrees_and_leaves_the_subspace_alone(model, proxies, forget):
    fast, slow = _estimates(model, proxies, 0.9, 0.05)
    labels = torch.rand(len(forget), CLASSES, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    labels = labels / labels.sum(1, keepdim=True)
    moved = descend(
        model,
        forget.images,
        labels,
        barred_labels(forget.labels, FORGOTTEN, CLASSES),
        Schedule(learning_rate=0.5, epochs=1, batch_size=len(forget)),
        subspace=_in_float64(fast),
        context=RunContext(torch.Generator().manual_seed(0)),
    ).model
    explicit = literal.unlearn(model, slow, _pixels(forget), labels, rate=0.5, epochs=1, batch_size=len(forget))
    changed = 0
    for name, before in weight_layers(model).items():
        after, wanted = moved.get_submodule(name).weight.detach(), explicit.get_submodule(name).weight.detach()
        length = float((wanted - before.weight.detach()).norm())
        assert float((after - wanted).norm()) <= 1e-5 * length + 1e-12, name
        for change, basis in zip((after - before.weight).detach().chunk(groups_of(before)), slow[name], strict=True):
            assert float((change.flatten(1) @ basis).norm()) <= 1e-6 * float(before.weight.detach().norm())
        changed += length > 1e-6
    assert changed >= 3


@pytest.mark.slow
def test_attacks_agree(model, forget):
    model, pixels = copy.deepcopy(model).float(), _pixels(forget).float()  # attacks compute in float32
    logits = model(pixels).detach()
    barred = barred_labels(forget.labels, FORGOTTEN, CLASSES)
    attack = PGD(epsilon=0.3, steps=4, step_size=0.25, confidence=1.0)
    fast = generate_proxies(
        model, forget, logits, barred, attack, n_adv=1000, generator=torch.Generator().manual_seed(0)
    )
    targets = literal.choose_targets(logits, FORGOTTEN)
    attacked = literal.attack(model, pixels, targets, epsilon=0.3, steps=4, step=0.075, batch_size=11)
    kept, reached = literal.keep_successes(model, attacked, FORGOTTEN, 1000)
    order = fast.sources.argsort()
    assert len(kept) >= 3
    assert torch.equal(fast.sources[order], kept)
    assert torch.equal(fast.labels[order], reached)
    torch.testing.assert_close(fast.images[order], attacked[kept], rtol=0, atol=1e-6)


def _pixels(split):
    return split.images.double() / 255
