"""The benchmark on tiny settings: it runs, its records are complete, its counts are right. No time is asserted."""

from __future__ import annotations

import json
import math
import warnings

import pytest
import torch

from zspag_core import batching, subspace_plan
from zspag_core.bench import BenchConfig, as_text, measure, passes, run_bench
from zspag_core.bench.literal import load_literal
from zspag_core.bench.memory import Peak
from zspag_core.bench.operations import Recording
from zspag_core.bench.passes import CountingReporter, TalliedZSPAG, count_work
from zspag_core.checkpoints import save_checkpoint
from zspag_core.cli import main
from zspag_core.data import load_dataset
from zspag_core.errors import UsageError
from zspag_core.hyperparameters import configure
from zspag_core.models.resnet import ResNet, ResNetConfig
from zspag_core.runs.config import RunConfig
from zspag_core.runs.context import RunContext

SETTINGS = {
    "label_mode": "influence",
    "n_adv": 3,
    "epsilon": 0.5,
    "attack_steps": 3,
    "cg_steps": 2,
    "influence_images": 8,
    "epochs": 2,
    "stop_rule": False,
}
STAGES = {"proxies", "subspace", "labels", "unlearn"}

# torch's own forward-mode rules still call torch.jit.script when they are first imported
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")


def _network():
    sizes = {"num_classes": 10, "image_size": 8, "channels": 1, "mean": (0.3,), "std": (0.4,)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ResNet(ResNetConfig(**sizes, widths=(4, 6), blocks=(1, 1))).eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "model.safetensors"
    save_checkpoint(path, _network(), {"data": "digits", "class_names": [str(k) for k in range(10)]})
    return str(path)


@pytest.fixture(scope="module")
def record(checkpoint):
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore", FutureWarning)
        patch.setattr(passes, "SECONDS_PER_COST", 0.0)
        config = RunConfig("digits", checkpoint, (3,), settings=SETTINGS, device="cpu")
        return run_bench(BenchConfig(config, literal_images=4, retrain_images=256))


@pytest.mark.slow
def test_record_is_complete_and_is_json(record):
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert set(record["fast"]["seconds"]) == STAGES | {"total"}
    assert set(record["floor"]["seconds"]) == STAGES | {"total"}
    assert set(record["literal"]["seconds"]) == STAGES
    assert all(value > 0 for row in (record["fast"], record["floor"]) for value in row["seconds"].values())
    assert record["literal"]["samples"] == 4
    assert record["literal"]["of_samples"] == record["forget_images"]
    assert 4 <= record["literal"]["proxies"] <= record["literal"]["of_proxies"] == record["proxies"]
    assert record["floor"]["operations"]["eigh"]["count"] > 0
    assert record["floor"]["operations"]["product"]["count"] > 0


@pytest.mark.slow
def test_literal_times_are_scaled_by_what_was_left_out(record):
    literal = record["literal"]
    scale = literal["of_samples"] / literal["samples"]
    assert literal["seconds"]["proxies"] == pytest.approx(literal["measured_seconds"]["proxies"] * scale)
    assert literal["seconds"]["unlearn"] == pytest.approx(literal["measured_seconds"]["unlearn"] * scale * 2)


@pytest.mark.slow
def test_ratios_follow_from_the_record(record):
    ratios, seconds = record["ratios"], record["fast"]["seconds"]
    before = sum(seconds[stage] for stage in ("proxies", "subspace", "labels"))
    slow = sum(record["literal"]["seconds"][stage] for stage in ("proxies", "subspace", "labels"))
    assert ratios["literal_to_fast"] == pytest.approx(slow / before)
    assert ratios["total_to_floor"] == pytest.approx(seconds["total"] / record["floor"]["seconds"]["total"])
    assert record["retrain"]["seconds"] == pytest.approx(100 * record["retrain"]["epoch_seconds"])
    assert ratios["retrain_to_fast"] == pytest.approx(record["retrain"]["seconds"] / seconds["total"])
    assert ratios["memory_growth"] is None


@pytest.mark.slow
def test_text_says_every_stage_and_what_was_left_out(record):
    text = as_text(record)
    for word in (*STAGES, "total", "4 of", "aim"):
        assert word in text


@pytest.mark.slow
def test_counts_are_the_images_that_the_network_sees(monkeypatch):
    """A hook on the network is the independent count; looks at one image, which memory is planned by, are no work."""
    model, seen = _network(), []

    def without_count(look):
        def looked(*arguments):
            before = len(seen)
            answer = look(*arguments)
            assert all(count == 1 for count in seen[before:])
            del seen[before:]
            return answer

        return looked

    monkeypatch.setattr(batching, "_measure", without_count(batching._measure))
    monkeypatch.setattr(subspace_plan, "look", without_count(subspace_plan.look))

    def see(_module, inputs):
        seen.append(len(inputs[0]))

    forget = load_dataset("digits", image_size=8, channels=1).train.of_classes((3,))
    method = configure(TalliedZSPAG, SETTINGS)
    handle = model.stem.register_forward_pre_hook(see)  # where every image passes, also without the head
    run = method.unlearn(
        model, forget, (3,), RunContext(torch.Generator().manual_seed(0), CountingReporter(method.tally))
    )
    handle.remove()
    work = count_work(method, method.tally, run, len(forget))
    counted = sum(part.images for part in work if part.kind != "backward")
    assert sum(seen) == counted
    assert method.tally.passes == run.proxies.passes
    assert method.tally.cg_steps == 2


def test_recording_sees_decompositions_and_gram_matrices_only():
    rows = torch.rand(2, 50, 6)
    with Recording() as recording:
        torch.linalg.eigh((rows.transpose(1, 2) @ rows).double())
        torch.bmm(rows, torch.rand(2, 6, 4))  # a product of the network's own
    totals = recording.totals()
    assert totals["eigh"]["count"] == 1
    assert totals["eigh"]["billions"] == pytest.approx(2 * 6**3 / 1e9)
    assert totals["product"]["count"] == 1
    assert totals["product"]["billions"] == pytest.approx(2 * 50 * 6 * 6 / 1e9)


@pytest.mark.slow
def test_peak_sees_what_was_freed_again():
    with Peak(torch.device("cpu")) as peak:
        block = torch.ones(512 * 2**18)  # 512 MiB: more than a process that ran other tests has lying about
        del block
    assert math.isfinite(peak.mib)
    with Peak(torch.device("cpu")) as peak:
        block = torch.ones(512 * 2**18)
        assert float(block[-1]) == 1.0
    assert peak.mib >= 480


@pytest.mark.slow
def test_command_prints_json_and_says_where_the_literal_one_is(checkpoint, monkeypatch, capsys):
    monkeypatch.setattr(measure, "load_literal", lambda: None)
    monkeypatch.setattr(passes, "SECONDS_PER_COST", 0.0)
    pairs = [f"--set={name}={value}" for name, value in SETTINGS.items() if name != "n_adv"]
    options = ["--checkpoint", checkpoint, "--n-adv", "3", "--retrain-images", "256", "--device", "cpu", "--json"]
    assert main(["bench", *options, *pairs]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["literal"] is None
    assert printed["ratios"]["literal_to_fast"] is None
    assert "tests/reference/literal.py" in printed["literal_missing"]
    assert printed["literal_missing"] in as_text(printed)


def test_literal_is_loaded_by_its_path(tmp_path):
    assert load_literal(tmp_path / "literal.py") is None
    assert callable(load_literal().class_basis)


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        (["--forget", "x"], "forget: digits has no class"),
        (["--images", "-1"], "--images"),
        (["--retrain-images", "-1"], "--retrain-images"),
        (["--data", "svhn"], "--checkpoint"),
        (["--n-adv", "0"], "n_adv"),
        (["--set", "attack=cw"], "attack"),
    ],
)
def test_bad_use_is_one_line(options, culprit, capsys):
    assert main(["bench", *options]) == 2
    error = capsys.readouterr().err
    assert culprit in error
    assert error.count("\n") == 1


def test_another_attack_is_refused_before_anything_is_loaded():
    with pytest.raises(UsageError, match="expected pgd"):
        run_bench(BenchConfig(RunConfig("nowhere", "nothing", (3,), settings={"attack": "fgsm"})))


@pytest.mark.slow
def test_peak_memory_is_measured_in_fresh_processes(checkpoint, monkeypatch):
    monkeypatch.setattr(measure, "MEMORY_QUOTAS", (1, 4))
    few, more = measure._memory(RunConfig("digits", checkpoint, (3,), settings=SETTINGS, device="cpu"))
    assert (few["n_adv"], more["n_adv"]) == (1, 4)
    assert 0 < few["proxies"] < more["proxies"]
    assert few["peak_mib"] > 0
    assert more["proxies_mib"] == more["proxies"] * few["proxies_mib"] / few["proxies"]
