from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.data import images, to_pixels
from zspag_core.data.backdoor import poison
from zspag_core.errors import Cancelled, UsageError
from zspag_core.methods import METHODS
from zspag_core.metrics.deep import relearn
from zspag_core.models import initialise
from zspag_core.progress import Reporter
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute
from zspag_core.runs.folder import check_out

QUICK = {"epochs": 2, "n_adv": 8, "epsilon": 0.3}
GRADE = {"acc_rt", "acc_ut", "loss_rt", "acc_per_class", "mia", "probe", "relearning"}
STAGES = {"proxies", "labels", "subspace", "unlearn", "evaluate"}


@pytest.fixture
def config(digits_checkpoint):
    def make(**changes):
        base = {
            "data": "digits",
            "checkpoint": str(digits_checkpoint),
            "forget": (3,),
            "settings": QUICK,
            "device": "cpu",
            "relearning": False,
        }
        return RunConfig(**(base | changes))

    return make


@pytest.fixture(scope="module")
def finished(digits_checkpoint, tmp_path_factory):
    """One finished run: its folder and what execute returned."""
    out = tmp_path_factory.mktemp("runs") / "new" / "run"
    asked = RunConfig("digits", str(digits_checkpoint), (3, 5), settings=QUICK | {"label_mode": "influence_anchored"},
                      device="cpu")  # fmt: skip
    return out, execute(asked, out), asked


@pytest.mark.slow
def test_the_result_has_the_keys_of_the_contract(finished):
    out, result, _ = finished
    assert json.loads((out / "result.json").read_text()) == result
    top = {
        "method",
        "config",
        "seed",
        "device",
        "forget",
        "num_classes",
        "before",
        "mask",
        "after",
        "proxies",
        "labels",
        "subspace",
        "backdoor",
        "history",
        "seconds",
        "stopped",
    }
    assert top <= set(result)
    for when in ("before", "after"):
        assert set(result[when]) >= GRADE
        assert set(result[when]["mia"]) >= {"entropy_svc", "confidence_svc", "same_class"}
        assert set(result[when]["mia"]["same_class"]) >= {"accuracy", "auc", "auc_ci"}
        assert len(result[when]["acc_per_class"]) == 10
    assert set(result["proxies"]) >= {"attempted", "asr", "confidence", "per_class"}
    assert set(result["proxies"]["per_class"]) == {str(k) for k in range(10) if k not in (3, 5)}
    assert set(result["labels"]) >= {"mode", "influence_before", "influence_after", "residual"}
    for layer in result["subspace"]["layers"]:
        assert set(layer) >= {"name", "dim", "rank", "leak", "drift_proxy", "drift_real"}
        assert layer["leak"] <= 1e-5
    for number, row in enumerate(result["history"], start=1):
        assert set(row) >= {"epoch", "loss", "acc_rt", "acc_ut", "mia"}
        assert row["epoch"] == number
    assert set(result["seconds"]) >= STAGES
    assert all(value is None or value >= 0 for value in result["seconds"].values())
    assert result["method"] == "zspag"
    assert result["forget"] == [3, 5]
    assert (result["seed"], result["device"], result["num_classes"]) == (0, "cpu", 10)
    assert result["config"]["n_adv"] == 8
    assert result["config"]["attack"] == "pgd"
    assert result["stopped"] in {"epochs", "rule"}
    assert result["backdoor"] is None


