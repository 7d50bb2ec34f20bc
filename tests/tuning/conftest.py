"""A store of its own for every test, and finished trials written by hand."""

from __future__ import annotations

import pytest

from zspag_core.jobs import JobStore
from zspag_core.tuning.space import Axis
from zspag_core.tuning.sweep import Sweep


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    monkeypatch.delenv("ZSPAG_DATABASE_URL", raising=False)
    return tmp_path


@pytest.fixture
def store(home):
    opened = JobStore()
    yield opened
    opened.close()


@pytest.fixture
def run_record(digits_checkpoint):
    from zspag_core.runs.config import RunConfig

    settings = {"epochs": 2, "energy": 0.8}
    config = RunConfig("digits", str(digits_checkpoint), (3,), settings=settings, device="cpu", relearning=False)
    return config.to_dict() | {"forget": [3]}


@pytest.fixture
def sweep(run_record):
    space = (Axis(name="n_adv", values=(4, 8)), Axis(name="label_mode", values=("posterior", "second_best")))
    return Sweep(run=run_record, space=space, trials=4)


@pytest.fixture
def row():
    """Return a function that makes a finished trial."""

    def row(number, point, state="done", **figures):
        told = {"number": number, "point": point, "seeds": [0], "jobs": [f"{number:024x}"], "state": state}
        return told | {"error": "" if state == "done" else "it broke", "figures": figures, "spread": {}, "took": 2.0}

    return row


@pytest.fixture
def answer():
    """What a finished trial of the digits answers."""
    mia = {"same_class": {"accuracy": 51.0, "auc": 47.5, "auc_ci": [40, 55]}}
    return {
        "after": {"acc_rt": 98.0, "acc_ut": 7.0, "mia": mia, "probe": 99.0},
        "mask": {"acc_rt": 97.5},
        "subspace": {"layers": [{"captured_proxy": 99.0}, {"captured_proxy": 97.0}, {"captured_proxy": None}]},
        "seconds": {"proxies": 1.0, "labels": None, "unlearn": 2.5, "evaluate": 9.0},
        "yardstick": {"forgotten": 6.0, "agreement": 100.0, "confidence": 95.0, "divergence": 0.02,
                      "own_agreement": 99.0, "own_confidence": 90.0},
    }  # fmt: skip
