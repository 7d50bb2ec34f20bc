"""Threads that wait for each other leave the core to others."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import torch

from zspag_core import threads
from zspag_core.cli import main

COMMAND = "from zspag_core.cli import main; main(['methods']); import torch"


@pytest.fixture
def unset(monkeypatch):
    """Nobody has chosen how threads wait."""
    monkeypatch.setattr(
        os, "environ", {k: v for k, v in os.environ.items() if k not in {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}}
    )


def test_threads_sleep_where_nobody_has_chosen(unset):
    assert threads.rest_while_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_what_was_chosen_stays(unset, name):
    os.environ[name] = "1000"
    before = dict(os.environ)
    assert not threads.rest_while_waiting()
    assert os.environ == before


@pytest.fixture
def eight_cores(monkeypatch):
    """A machine with eight cores, of which nobody has said how many to use."""
    names = {threads.NUMBER, threads.OF_MKL, threads.AS_ASKED}
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if k not in names})
    monkeypatch.setattr(threads, "usable_cores", lambda: 8)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def environment_numbers():
    return os.environ.get(threads.NUMBER), os.environ.get(threads.OF_MKL)


@pytest.mark.parametrize(("workers", "each"), [(2, 4), (3, 2), (16, 1)])
def test_workers_share_the_cores(eight_cores, workers, each):
    threads.share_cores(workers)
    assert environment_numbers() == (str(each), str(each))
    assert torch.get_num_threads() == each, "torch, which is loaded already, has heard of it, too"
    assert threads.chosen_threads() == {threads.NUMBER: str(each), threads.OF_MKL: str(each)}


def test_one_worker_takes_what_it_would_take_alone(eight_cores):
    threads.share_cores(1)
    assert environment_numbers() == (None, None)
    assert threads.chosen_threads() == {}


def test_a_number_of_threads_that_was_chosen_stays(eight_cores):
    os.environ[threads.NUMBER] = "3"
    threads.share_cores(2)
    assert environment_numbers() == ("3", None)
    assert threads.chosen_threads() == {threads.NUMBER: "3", threads.OF_MKL: "3"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say which cores a process may use")
def test_cores_are_those_that_this_process_may_use(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 7, 9})
    monkeypatch.setattr(threads, "SIBLINGS", str(tmp_path / "cpu{}"))
    assert threads.usable_cores() == 3
    for processor, siblings in ((5, "5,9"), (7, "7"), (9, "5,9")):
        (tmp_path / f"cpu{processor}").write_text(f"{siblings}\n")
    assert threads.usable_cores() == 2, "two threads of one core are one"


@pytest.mark.slow
def test_a_command_computes_with_the_threads_that_it_was_told(eight_cores):
    show = "import sys; assert 'torch' not in sys.modules; main(['--threads', '3', 'methods'])"
    show += "; import torch; print(torch.get_num_threads())"
    done = subprocess.run(
        [sys.executable, "-c", f"from zspag_core.cli import main; {show}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "3"


@pytest.mark.parametrize("number", ["0", "-1", "two", "1025"])
def test_a_number_of_threads_that_cannot_be_is_refused(number, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--threads", number, "methods"])
    assert f"--threads: expected a whole number from 1 to 1024, got '{number}'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif("USE_OPENMP=ON" not in torch.__config__.show(), reason="this torch was built without OpenMP")
def test_openmp_hears_of_it_when_a_command_loads_torch(unset):
    environment = {**os.environ, "OMP_DISPLAY_ENV": "true"}
    done = subprocess.run([sys.executable, "-c", COMMAND], capture_output=True, text=True, check=True, env=environment)
    assert re.search(r"OMP_WAIT_POLICY ?= ?'PASSIVE'", done.stderr)