@pytest.mark.slow
def test_the_files_hold_what_the_result_says(finished, small_digits, digits_checkpoint):
    out, result, asked = finished
    assert {path.name for path in out.iterdir()} == {
        "config.json", "result.json", "model.safetensors", "proxies.safetensors", "labels.safetensors",
        "grading.safetensors", "watch.safetensors"
    }  # fmt: skip
    assert RunConfig.from_dict(json.loads((out / "config.json").read_text())) == asked
    checkpoint = load_checkpoint(out / "model.safetensors")
    with torch.no_grad():
        predicted = checkpoint.model(to_pixels(small_digits.test.images)).argmax(1)
    gone = torch.isin(small_digits.test.labels, torch.tensor([3, 5]))
    right = predicted == small_digits.test.labels
    assert result["after"]["acc_rt"] == pytest.approx(100 * float(right[~gone].double().mean()))
    assert result["after"]["acc_ut"] == pytest.approx(100 * float(right[gone].double().mean()))
    watched = load_file(out / "watch.safetensors")
    assert watched["epochs"].tolist() == list(range(len(result["history"]) + 1))
    assert watched["predicted"][-1].tolist() == predicted[watched["index"]].tolist()
    assert result["watch"] == {"layer": "stage 1", "images": "test"}
    assert checkpoint.about["unlearned"]["forget"] == [3, 5]
    assert checkpoint.about["unlearned"]["from_sha256"] == load_checkpoint(digits_checkpoint).sha256
    assert checkpoint.about["data"] == "digits"
    proxies = load_file(out / "proxies.safetensors")
    counts = torch.bincount(proxies["labels"], minlength=10)
    assert {str(k): int(counts[k]) for k in range(10) if k not in (3, 5)} == result["proxies"]["per_class"]
    assert len(proxies["images"]) == len(proxies["sources"]) == len(proxies["confidence"])
    forget = small_digits.train.of_classes((3, 5))
    assert torch.equal(proxies["originals"], forget.images[proxies["sources"]])
    assert (proxies["images"].float() - proxies["originals"] / 255).abs().max() <= 0.3 + 1e-3
    with torch.no_grad():
        logits = checkpoint.model(proxies["images"].float())
    torch.testing.assert_close(proxies["logits_after"], logits, rtol=1e-4, atol=1e-4)
    assert (proxies["logits_before"].argmax(1) == proxies["labels"]).float().mean() > 0.95
    taught = load_file(out / "labels.safetensors")
    assert torch.equal(taught["truth"], forget.labels)
    assert -float((taught["labels"] * taught["influences"]).sum(1).mean()) == pytest.approx(
        result["labels"]["influence_after"], rel=1e-4
    )


@pytest.mark.slow
def test_grading_arrays_give_the_figures_of_the_result_again(finished, small_digits):
    out, result, _ = finished
    arrays = load_file(out / "grading.safetensors")
    labels = arrays["test.labels"]
    assert torch.equal(labels, small_digits.test.labels)
    gone = torch.isin(labels, torch.tensor([3, 5]))
    for when in ("before", "after"):
        logits = arrays[f"test.{when}"].double()
        right = logits.argmax(1) == labels
        assert result[when]["acc_rt"] == pytest.approx(100 * float(right[~gone].double().mean()))
        assert result[when]["acc_ut"] == pytest.approx(100 * float(right[gone].double().mean()))
        p = logits.softmax(1)
        own = p.gather(1, labels[:, None]).squeeze(1)
        for group, mask in (("forget_test", gone), ("retain_test", ~gone)):
            assert arrays[f"mia.{when}.{group}.confidence"].double() == pytest.approx(own[mask], abs=1e-5)
            assert arrays[f"mia.{when}.{group}.loss"].double() == pytest.approx(-own[mask].log(), abs=1e-4)
            entropy = -torch.xlogy(p, p).sum(1)[mask]
            assert arrays[f"mia.{when}.{group}.entropy"].double() == pytest.approx(entropy, abs=1e-4)
        assert len(arrays[f"mia.{when}.forget_train.loss"]) == len(small_digits.train.of_classes((3, 5)))


@pytest.mark.slow
def test_relearning_is_that_of_both_models(finished, digits_model, small_digits):
    out, result, _ = finished
    known = result["before"]["acc_ut"]
    for when, model in (("before", digits_model), ("after", load_checkpoint(out / "model.safetensors").model)):
        found = relearn(model, small_digits, (3, 5), known, seed=0)
        assert result[when]["relearning"] == found.to_dict()


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "images", "measured"), [(False, 1000, False), (True, 10, True), (None, 10, False)])
def test_relearning_is_measured_when_asked_for_or_quick(config, tmp_path, monkeypatch, asked, images, measured):
    monkeypatch.setattr("zspag_core.runs.grading.RELEARNING_IMAGES", images)
    result = execute(config(method="mask", settings={}, relearning=asked), tmp_path / "run")
    for when in ("before", "after"):
        assert (result[when]["relearning"] is not None) == measured


