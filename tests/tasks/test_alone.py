"""What short tasks answer about a run whose data has nothing but images to forget, and the task that grades it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.asking import job_for
from zspag_core.errors import UsageError
from zspag_core.files import read_json
from zspag_core.jobs import Lane, State
from zspag_core.progress import SILENT
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute
from zspag_core.tasks.attention import compare_attention, list_samples
from zspag_core.tasks.embedding_map import draw_map
from zspag_core.tasks.inspect_data import inspect_data
from zspag_core.tasks.model_report import model_report
from zspag_core.tasks.preview import preview_attack
from zspag_core.tasks.relearning import measure_relearning
from zspag_core.tasks.table import find_task


@pytest.fixture(scope="module")
def threes(small_digits, tmp_path_factory):
    """The training images of class 3, in a file without a test part."""
    path, mine = tmp_path_factory.mktemp("brought") / "threes.npz", small_digits.train.of_classes((3,))
    np.savez(path, x=mine.images[:, 0].numpy(), y=mine.labels.numpy())
    return str(path)


@pytest.fixture(scope="module")
def folder_alone(digits_checkpoint, threes, tmp_path_factory):
    """The folder of a run on these alone."""
    out = tmp_path_factory.mktemp("alone") / "run"
    settings = {"epochs": 2, "n_adv": 8, "epsilon": 0.3, "energy": 0.8}
    execute(RunConfig(threes, str(digits_checkpoint), (3,), settings=settings, device="cpu", relearning=False), out)
    return out


@pytest.fixture
def job(store, home, folder_alone):
    """That run as a job that is done."""
    store.submit("unlearn", {"forget": [3]})
    store.heartbeats.beat("worker", "worker", (Lane.RUNS,), "cpu")
    mine = store.claim(Lane.RUNS, "worker", "cpu")
    store.finish(mine, State.DONE, answer=read_json(folder_alone / "result.json"))
    shutil.copytree(folder_alone, home / "runs" / mine.id)
    return store.require(mine.id)


def test_the_model_page_says_which_classes_there_are(threes, digits_checkpoint):
    about = inspect_data(job_for({"data": threes, "checkpoint": str(digits_checkpoint)}))
    assert about["fits"] is about["doubt"] is None
    assert [bool(one["train"]) for one in about["classes"]] == [k == 3 for k in range(10)]
    assert [one["picture"] is None for one in about["classes"]] == [k != 3 for k in range(10)]
    report = model_report(job_for({"data": threes, "checkpoint": str(digits_checkpoint)}))
    assert (report["of"], report["graded"]) == ("training", about["train"])
    assert [k for k, value in enumerate(report["acc_per_class"]) if value is not None] == [3]


def test_the_preview_attacks_the_images_to_forget(threes, digits_checkpoint):
    found = preview_attack(job_for({"data": threes, "checkpoint": str(digits_checkpoint), "forget": [3]}, "cpu"))
    assert found["attempted"] == 64


def test_the_map_is_laid_out_by_forget_images_and_proxies(job):
    answer = draw_map(job_for({"run": job.id, "kind": "pca"}, "cpu"))
    arrays, proxies = load_file(job.folder / "map_pca.safetensors"), load_file(job.folder / "proxies.safetensors")
    assert set(arrays["real_labels"].tolist()) == {3}
    assert len(arrays["real_before"]) == len(arrays["real_after"]) == len(arrays["real_index"])
    assert answer["points"] == len(arrays["real_index"]) + len(proxies["labels"])
    assert answer["knn_agreement"] is None
    together = torch.cat([arrays["real_before"], arrays["proxy_before"]]).double()
    assert together.mean(0).abs().max() < 1e-3, "the plane is centred on all points that it was fitted to"


def test_images_to_forget_are_offered_and_looked_into(job, threes):
    offered = list_samples(job_for({"run": job.id, "kind": "forgotten", "count": 5}, "cpu"))["images"]
    assert [image["label"] for image in offered] == [3] * 5
    assert list_samples(job_for({"run": job.id, "kind": "remaining", "count": 5}, "cpu")) == {"images": []}
    found = compare_attention(
        job_for({"run": job.id, "index": [offered[0]["index"]], "layer": None, "target": "own"}, "cpu")
    )
    assert found["similarity"]["remaining"] is found["empty"]["remaining"] is None
    assert found["similarity"]["forgotten"] is not None or found["empty"]["forgotten"] > 0
    assert measure_relearning(job_for({"run": job.id}, "cpu")) == {"before": None, "after": None}


@pytest.mark.slow
def test_the_task_grades_the_run_for_every_page(job, store):
    draw_map(job_for({"run": job.id, "kind": "pca"}, "cpu"))
    asked = store.submit("samples", {"run": job.id, "kind": "forgotten", "count": 5}, lane=Lane.INTERACTIVE)
    task = store.submit("grade", {"run": job.id, "data": "digits"}, device="cpu")
    result = find_task("grade")(task, SILENT)
    assert result["lacks"] == []
    assert result["after"]["acc_rt"] > 50
    assert store.require(job.id).answer == result == read_json(job.folder / "result.json")
    assert not list(job.folder.glob("map_*")), "it showed what there was before"
    assert store.recall("samples", asked.config) is None
    assert store.recall("grade", task.config).id == task.id
    remaining = list_samples(job_for({"run": job.id, "kind": "remaining", "count": 5}, "cpu"))["images"]
    assert [image["label"] for image in remaining] == [0, 1, 2, 4, 5]


def test_only_a_finished_run_is_graded(store, threes):
    waiting = store.submit("unlearn", {"forget": [3]})
    assert not store.replace_answer(waiting.id, {}, "")
    with pytest.raises(UsageError, match="run: expected the folder of a run"):
        find_task("grade")(store.submit("grade", {"run": waiting.id, "data": "digits"}, device="cpu"), SILENT)
    with pytest.raises(UsageError, match="there is none with the id 'nobody'"):
        find_task("grade")(store.submit("grade", {"run": "nobody", "data": "digits"}, device="cpu"), SILENT)
