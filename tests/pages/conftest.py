"""The dashboard without workers: what they would say is written into the database by hand."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ui.shell.checkpoints import shipped_checkpoints
from ui.shell.jobs import engine_question, job_store
from ui.shell.selection import choice_of_own
from zspag_core.jobs import Lane, State

ROOT = Path(__file__).parents[2]
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def figures(acc_rt, acc_ut, probe):
    mia = {
        "entropy_svc": 70.0,
        "confidence_svc": None,
        "same_class": {"accuracy": 51.0, "auc": 52.0, "auc_ci": [48, 56]},
    }
    return {"acc_rt": acc_rt, "acc_ut": acc_ut, "loss_rt": 0.1, "acc_per_class": [], "mia": mia, "probe": probe}


RESULT = {
    "method": "zspag",
    "before": figures(99.0, 98.0, 97.0),
    "mask": {"acc_rt": 99.3},
    "after": figures(99.4, 0.0, 95.0),
    "history": [{"epoch": 1, "loss": 2.0, "acc_rt": 99.2, "acc_ut": 40.0}],
    "stopped": "epochs",
}


@pytest.fixture
def clean_home(tmp_path, monkeypatch):
    """An empty home, no worker that starts by itself, and nothing that earlier pages kept."""
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    monkeypatch.setenv("ZSPAG_START_WORKER", "0")
    monkeypatch.delenv("ZSPAG_DATABASE_URL", raising=False)
    st.cache_resource.clear()
    st.cache_data.clear()
    yield tmp_path
    st.cache_resource.clear()


@pytest.fixture
def store(clean_home):
    opened = job_store()
    yield opened
    opened.close()


@pytest.fixture
def finish(store):
    """Queue a job, claim it and end it as told."""

    def finish(kind, config, state=State.DONE, lane=Lane.RUNS, **ending):
        store.submit(kind, config, lane=lane)
        store.heartbeats.beat("worker", "worker", (Lane.RUNS, Lane.INTERACTIVE), "cpu")
        job = store.claim(lane, "worker", "cpu")
        store.finish(job, state, **ending)
        return store.require(job.id)

    return finish


@pytest.fixture
def checkpoint():
    paths = shipped_checkpoints()
    if not paths:
        pytest.skip("no checkpoint in assets/checkpoints")
    return paths[0]


@pytest.fixture
def answered(finish, checkpoint):
    """Let the worker have answered what the Forget page asks it."""
    from zspag_core.tasks.describe import describe_engine

    classes = [{"name": str(label), "picture": PICTURE, "train": 140, "test": 36} for label in range(10)]
    looked = {"classes": classes, "fits": None, "class_names": [described["name"] for described in classes]}
    finish("inspect_data", choice_of_own(checkpoint).question, lane=Lane.INTERACTIVE, answer=looked)
    finish("engine", engine_question(), lane=Lane.INTERACTIVE, answer=describe_engine())


@pytest.fixture
def picture():
    """The smallest picture there is, as a data URL."""
    return PICTURE


@pytest.fixture
def preview_answer():
    """What the task `preview` says, with one example in place of six."""
    example = {
        "original": PICTURE,
        "noise": PICTURE,
        "proxy": PICTURE,
        "from": 3,
        "to": 8,
        "confidence": 0.97,
        "success": True,
    }
    return {
        "asr": 93.75,
        "attempted": 64,
        "linf": 32 / 255,
        "l2": 2.5,
        "mean_confidence": 0.99,
        "per_class": {"8": 40, "5": 20},
        "examples": [example],
        "seconds": 0.4,
    }


@pytest.fixture
def run_config(checkpoint):
    return {
        "data": "digits",
        "checkpoint": str(checkpoint),
        "forget": [3],
        "class_names": ["3"],
        "settings": {"epochs": 4},
    }


@pytest.fixture
def result():
    return RESULT


@pytest.fixture
def overview(store):
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)


@pytest.fixture
def open_page(overview):
    """Return a function that opens a page by its file name, with run A, run B or none."""

    def open_page(name, job=None, second=None):
        for key, run in (("job", job), ("b", second)):
            if run is not None:
                overview.query_params[key] = run.id
        overview.run()
        page = overview.switch_page(f"pages/{name}").run()
        assert not page.exception
        return page

    return open_page


@pytest.fixture
def forget_page(overview, open_page):
    """Return a function that opens the Forget page, all its settings unfolded, with a run or without."""
    overview.session_state["all-settings"] = True
    return partial(open_page, "2_Forget.py")


@pytest.fixture
def graded(finish, run_config, result, checkpoint):
    """Return a function that makes a finished run of ten classes with the files that pages draw."""
    import shutil

    def graded(forget=(3,), *, proxies=6, map_kinds=("pca",), **changes):
        config = run_config | {"forget": list(forget), "class_names": [str(k) for k in forget]}
        about = {"attempted": 1040, "asr": 99.1, "confidence": 0.99, "knn_agreement": 88.0}
        about["per_class"] = {str(k): 2 * k for k in range(10) if k not in forget}
        layers = [{"name": "head", "dim": 64, "rank": 9, "captured": 97.0}]
        filled = {"config": {"n_adv": 100}, "proxies": about, "subspace": {"layers": layers}} if proxies else {}
        answer = result | {"config": {}, "proxies": None, "subspace": None} | filled | changes
        job = finish("unlearn", config, answer=answer)
        job.folder.mkdir(parents=True)
        shutil.copy(checkpoint, job.folder / "model.safetensors")
        write_arrays(job.folder, forget, proxies, map_kinds)
        return job

    return graded


def write_arrays(folder, forget, proxies, map_kinds):
    """Write made-up proxies and maps."""
    import numpy as np
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    def pictures(count):
        return rng.integers(0, 256, (count, 3, 8, 8)).astype(np.uint8)

    others = [k for k in range(10) if k not in forget]
    if proxies:
        made = {
            "images": rng.random((proxies, 3, 8, 8)).astype(np.float16),
            "originals": pictures(proxies),
            "labels": np.array([others[i % len(others)] for i in range(proxies)], np.int64),
            "sources": np.arange(proxies),
            "confidence": np.ones(proxies, np.float32),
            "logits_before": normal(proxies, 10),
            "logits_after": normal(proxies, 10),
        }
        save_file(made, folder / "proxies.safetensors")
        truth = np.array([forget[i % len(forget)] for i in range(proxies)], np.int64)
        save_file({"labels": np.abs(normal(proxies, 10)), "truth": truth}, folder / "labels.safetensors")
    real = np.repeat(np.arange(10), 2)
    for kind in map_kinds:
        chart = {name: normal(20, 2) for name in ("real_before", "real_after", "real_zero")}
        chart |= dict.fromkeys(("real_labels", "real_index", "real_predicted_before", "real_predicted_after"), real)
        chart["real_images"] = pictures(20)
        if proxies:
            chart |= {name: normal(proxies, 2) for name in ("proxy_before", "proxy_after")}
            chart["proxy_index"] = np.arange(proxies)
        save_file(chart, folder / f"map_{kind}.safetensors")