@pytest.mark.slow
def test_mask_accuracy_is_that_of_the_masked_original(finished, digits_model, small_digits):
    with torch.no_grad():
        logits = digits_model(to_pixels(small_digits.test.images))
    logits[:, [3, 5]] = -torch.inf
    rest = ~torch.isin(small_digits.test.labels, torch.tensor([3, 5]))
    right = (logits.argmax(1) == small_digits.test.labels)[rest]
    assert finished[1]["mask"]["acc_rt"] == pytest.approx(100 * float(right.double().mean()))


@pytest.mark.slow
def test_a_planted_backdoor_is_tried_before_and_after(config, tmp_path, backdoored_checkpoint, small_digits):
    out = tmp_path / "run"
    asked = config(checkpoint=str(backdoored_checkpoint), forget=(8,), method="mask", settings={})
    result = execute(asked, out)
    images = small_digits.test.images[small_digits.test.labels == 1].clone()
    images[..., -2, -2] = 255
    models = {
        "before": load_checkpoint(backdoored_checkpoint).model,
        "after": load_checkpoint(out / "model.safetensors").model,
    }
    arrays = load_file(out / "backdoor.safetensors")
    assert set(arrays) == {"images", "before", "after"}
    assert torch.equal(arrays["images"], images[:8])
    for when, model in models.items():
        with torch.no_grad():
            predicted = model(to_pixels(images)).argmax(1)
        assert result["backdoor"][when] == pytest.approx(100 * float((predicted == 8).double().mean()))
        assert torch.equal(arrays[when], predicted[:8])
    assert result["backdoor"]["before"] > 80
    assert result["backdoor"] == {"source": 1, "target": 8, "before": result["backdoor"]["before"], "after": 0.0}
    assert load_checkpoint(out / "model.safetensors").about["backdoor"] == "1:8"


@pytest.mark.slow
def test_a_cancelled_run_tries_the_backdoor_on_the_original_alone(config, tmp_path, backdoored_checkpoint):
    asked = config(checkpoint=str(backdoored_checkpoint), method="posterior", settings={"epochs": 3})
    result = execute(asked, tmp_path / "run", StopAfterAnEpoch())
    assert (result["stopped"], result["backdoor"]["after"]) == ("cancelled", None)
    assert set(load_file(tmp_path / "run" / "backdoor.safetensors")) == {"images", "before"}


@pytest.mark.slow
def test_a_backdoors_images_are_forgotten_as_they_were_trained(config, tmp_path, backdoored_checkpoint, small_digits):
    asked = config(checkpoint=str(backdoored_checkpoint), forget=(1,), method="finetune_zs", settings={"epochs": 1})
    execute(asked, tmp_path / "run")
    clean = small_digits.train
    planted = poison(clean, 1, 8, 0.5, torch.Generator().manual_seed(0)).labels[clean.labels == 1] == 8
    arrays = load_file(tmp_path / "run" / "labels.safetensors")
    assert float(arrays["labels"][planted, 8].max()) == 0.0
    assert float(arrays["labels"][~planted, 8].max()) == 1.0
    assert set(arrays["truth"].tolist()) == {1}, "what is shown is the class of the image"


