"""Runs on images to forget and nothing else, and their grading afterwards."""

from __future__ import annotations

import io
import json
import shutil
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.cli import main
from zspag_core.errors import CheckpointError, UsageError, ZspagError
from zspag_core.metrics.grade import grade
from zspag_core.progress import Reporter
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute
from zspag_core.runs.prepare import prepare
from zspag_core.runs.regrade import regrade

QUICK = {"epochs": 2, "n_adv": 8, "epsilon": 0.3}


def write_zip(path, dataset, classes, test=()):
    """Write the images of some classes as a visitor would bring them, in the data set's own order."""
    with zipfile.ZipFile(path, "w") as archive:
        for folder, split, some in (("train/", dataset.train, classes), ("test/", dataset.test, test)):
            for k in some:
                for number, image in enumerate(split.of_classes((k,)).images):
                    buffer = io.BytesIO()
                    Image.fromarray(image[0].numpy()).save(buffer, "PNG")
                    prefix = folder if test else ""
                    archive.writestr(f"{prefix}{dataset.class_names[k]}/{number:05}.png", buffer.getvalue())
    return str(path)


@pytest.fixture(scope="module")
def brought(small_digits, tmp_path_factory):
    """Data with the training images of class 3 alone; of 3 and 5; of 3 with its test images."""
    folder = tmp_path_factory.mktemp("brought")
    return {
        "threes": write_zip(folder / "threes.zip", small_digits, [3]),
        "both": write_zip(folder / "both.zip", small_digits, [3, 5]),
        "tested": write_zip(folder / "tested.zip", small_digits, [3], test=[3]),
    }


@pytest.fixture(scope="module")
def asked(digits_checkpoint):
    def make(data, **changes):
        base = {
            "data": data,
            "checkpoint": str(digits_checkpoint),
            "forget": ("3",),
            "settings": QUICK,
            "device": "cpu",
        }
        return RunConfig(**(base | changes))

    return make


@pytest.fixture(scope="module")
def runs(asked, brought, tmp_path_factory):
    """The folder of a run on forget images alone, and of one on the whole data set."""
    folder = tmp_path_factory.mktemp("runs")
    execute(asked(brought["threes"]), folder / "alone")
    execute(asked("digits"), folder / "whole")
    return folder


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def values_in(part):
    if isinstance(part, dict):
        return [value for one in part.values() for value in values_in(one)]
    return [value for one in part for value in values_in(one)] if isinstance(part, list) else [part]


