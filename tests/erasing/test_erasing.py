"""Erasure stage by stage: against what real remaining images say, on a small network."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from zspag_core.data.dataset import to_pixels
from zspag_core.erasing import (
    Course,
    Disturbance,
    StandIns,
    Written,
    erase,
    last_stages,
    outputs_anew,
    refit,
    rest_statistics,
    synthesise,
)
from zspag_core.erasing.alignment import Alignment
from zspag_core.erasing.recall import difference_at_reader, moments, norms_of
from zspag_core.erasing.written import folded, overwrite
from zspag_core.metrics.depth.stages import stages_of
from zspag_core.models.base import Classifier
from zspag_core.models.resnet import ResNet, ResNetConfig
from zspag_core.models.vgg import VGG, VGGConfig

SIDE, CLASSES, GONE = 8, 3, 0
STILL = Disturbance(crop=0, flip=False, cutout=0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Noise with a bright stripe where its class says, 30 of each of three classes."""
    pixels = torch.randint(0, 120, (90, 1, SIDE, SIDE), generator=seeded())
    for k in range(CLASSES):
        pixels[30 * k : 30 * (k + 1), :, 2 * k : 2 * k + 2] += 100
    return pixels.to(torch.uint8)


@pytest.fixture(scope="module")
def labels() -> torch.Tensor:
    return torch.arange(CLASSES).repeat_interleave(30)


@pytest.fixture(scope="module")
def model(images: torch.Tensor, labels: torch.Tensor) -> ResNet:
    """A network that knows the stripes and whose running statistics are exactly those of all images."""
    torch.manual_seed(0)
    config = ResNetConfig(
        num_classes=CLASSES, image_size=SIDE, channels=1, mean=(0.5,), std=(0.25,), widths=(4, 8, 16), blocks=(1, 1, 1)
    )
    made = ResNet(config).train()
    optimizer = torch.optim.Adam(made.parameters(), lr=5e-3)
    pixels = to_pixels(images, torch.device("cpu"))
    for _ in range(40):
        optimizer.zero_grad()
        F.cross_entropy(made(pixels), labels).backward()
        optimizer.step()
    for norm in norms_of(made):
        norm.eval()
    for norm in norms_of(made):  # from below: what enters a norm depends on those before it
        mean, square = moments(made, images)[norms_of(made).index(norm)]
        norm.running_mean.copy_(mean)  # type: ignore[union-attr]
        norm.running_var.copy_(square - mean.square())  # type: ignore[union-attr]
    return made.eval()


@pytest.fixture(scope="module")
def real(images: torch.Tensor, labels: torch.Tensor) -> StandIns:
    """The remaining images themselves in the place of stand-ins: then everything is exact."""
    return StandIns(images[labels != GONE], labels[labels != GONE])


def stages_in(model: Classifier) -> list[Written]:
    """Return how all stages are written."""
    return [stage.written for stage in last_stages(model, len(model.cam_layers)) if stage.written]


def stage_of(model: Classifier, name: str) -> Written:
    """Return how a stage is written."""
    return next(stage for stage in stages_in(model) if stage.name == name)


def erased(model: Classifier, stage: str, images: torch.Tensor, real: StandIns, strength: float = 1.0) -> Classifier:
    return erase(
        model,
        stage_of(model, stage),
        images[:30],
        real,
        strength=strength,
        share=1 / 3,
        disturbance=STILL,
        generator=seeded(),
    )


def means_apart(model: ResNet, images: torch.Tensor, labels: torch.Tensor, place: int) -> float:
    """Return the distance of mean features of forgotten and remaining images at a stage."""
    features = stages_of(model, images).features[place]
    return float((features[labels == GONE].mean(0) - features[labels != GONE].mean(0)).norm())


def test_statistics_of_remaining_images_are_had_without_them(model, images, labels):
    found = rest_statistics(model, images[:30], STILL, share=1 / 3, generator=seeded())
    real = moments(model, images[labels != GONE])
    for norm, (mean, variance), (first, second) in zip(norms_of(model), found, real, strict=True):
        torch.testing.assert_close(mean.double(), first, rtol=1e-3, atol=1e-3)
        overall = norm.running_var.double()
        kept = (second - first.square()).clamp(0.2 * overall, 5 * overall)
        torch.testing.assert_close(variance.double(), kept, rtol=1e-2, atol=1e-3)