@pytest.mark.slow
def test_equal_seeds_give_equal_bytes(config, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        execute(config(seed=seed), tmp_path / name)
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c
    for file in ("proxies", "labels", "grading", "watch"):
        first, second = ((tmp_path / name / f"{file}.safetensors").read_bytes() for name in "ab")
        assert first == second, file


@pytest.mark.slow
@pytest.mark.parametrize("name", [method.name for method in METHODS if method.name != "zspag"])
def test_every_method_writes_the_same_record(config, tmp_path, name):
    method = next(m for m in METHODS if m.name == name)
    quick = {"epochs": 1, "batches": 2, "fisher_images": 32, "rounds": 1}
    quick |= {"images": 32, "synthesis_steps": 2, "passes": 1}
    settings = {key: value for key, value in quick.items() if key in method.__dataclass_fields__}
    result = execute(config(method=name, settings=settings), tmp_path / "run")
    assert set(result["after"]) >= GRADE
    assert result["before"]["acc_ut"] > 80
    if result["proxies"] is None:
        names = {"config.json", "result.json", "model.safetensors", "grading.safetensors", "watch.safetensors"}
        names |= {"labels.safetensors"} if result["labels"] else set()
        assert {p.name for p in (tmp_path / "run").iterdir()} == names
    if name == "mask":
        assert result["after"]["acc_rt"] == result["mask"]["acc_rt"]
        assert result["after"]["acc_ut"] == 0
    json.dumps(result, allow_nan=False)


@pytest.mark.slow
def test_only_a_method_that_needs_remaining_data_receives_it(config, tmp_path, monkeypatch, small_digits):
    seen = {}
    for method in METHODS:
        original = method.unlearn

        def spy(self, model, *splits, original=original, **rest):
            seen[self.name] = [set(split.labels.tolist()) for split in splits if hasattr(split, "labels")]
            return original(self, model, *splits, **rest)

        monkeypatch.setattr(method, "unlearn", spy)
        if method.name in {"zspag", "retrain", "mask"}:
            settings = {"epochs": 1} if method.name != "mask" else {}
            settings |= {"epsilon": 0.3, "n_adv": 4} if method.name == "zspag" else {}
            execute(config(method=method.name, settings=settings), tmp_path / method.name)
    assert seen["zspag"] == seen["mask"] == [{3}]
    assert seen["retrain"] == [{3}, set(range(10)) - {3}]


def test_what_cannot_be_done_is_refused_before_anything_is_written(config, tmp_path):
    with pytest.raises(UsageError, match="epsilon: expected 0 to 1, got 2"):
        execute(config(settings={"epsilon": 2}), tmp_path / "new" / "run")
    assert not list(tmp_path.iterdir())


def test_only_a_new_or_empty_folder_is_written(config, tmp_path):
    full, file, empty = tmp_path / "full", tmp_path / "file", tmp_path / "empty"
    full.mkdir()
    (full / "a").touch()
    file.touch()
    empty.mkdir()
    for taken in (full, file):
        with pytest.raises(
            UsageError, match=r"out: expected a new or empty folder, got .*, which already holds something"
        ):
            execute(config(), taken)
    with pytest.raises(UsageError, match=r"out: .*run cannot be written: .*file is not a folder that can be written"):
        execute(config(), file / "run")
    check_out(empty)
    check_out(tmp_path / "new")


class Told(Reporter):
    def __init__(self):
        self.notes = []

    def note(self, sentence):
        self.notes.append(sentence)


@pytest.fixture
def told():
    return Told()


@pytest.mark.slow
def test_a_model_that_hardly_reads_the_data_is_told_of_before_the_work_goes_on(config, digits_config, tmp_path):
    path = tmp_path / "untrained.safetensors"
    save_checkpoint(path, initialise(digits_config, 0), {"data": "digits"})
    trained, untrained = Told(), Told()
    execute(config(method="mask", settings={}), tmp_path / "trained", trained)
    execute(config(method="mask", settings={}, checkpoint=str(path)), tmp_path / "untrained", untrained)
    assert not trained.notes
    assert "do model and data belong together?" in "".join(untrained.notes)


@pytest.mark.slow
def test_other_names_of_the_classes_are_told_of(config, digits_model, told, tmp_path):
    path = tmp_path / "named.safetensors"
    names = [f"digit {k}" for k in range(10)]
    save_checkpoint(path, digits_model, {"data": "digits", "class_names": names})
    execute(config(method="mask", settings={}, checkpoint=str(path)), tmp_path / "named", told)
    assert told.notes == [
        "names of classes differ: they are taken in order, so that digits's '0' is the model's class 0, 'digit 0'"
    ]


@pytest.mark.slow
def test_a_class_that_the_model_never_reads_is_told_of(config, digits_checkpoint, told, tmp_path):
    checkpoint = load_checkpoint(digits_checkpoint)
    with torch.no_grad():
        checkpoint.model.head.bias[3] = -1000
    path = tmp_path / "blind.safetensors"
    save_checkpoint(path, checkpoint.model, {"data": "digits"})
    execute(config(method="mask", settings={}, checkpoint=str(path), forget=(3,)), tmp_path / "blind", told)
    assert told.notes == ["the model reads only 0.0 % of the forgotten classes' test images: no loss can be seen there"]


class StopIn(Reporter):
    def __init__(self, stage):
        self.stage, self.stages, self.epochs = stage, [], 0

    def progress(self, stage, done, total, **_figures):
        self.stages.append(stage)
        if stage == self.stage:
            raise Cancelled("stop")


class StopAfterAnEpoch(Reporter):
    def __init__(self):
        self.stages, self.armed = [], False

    def progress(self, stage, done, total, **_figures):
        self.stages.append(stage)
        if self.armed:
            raise Cancelled("stop")

    def epoch(self, number, total, model, **_figures):
        self.armed = number == 1


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["load", "evaluate", "proxies", "unlearn"])
def test_cancelling_before_an_epoch_has_ended_leaves_nothing(config, tmp_path, stage):
    with pytest.raises(Cancelled):
        execute(config(), tmp_path / "run", StopIn(stage))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_cancelling_while_unlearning_keeps_what_was_reached(config, tmp_path):
    report = StopAfterAnEpoch()
    result = execute(config(settings=QUICK | {"stop_rule": False, "epochs": 3}), tmp_path / "run", report)
    assert result["stopped"] == "cancelled"
    assert [row["epoch"] for row in result["history"]] == [1]
    assert result["after"] is None
    assert json.loads((tmp_path / "run" / "result.json").read_text()) == result
    assert load_checkpoint(tmp_path / "run" / "model.safetensors").model.config.num_classes == 10
    assert "test.after" not in load_file(tmp_path / "run" / "grading.safetensors")
    assert "logits_after" not in load_file(tmp_path / "run" / "proxies.safetensors")
    assert report.stages.index("proxies") < report.stages.index("unlearn")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["zspag", "posterior"])
