"""Made-up results of runs, for tests of what pages draw: no model, no training, any number of classes."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

GROUPS = ("retain_train", "retain_test", "forget_train", "forget_test")


@pytest.fixture
def make_record():
    """Return a function that makes the content of a result.json."""
    return record


@pytest.fixture
def write_arrays():
    """Return a function that writes the arrays of a run folder."""
    return arrays


def grades(classes, forget, gone, relearned):
    right = [0.0 if gone and k in forget else 99.0 - k % 3 for k in range(classes)]
    same_class = {"accuracy": 51.0, "auc": 52.0, "auc_ci": [48.0, 56.0]}
    return {
        "acc_rt": 98.4 if gone else 98.0,
        "acc_ut": 0.0 if gone else 97.0,
        "loss_rt": 0.12 if gone else 0.1,
        "acc_per_class": right,
        "mia": {"entropy_svc": 46.0 if gone else 92.0, "confidence_svc": None, "same_class": same_class},
        "probe": 95.0 if gone else 96.0,
        "relearning": {"steps": 12 if gone else 4, "reached": True} if relearned else None,
    }


def emptied(part):
    """Return a part of a record with nothing graded in it."""
    if isinstance(part, dict):
        return {name: emptied(value) for name, value in part.items()}
    return [None] * len(part) if isinstance(part, list) else None


def alone(result, held_out=0):
    """Return a record as a run leaves it whose data has nothing but images to forget."""
    then_and_now = {"before": 99.0, "after": None if result["after"] is None else 1.0}
    attack = {when: {"accuracy": 55.0, "auc": 56.0, "auc_ci": [50.0, 60.0]} for when in ("before", "after")}
    nothing = {"before": None, "after": None}
    estimates = {
        "forget_accuracy": then_and_now,
        "held_out_accuracy": {"before": 98.0, "after": 4.0} if held_out else nothing,
        "proxy_agreement": {"before": 100.0, "after": result["after"] and 97.5} if result["proxies"] else nothing,
        "same_class": attack if held_out else nothing,
        "images": 140,
        "held_out": held_out,
        "captured_energy": {"mean": 98.0, "least": 96.0} if result["subspace"] else None,
    }
    graded = {when: emptied(result[when]) for when in ("before", "after", "mask")}
    for when in ("before", "after"):
        if graded[when]:
            graded[when] |= {"relearning": None}
            graded[when]["mia"]["same_class"]["auc_ci"] = None
    history = [
        row | {"acc_rt": None, "acc_ut": None, "mia": None, "forget_images": 50.0 / row["epoch"]}
        for row in result["history"]
    ]
    layers = [
        layer | {"drift_real": None, "captured": None, "captured_proxy": 97.0}
        for layer in (result["subspace"] or {"layers": []})["layers"]
    ]
    subspace = result["subspace"] and {"layers": layers}
    lacks = ["retain_train", "retain_test", "forget_test"]
    return result | graded | {"estimates": estimates, "lacks": lacks, "history": history, "subspace": subspace}


def record(
    method="zspag", classes=10, forget=(3,), *, cancelled=False, relearned=True, backdoor=None, only_forget=False
):
    projected = method == "zspag"
    layers = [
        {"name": name, "dim": 100, "rank": rank, "leak": 2e-7, "moved": 0.1, "drift_proxy": 0.02, "drift_real": 0.03,
         "captured": 97.0, "kept_least": 95.0}
        for name, rank in (("stem", 100), ("middle", 40), ("head", 0))
    ]  # fmt: skip
    history = [
        {"epoch": epoch, "loss": 2.0 / epoch, "acc_rt": 98.0, "acc_ut": 40.0 / epoch, "mia": 60.0}
        | ({"free_gradient": 0.1 * epoch} if projected else {})
        for epoch in (1, 2)
    ]
    per_class = {str(k): 25 for k in range(classes) if k not in forget}
    result = {
        "method": method,
        "config": {"epsilon": 0.1, "epochs": 2, "stop_rule": True, "reach": None},
        "seed": 0,
        "device": "cpu",
        "forget": list(forget),
        "num_classes": classes,
        "before": grades(classes, forget, gone=False, relearned=relearned),
        "mask": {"acc_rt": 98.2},
        "backdoor": backdoor,
        "after": None if cancelled else grades(classes, forget, gone=True, relearned=relearned),
        "proxies": {"attempted": 250, "asr": 99.0, "confidence": 0.98, "per_class": per_class} if projected else None,
        "labels": {"mode": "posterior"} if method in {"zspag", "posterior"} else None,
        "subspace": {"layers": layers} if projected and not cancelled else None,
        "history": [] if method == "mask" else history,
        "seconds": {"proxies": 1.5 if projected else None, "unlearn": 2.0, "evaluate": 3.0},
        "stopped": "cancelled" if cancelled else "epochs",
    }
    return alone(result) if only_forget else result


def membership(rng, when, lacks):
    """Return what membership inference looks at, of the groups that there are."""
    values = {group: rng.beta(1 + place, 4, size=30).astype("f4") for place, group in enumerate(GROUPS)}
    return {
        f"mia.{when}.{group}.{name}": values[group]
        for group in GROUPS
        if group not in lacks
        for name in ("entropy", "confidence", "loss")
    }


def arrays(folder, result, *, influences=False, seed=0):
    """Write grading, labels and a model of no use into a run folder."""
    rng = np.random.default_rng(seed)
    classes, forget = result["num_classes"], result["forget"]
    folder.mkdir(parents=True, exist_ok=True)
    truth = np.repeat(np.arange(classes), 4)
    grading = {"test.labels": truth} if "lacks" not in result else {}
    for when in ("before", "after") if result["after"] else ("before",):
        logits = rng.normal(size=(len(truth), classes)).astype("f4")
        logits[np.arange(len(truth)), truth] += 8
        if when == "after":
            logits[:, forget] -= 20
        if "lacks" not in result:
            grading[f"test.{when}"] = logits
        grading |= membership(rng, when, result.get("lacks", ()))
    save_file(grading, folder / "grading.safetensors")
    if result["labels"] is not None:
        labels = rng.dirichlet(np.ones(classes), size=5 * len(forget)).astype("f4")
        taught = {"labels": labels, "truth": np.repeat(forget, 5)}
        if influences:
            taught["influences"] = rng.normal(size=labels.shape).astype("f4")
        save_file(taught, folder / "labels.safetensors")
    if result["proxies"] is not None:
        save_file({"labels": np.arange(3)}, folder / "proxies.safetensors")
    save_file({"weight": np.zeros(3, "f4")}, folder / "model.safetensors")


@pytest.fixture
def make_comparison():
    """Return a function that makes a comparison of six rows, two seeds each."""
    return comparison


def outcomes(acc_rt, acc_ut, probe, member, seconds, **about):
    from zspag_core.reproduce.comparison import Outcome

    return [
        Outcome(
            seed=seed,
            acc_rt=acc_rt + seed,
            acc_ut=acc_ut,
            probe=probe,
            mia=None if member is None else {"entropy_svc": member - seed, "confidence_svc": None},
            seconds=seconds,
            **about,
        )
        for seed in (0, 1)
    ]


def comparison(name="table1-digits-resnet", **changes):
    from zspag_core.reproduce.comparison import Comparison, Outcome, Row

    broken = [Outcome(seed=0, acc_rt=None, acc_ut=None, stopped="failed", error="the loss became nan")]
    rows = [
        Row(key="original", label="Original", method=None, needs_retain=False, kind="reference",
            seeds=outcomes(95.0, 97.0, 96.0, 90.0, None)),
        Row(key="mask", label="Mask", method="mask", needs_retain=False, kind="reference",
            seeds=outcomes(96.0, 0.0, 96.0, None, 0.0)),
        Row(key="retrain", label="Retrain", method="retrain", needs_retain=True, kind="reference",
            seeds=outcomes(96.5, 0.0, 60.0, 41.0, 80.0, relearning=20, relearned=True)),
        Row(key="zspag", label="ZS-PAG", method="zspag", needs_retain=False,
            paper={"acc_rt": 85.47, "acc_ut": 1.4},
            seeds=outcomes(97.0, 1.0, 80.0, 42.0, 9.0, relearning=9, relearned=False)),
        Row(key="neggrad_zs", label="Neggrad <zs>", method="neggrad_zs", needs_retain=False, kind="tuned",
            settings={"learning_rate": 0.01}, seeds=outcomes(60.0, 30.0, 85.0, 70.0, 2.0)),
        Row(key="salun", label="SalUn", method="salun", needs_retain=True, seeds=outcomes(80.0, 2.0, 70.0, 50.0, 20.0)),
        Row(key="badt", label="BadT", method="badt", needs_retain=True, seeds=broken),
    ]  # fmt: skip
    shared = {
        "name": name, "title": "Table 1 in miniature", "question": "Which method forgets?", "data": "digits",
        "model": "resnet_tiny", "test_accuracy": 100.0, "forget": [3], "class_names": [str(k) for k in range(10)],
        "scale": "small", "device": "cpu", "date": "2026-11-25", "forget_images": 146, "retain_images": 1200,
        "rows": rows, "notes": ["A made-up note."],
    }  # fmt: skip
    return Comparison(**shared | changes)