@pytest.mark.slow
def test_the_model_is_the_same_byte_for_byte_as_with_the_whole_data(runs):
    alone, whole = ((runs / name / "model.safetensors").read_bytes() for name in ("alone", "whole"))
    assert alone == whole


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{"n_adv": 10, "epochs": 3}, {"label_mode": "influence_anchored", "epochs": 1, "n_adv": 2}]
)
def test_the_shipped_model_forgets_the_same_byte_for_byte(settings, tmp_path):
    from ui.shell.checkpoints import shipped_checkpoints
    from zspag_core.data import load_dataset

    (model,) = (path for path in shipped_checkpoints() if path.stem == "digits_resnet")
    threes = write_zip(tmp_path / "threes.zip", load_dataset("digits", channels=1), [3])
    found = []
    for name, data in (("alone", threes), ("whole", "digits")):
        config = RunConfig(data, str(model), (3,), settings=settings, device="cpu", relearning=False)
        execute(config, tmp_path / name)
        found.append((tmp_path / name / "model.safetensors").read_bytes())
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["posterior", "neggrad_zs", "mask"])
def test_other_zero_shot_methods_make_the_same_model_too(asked, brought, method, tmp_path):
    settings = {} if method == "mask" else {"epochs": 1}
    for name, data in (("alone", brought["threes"]), ("whole", "digits")):
        execute(asked(data, method=method, settings=settings, relearning=False), tmp_path / name)
    assert (tmp_path / "alone/model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()


@pytest.mark.slow
def test_what_cannot_be_graded_is_null_and_never_a_zero(runs):
    result = result_of(runs / "alone")
    assert result["lacks"] == ["retain_train", "retain_test", "forget_test"]
    for part in (result["before"], result["after"], result["mask"]):
        assert set(values_in(part)) == {None}
    assert result["proxies"]["knn_agreement"] is None
    for layer in result["subspace"]["layers"]:
        assert layer["drift_real"] is layer["captured"] is None
        assert layer["drift_proxy"] is not None
    for row in result["history"]:
        assert row["acc_rt"] is row["acc_ut"] is row["mia"] is row["loss_rt"] is None
        assert 0 <= row["forget_images"] <= 100
    assert set(result) >= set(result_of(runs / "whole"))


@pytest.mark.slow
def test_estimates_say_what_forget_images_and_proxies_say(runs, digits_model, small_digits):
    estimates = result_of(runs / "alone")["estimates"]
    after = load_checkpoint(runs / "alone/model.safetensors").model
    mine = small_digits.train.of_classes((3,))
    for when, model in (("before", digits_model), ("after", after)):
        with torch.inference_mode():
            read = model(mine.images.float() / 255).argmax(1)
        assert estimates["forget_accuracy"][when] == pytest.approx(100 * float((read == 3).double().mean()))
        assert estimates["held_out_accuracy"][when] is estimates["same_class"][when] is None
    assert estimates["proxy_agreement"]["before"] == 100
    assert (estimates["images"], estimates["held_out"]) == (len(mine), 0)
    assert 0 < estimates["captured_energy"]["least"] <= estimates["captured_energy"]["mean"] <= 100
    assert result_of(runs / "whole")["estimates"] is None


@pytest.mark.slow
def test_the_images_to_forget_are_watched_and_their_outputs_kept(runs, small_digits):
    watched = load_file(runs / "alone/watch.safetensors")
    assert set(watched["labels"].tolist()) == {3}
    mine = small_digits.train.of_classes((3,)).images
    assert torch.equal(watched["images"], mine[watched["index"]])
    assert result_of(runs / "alone")["watch"]["images"] == "forget"
    grading = load_file(runs / "alone/grading.safetensors")
    assert {name.split(".")[2] for name in grading} == {"forget_train"}


@pytest.mark.slow
def test_held_out_images_are_not_shown_and_estimated_apart(asked, brought, tmp_path):
    config = asked(brought["threes"], hold_out=20.0, method="posterior", settings={"epochs": 1})
    prepared = prepare(config)
    shown, apart = (set(map(bytes, part.images.numpy())) for part in (prepared.forget, prepared.held_out))
    assert len(prepared.held_out) == round(0.2 * (len(prepared.forget) + len(prepared.held_out)))
    assert not shown & apart
    estimates = execute(config, tmp_path / "run")["estimates"]
    assert estimates["held_out"] == len(prepared.held_out)
    assert estimates["images"] == len(prepared.forget)
    assert estimates["held_out_accuracy"]["before"] > 90
    assert set(estimates["same_class"]["after"]) == {"accuracy", "auc", "auc_ci"}
    taught = load_file(tmp_path / "run/labels.safetensors")
    assert len(taught["truth"]) == len(taught["labels"]) == estimates["images"]


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (-1.0, "got -1"),
        (95.0, "hold_out: expected 0 to 90 percent, got 95"),
        (0.2, "a percentage such as 20, got 0.2, less than one percent; 0.2 of the images is 20"),
    ],
)
def test_a_share_out_of_range_is_refused(asked, brought, share, said):
    with pytest.raises(UsageError, match=said):
        prepare(asked(brought["threes"], hold_out=share))


def test_a_class_with_one_image_cannot_be_held_out_of(asked, small_digits, tmp_path):
    one = tmp_path / "one.npz"
    np.savez(one, x=small_digits.train.images[:1, 0].numpy(), y=np.array([3]))
    with pytest.raises(UsageError, match=r"hold_out: expected at least two images of class '3', one.npz has one"):
        prepare(asked(str(one), hold_out=20.0))
    assert len(prepare(asked(str(one))).forget) == 1