def test_a_run_that_goes_on_tells_of_every_stage_that_is_done_already(config, tmp_path, method):
    settings = {"epochs": 1} if method == "posterior" else QUICK | {"stop_rule": False, "epochs": 1}
    asked, whole = config(method=method, settings=settings), StopIn("no stage")
    execute(asked, tmp_path / "whole", whole)

    class StopInTheLastGrading(StopIn):
        def epoch(self, number, total, model, **_figures):
            self.stage = "evaluate" if number == 1 else self.stage

    with pytest.raises(Cancelled):
        execute(asked, tmp_path / "run", StopInTheLastGrading("no stage"), state=tmp_path / "state")
    again = StopIn("no stage")
    result = execute(asked, tmp_path / "run", again, state=tmp_path / "state")
    assert result["stopped"] == "epochs"
    assert set(again.stages) == set(whole.stages)


def test_a_folder_that_cannot_be_written_is_refused_at_once(config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        execute(config(), tmp_path / "file" / "run")


@pytest.mark.slow
def test_a_failure_leaves_no_folder(config, tmp_path, monkeypatch):
    def broken(*_args, **_rest):
        raise RuntimeError("disk full")

    monkeypatch.setattr("zspag_core.runs.execute.save_checkpoint", broken)
    with pytest.raises(RuntimeError, match="disk full"):
        execute(config(method="mask", settings={}), tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "what"), [("_look_inside", "what the layers do"), ("_relearn", "relearning")])
def test_what_fails_after_the_figures_does_not_cost_the_model(config, told, tmp_path, monkeypatch, broken, what):
    def fail(*_args):
        raise RuntimeError("no kernel\nlong words of torch")

    monkeypatch.setattr(f"zspag_core.runs.execute.{broken}", fail)
    result = execute(config(method="mask", settings={}), tmp_path / "run", told)
    assert told.notes == [f"{what} could not be measured, the run goes on without: no kernel"]
    assert load_checkpoint(tmp_path / "run" / "model.safetensors")
    assert result == json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["subspace"], result["after"]["relearning"]) == (None, None)
    assert result["after"]["acc_ut"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("method", ["zspag", "finetune", "boundary_shrink"])
def test_images_made_late_give_the_same_run(config, tmp_path, monkeypatch, method):
    settings = QUICK | {"label_mode": "influence_anchored", "deep": 0.1} if method == "zspag" else {"epochs": 1}
    asked = config(method=method, settings=settings)
    execute(asked, tmp_path / "eager")
    monkeypatch.setattr(images, "EAGER_BYTES", 0)
    execute(asked, tmp_path / "late")
    one, two = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("eager", "late"))
    assert one | {"seconds": None} == two | {"seconds": None}
    for name in sorted(path.name for path in (tmp_path / "eager").glob("*.safetensors")):
        assert (tmp_path / "late" / name).read_bytes() == (tmp_path / "eager" / name).read_bytes(), name
