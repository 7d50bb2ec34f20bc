"""Runs are found again in MLflow by its own client, each once."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec

import pytest

from zspag_core.cli import main
from zspag_core.errors import UsageError
from zspag_core.mlflow_log import INSTALL, RUNS, MlflowLog, log_sweep, metrics_of, params_of
from zspag_core.tuning.space import Axis
from zspag_core.tuning.sweep import Sweep

pytestmark = [
    pytest.mark.skipif(find_spec("mlflow") is None, reason="mlflow is an extra"),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),  # MLflow's own queries
]

CONFIG = {"data": "digits", "forget": [3], "seed": 0, "order": "", "hold_out": None, "settings": {"epsilon": 0.1}}


@pytest.fixture
def folder(tmp_path, run_record_of):
    """Return a function that writes a finished run's folder."""

    def write(name, **changes):
        place = tmp_path / name
        place.mkdir()
        (place / "config.json").write_text(json.dumps(CONFIG))
        (place / "result.json").write_text(json.dumps(run_record_of() | changes))
        return place

    return write


@pytest.fixture
def run_record_of():
    graded = {"acc_rt": 98.0, "acc_ut": 2.0, "probe": None, "mia": {"same_class": {"accuracy": 51.0, "auc": 48.0}}}
    history = [{"epoch": 1, "loss": 2.0, "acc_rt": None}, {"epoch": 2, "loss": 1.5, "acc_rt": 98.0}]
    seconds = {"proxies": 1.5, "labels": None}
    return lambda: {"before": graded, "after": graded, "history": history, "seconds": seconds}


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """One database for all tests: to make its tables takes seconds."""
    return tmp_path_factory.mktemp("mlflow") / "store"


def _runs(target, experiment):
    import mlflow  # not while tests are collected: it takes two seconds

    client = mlflow.MlflowClient(f"sqlite:///{target / 'mlflow.db'}")
    found = client.get_experiment_by_name(experiment)
    return client, {run.info.run_name: run for run in client.search_runs([found.experiment_id])}


@pytest.mark.slow
def test_a_run_is_logged_once_with_parameters_metrics_epochs_and_files(target, folder, capsys):
    line = ["export", str(folder("one")), "--mlflow", str(target)]
    assert main(line) == 0
    assert "1 of 1 logged" in capsys.readouterr().out
    assert main(line) == 0
    assert "0 of 1 logged" in capsys.readouterr().out
    client, runs = _runs(target, RUNS)
    (run,) = runs.values()
    assert run.data.params == {"data": "digits", "forget": "[3]", "seed": "0", "set.epsilon": "0.1"}
    assert run.data.metrics["after.acc_ut"] == 2.0
    assert run.data.metrics["before.mia.same_class.auc"] == 48.0
    assert run.data.metrics["seconds.proxies"] == 1.5
    assert not {"before.probe", "seconds.labels"} & run.data.metrics.keys()
    losses = client.get_metric_history(run.info.run_id, "epoch.loss")
    assert [(one.step, one.value) for one in losses] == [(1, 2.0), (2, 1.5)]
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"config.json", "result.json"}
    assert run.info.status == "FINISHED"


@pytest.mark.slow
def test_every_trial_of_a_sweep_is_logged_those_that_failed_too(target, folder):
    sweep = Sweep(run=CONFIG | {"method": "zspag"}, space=(Axis(name="n_adv", values=(1, 2)),), trials=3, seeds=(0, 1))
    one = {"number": 0, "point": {"n_adv": 1}, "seeds": [0, 1], "jobs": ["a", "b"], "state": "done", "error": ""}
    one |= {"figures": {"retain_free": 90.0, "graded": None}}
    two = {"number": 1, "point": {"n_adv": 2}, "seeds": [0], "jobs": ["c"], "state": "failed", "error": "it broke"}
    folders = {"a": folder("a"), "b": folder("b")}
    assert log_sweep(str(target), sweep, [one, two], folders) == 3
    assert log_sweep(str(target), sweep, [one, two], folders) == 0
    _, runs = _runs(target, "ZS-PAG sweep of n_adv")
    assert set(runs) == {"trial 0, seed 0", "trial 0, seed 1", "trial 1"}
    assert runs["trial 0, seed 1"].data.metrics["retain_free"] == 90.0
    assert (runs["trial 1"].info.status, runs["trial 1"].data.tags["error"]) == ("FAILED", "it broke")
    assert runs["trial 1"].data.params == {"n_adv": "2", "seed": "0"}


@pytest.mark.slow
def test_what_is_no_run_or_no_place_is_refused_in_a_sentence(target, tmp_path, capsys):
    assert main(["export", str(tmp_path / "none"), "--mlflow", str(target)]) == 2
    assert "expected the folder of a finished run, with config.json and result.json" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["export", str(tmp_path), "--mlflow", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(UsageError, match="MLflow cannot use gopher://nowhere"):
        MlflowLog("gopher://nowhere")


def test_without_mlflow_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UsageError) as refused:
        MlflowLog.check()
    assert str(refused.value) == INSTALL


def test_what_was_not_said_is_no_parameter(run_record_of):
    assert params_of(CONFIG) == {"data": "digits", "forget": [3], "seed": 0, "set.epsilon": 0.1}
    ungraded = run_record_of() | {"after": None}
    assert all(not name.startswith("after") for name, _ in metrics_of(ungraded))