@pytest.mark.slow
def test_test_images_of_the_forgotten_class_are_graded(asked, brought, tmp_path):
    result = execute(asked(brought["tested"], method="mask", settings={}, relearning=False), tmp_path / "run")
    assert result["lacks"] == ["retain_train", "retain_test"]
    assert result["before"]["acc_ut"] > 90
    assert result["after"]["acc_ut"] == 0
    assert result["before"]["acc_rt"] is None
    assert result["before"]["mia"]["same_class"]["accuracy"] is not None
    assert result["before"]["acc_per_class"][3] == result["before"]["acc_ut"]


def test_one_of_the_remaining_classes_is_not_all_of_them(asked, brought, tmp_path):
    result = execute(asked(brought["both"], method="mask", settings={}, relearning=False), tmp_path / "run")
    assert result["lacks"] == ["retain_train", "retain_test", "forget_test"]
    assert result["estimates"]["forget_accuracy"]["after"] == 0


def test_methods_that_need_remaining_data_are_refused(asked, brought):
    why = (
        r"Retrain needs training images of every remaining class, and threes.zip has none of 0, 1, 2, 4, .* do without"
    )
    with pytest.raises(UsageError, match=f"method: {why}"):
        prepare(asked(brought["threes"], method="retrain", settings={}))
    with pytest.raises(UsageError, match=r"both.zip has none of 0, 1, 2, 4, 6"):
        prepare(asked(brought["both"], method="finetune", settings={}))


def test_which_output_a_folder_is_must_be_known(asked, brought, digits_model, tmp_path):
    nameless = tmp_path / "nameless.safetensors"
    save_checkpoint(nameless, digits_model, {})
    for name in ("threes", "both"):
        with pytest.raises(
            ZspagError, match=rf"{name}.zip has .*the model does not name its classes; give .* --classes"
        ):
            prepare(asked(brought[name], checkpoint=str(nameless)))
    names = tuple("abc3efghij")
    prepared = prepare(asked(brought["threes"], checkpoint=str(nameless), model_classes=names))
    assert prepared.config.classes == (3,)
    assert prepared.dataset.class_names == names
    with pytest.raises(ZspagError, match="the model does not name '3'; the model's classes are a, b, c"):
        prepare(asked(brought["threes"], checkpoint=str(nameless), model_classes=tuple("abcdefghij")))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a", "b"), "classes: expected 10 names, one for each output of the model, got 2"),
        (tuple("abcdefghii"), "classes: expected every name once, got 'i' twice"),
    ],
)
def test_names_that_cannot_be_the_models_are_refused(asked, names, said):
    with pytest.raises(UsageError, match=said):
        prepare(asked("digits", model_classes=names))


def test_names_that_were_told_are_written_into_the_model(asked, brought, tmp_path):
    names = tuple("0123456789")
    config = asked(brought["threes"], model_classes=names, method="mask", settings={})
    execute(config, tmp_path / "run")
    assert load_checkpoint(tmp_path / "run/model.safetensors").about["class_names"] == list(names)
    stored = json.loads((tmp_path / "run/config.json").read_text())
    assert RunConfig.from_dict(stored).model_classes == names
    earlier = {name: value for name, value in stored.items() if name not in {"model_classes", "hold_out"}}
    assert RunConfig.from_dict(earlier).model_classes is None


class Told(Reporter):
    def __init__(self):
        self.notes = []

    def note(self, sentence):
        self.notes.append(sentence)


def test_images_that_the_model_reads_as_another_class_are_told_of(asked, brought, tmp_path):
    names = tuple("0125436789")  # 3 is said to be output 5, which it is not
    told = Told()
    config = asked(brought["threes"], forget=(5,), model_classes=names, method="mask", settings={})
    execute(config, tmp_path / "run", told)
    assert told.notes[0] == "threes.zip has images of 1 of the model's 10 classes: 3"
    assert "what needs them is not graded" in told.notes[1]
    assert "of the images to forget as their class, most often as '5'" in told.notes[-1]


@pytest.fixture
def copy(runs, tmp_path):
    return shutil.copytree(runs / "alone", tmp_path / "run")