def test_difference_of_a_stage_is_read_off_the_next_layers_running_mean(model, images, labels):
    conv, norm = stages_in(model)[0].reader.layers(model)
    seen = []
    with conv.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0])), torch.no_grad():
        model.embed(to_pixels(images, torch.device("cpu")))
    step = conv.stride[0]
    means = [seen[0][marks][:, :, ::step, ::step].mean((0, 2, 3)).double() for marks in (labels == 0, labels != 0)]
    found = difference_at_reader(conv, norm, means[0], 1 / 3)
    torch.testing.assert_close(found, means[0] - means[1], rtol=1e-3, atol=1e-3)


def test_after_the_last_stage_is_erased_both_kinds_have_one_mean(model, images, labels, real):
    assert means_apart(erased(model, "stage 3", images, real), images, labels, 2) < 0.1 * means_apart(
        model, images, labels, 2
    )


def test_half_the_strength_takes_half(model, images, labels, real):
    half = means_apart(erased(model, "stage 3", images, real, 0.5), images, labels, 2)
    assert half == pytest.approx(0.5 * means_apart(model, images, labels, 2), rel=0.05)


def test_no_strength_changes_no_answer(model, images, real):
    same = erased(model, "stage 2", images, real, 0.0)
    pixels = to_pixels(images, torch.device("cpu"))
    torch.testing.assert_close(same(pixels), model(pixels), rtol=1e-4, atol=1e-4)


def test_unknown_scale_of_a_stage_changes_nothing(model, images, labels, real):
    """What enters is a thousand times as large and read a thousandth as loud: outputs and what is left are the same."""
    louder = copy.deepcopy(model)
    norm = louder.stages[2][0].convs[0][1]
    with torch.no_grad():
        norm.weight.mul_(1000.0)
        norm.bias.mul_(1000.0)
    weight, bias = folded(*louder.stages[2][0].convs[1])
    overwrite(*louder.stages[2][0].convs[1], weight / 1000, bias)
    pixels = to_pixels(images, torch.device("cpu"))
    torch.testing.assert_close(louder(pixels), model(pixels), rtol=1e-3, atol=1e-3)
    after = erased(louder, "stage 3", images, real)
    assert means_apart(after, images, labels, 2) < 0.1 * means_apart(model, images, labels, 2)


def test_same_seed_gives_same_weights_and_leaves_the_model_alone(model, images, real):
    before = copy.deepcopy(model.state_dict())
    one, two = (erased(model, "stage 2", images, real).state_dict() for _ in range(2))
    assert all(one[name].equal(two[name]) for name in one)
    assert all(before[name].equal(value) for name, value in model.state_dict().items())


def test_stand_ins_are_read_as_their_classes_and_fit_the_statistics(model, images):
    statistics = rest_statistics(model, images[:30], STILL, share=1 / 3, generator=seeded())
    one, two = (synthesise(model, images[:30], statistics, (1, 2), generator=seeded(3)) for _ in range(2))
    assert one.images.equal(two.images)
    assert one.images.dtype == torch.uint8
    assert torch.bincount(one.labels).tolist() == [0, 15, 15]
    read = model(to_pixels(one.images, torch.device("cpu"))).argmax(1)
    assert float((read == one.labels).double().mean()) > 0.9
    (before, after) = (moments(model, few)[0][0] - statistics[0][0] for few in (images[:30], one.images))
    assert float(after.norm()) < float(before.norm())


def test_weights_count_classes_the_same():
    weights = StandIns(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.tensor([1, 1, 2])).weights()
    assert weights.tolist() == [0.25, 0.25, 0.5]


def test_layers_above_learn_from_stand_ins_and_those_below_stay(model, images, real):
    less = erased(model, "stage 2", images, real)
    taught, _ = refit(
        model, less, stage_of(model, "stage 2"), images[:30], real, (1, 2), Course(STILL, 60), generator=seeded()
    )
    pixels = to_pixels(real.images, torch.device("cpu"))
    goal, before, after = (net(pixels)[:, 1:].softmax(1).detach() for net in (model, less, taught))
    assert float((after - goal).abs().mean()) <= float((before - goal).abs().mean()) + 0.02
    assert taught(to_pixels(images[:30], torch.device("cpu"))).argmax(1).ne(GONE).double().mean() > 0.5
    for name, value in less.stages[1].state_dict().items():
        assert taught.stages[1].state_dict()[name].equal(value)