@pytest.mark.slow
def test_grading_later_completes_the_record(copy, runs, digits_model, small_digits):
    before, whole = result_of(copy), result_of(runs / "whole")
    result = regrade(copy, "digits", device="cpu")
    assert result == result_of(copy)
    for name in ("before", "after", "mask"):
        assert result[name] == whole[name]
    assert result["before"]["acc_rt"] == grade(digits_model, small_digits, (3,), seed=0).accuracy.acc_rt
    assert result["proxies"]["knn_agreement"] == pytest.approx(whole["proxies"]["knn_agreement"])
    for mine, theirs in zip(result["subspace"]["layers"], whole["subspace"]["layers"], strict=True):
        assert mine["drift_real"] == pytest.approx(theirs["drift_real"], rel=1e-5)
        assert mine["captured"] is None
    for kept in ("estimates", "history", "seconds", "config", "forget"):
        assert result[kept] == before[kept]
    assert (result["lacks"], result["graded_with"]) == ([], "digits")
    mine, theirs = (load_file(folder / "grading.safetensors") for folder in (copy, runs / "whole"))
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert not [path for path in copy.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_a_run_that_cannot_be_graded_so_stays_as_it_was(copy, brought, digits_config, tmp_path):
    from zspag_core.models import initialise

    other = tmp_path / "other.safetensors"
    save_checkpoint(other, initialise(digits_config, 0), {"class_names": list("0123456789")})
    held = {path.name: path.read_bytes() for path in copy.iterdir()}
    with pytest.raises(
        UsageError, match=r"data: expected images that the run's own data lack, got .*threes.zip: The data"
    ):
        regrade(copy, brought["threes"], device="cpu")
    with pytest.raises(UsageError, match=r"run: .*other.safetensors is not the model that the run in .* started from"):
        regrade(copy, "digits", original=str(other), device="cpu")
    with pytest.raises(CheckpointError, match=r"is not at .*nowhere, seen from here \(--original says where\)"):
        regrade(copy, "digits", original=str(tmp_path / "nowhere"), device="cpu")
    with pytest.raises(UsageError, match="run: expected the folder of a run, got"):
        regrade(tmp_path, "digits", device="cpu")
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == held


@pytest.mark.slow
def test_an_interrupted_run_is_not_graded(copy):
    record = result_of(copy) | {"after": None}
    (copy / "result.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match=r"run: expected a finished run, got .*, which was interrupted"):
        regrade(copy, "digits", device="cpu")


@pytest.mark.slow
def test_the_command_grades_a_run_later(copy, capsys):
    assert main(["evaluate", "--run", str(copy), "--data", "digits", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "remaining 9" in said
    assert "estimates: of the " in said


@pytest.mark.slow
def test_the_command_says_what_is_not_graded_and_what_is_estimated(digits_checkpoint, brought, tmp_path, capsys):
    command = ["unlearn", "--data", brought["threes"], "--checkpoint", str(digits_checkpoint), "--forget", "3"]
    command += ["--method", "mask", "--device", "cpu", "--hold-out", "20", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "are not graded" in said.out
    assert "undefined" not in said.out
    assert "images to forget" in said.out
    assert "held out" in said.out
    assert main(["evaluate", "--data", brought["threes"], "--checkpoint", str(digits_checkpoint), "--forget", "3"]) == 0
    assert "accuracy on the images to forget (an estimate): " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["evaluate", "--data", "digits"], "--checkpoint: expected the model to measure, or --run"),
        (["evaluate", "--data", "digits", "--checkpoint", "x"], "--forget: expected classes by number or name"),
        (["evaluate", "--data", "digits", "--run", "x", "--forget", "3"], "--run: expected no --forget beside it"),
        (["evaluate", "--data", "digits", "--run", "nowhere"], "run: expected the folder of a run, got nowhere"),
    ],
)
def test_bad_use_is_answered_with_one_line(command, said, capfd):
    assert main(command) == 2
    err = capfd.readouterr().err
    assert said in err
    assert err.count("\n") == 1