def test_nothing_that_a_forgotten_output_has_learnt_is_left(model, images, real):
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.head.weight[GONE] += torch.randn(other.head.weight.shape[1], generator=seeded())
        other.head.bias[GONE] -= 3
    begun = outputs_anew(model, (1, 2)).head
    assert begun.weight[GONE].equal(model.head.weight[1:].mean(0))
    assert begun.bias[GONE].equal(model.head.bias[1:].mean())
    assert begun.weight[1:].equal(model.head.weight[1:])
    taught = []
    for net in (model, other):
        less, stage = erased(outputs_anew(net, (1, 2)), "stage 2", images, real), stage_of(net, "stage 2")
        taught.append(refit(net, less, stage, images[:30], real, (1, 2), Course(STILL, 2), generator=seeded())[0])
    one, two = (net.state_dict() for net in taught)
    assert all(value.equal(two[name]) for name, value in one.items())


def test_alignment_brings_forget_images_nearer_to_stand_ins_above(model, images, real):
    less = erased(model, "stage 1", images, real)
    answers = to_pixels(images, torch.device("cpu"))
    found = []
    for weight in (0.0, 1.0):
        course = Course(STILL, 60, alignment=weight)
        taught, _ = refit(
            model, less, stage_of(model, "stage 1"), images[:30], real, (1, 2), course, generator=seeded()
        )
        watch, told = Alignment(taught, "stage 1"), model(answers)[:, 1:].softmax(1).detach()
        watch.begin(taught, real.images, told[30:])
        with watch.watching(), torch.no_grad():
            taught(answers)
        found.append(float(watch.loss(told, torch.arange(len(images)) >= 30)))
    assert found[1] < found[0] / 2


def test_an_impossible_share_is_refused(model, images):
    with pytest.raises(ValueError, match="share: expected a number between 0 and 1, got 1"):
        rest_statistics(model, images[:30], STILL, share=1, generator=seeded())


def test_a_stage_is_folded_into_one_convolution(model):
    pair: nn.Sequential = copy.deepcopy(model.stages[1][0].convs[1])
    given = torch.randn(2, 8, 4, 4, generator=seeded())
    before = pair(given)
    overwrite(*pair, *folded(*pair))
    torch.testing.assert_close(pair(given), before, rtol=1e-4, atol=1e-4)


OTHERS = {
    "an identity beside": lambda sizes: ResNet(ResNetConfig(widths=(4, 8), blocks=(2, 2), **sizes)),
    "bottlenecks": lambda sizes: ResNet(
        ResNetConfig(widths=(4, 8), blocks=(1, 2), bottleneck=True, width_per_group=64, **sizes)
    ),
    "nothing beside": lambda sizes: VGG(VGGConfig(layers=(4, 0, 8), **sizes)),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_ways_of_writing_a_stage_are_erased(kind, images, labels, real):
    """What is scored enters the last convolution alone; what is added unchanged stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = {"num_classes": CLASSES, "image_size": SIDE, "channels": 1, "mean": (0.5,), "std": (0.25,)}
        net = OTHERS[kind](sizes).train()
        with torch.no_grad():
            for _ in range(20):
                net(to_pixels(images, torch.device("cpu")))
    net.eval()
    last = stages_in(net)[-1]
    after = erased(net, last.name, images, real)
    assert means_apart(after, images, labels, -1) < 0.15 * means_apart(net, images, labels, -1)
    changed = {key for key, value in net.state_dict().items() if not value.equal(after.state_dict()[key])}
    (pair,) = last.writers
    assert {key.rpartition(".")[0] for key in changed} <= {pair.conv, pair.norm}


def test_statistics_of_layers_taught_since_are_not_asked(model, images, labels, real):
    """Without a share the goal is the stand-ins' mean."""
    given = {"share": None, "disturbance": STILL, "generator": seeded()}
    after = erase(model, stage_of(model, "stage 2"), images[:30], real, **given)
    assert means_apart(after, images, labels, 1) < 0.1 * means_apart(model, images, labels, 1)
