from __future__ import annotations

from zspag_core.runs.config import ALWAYS, RunConfig

ASKED = RunConfig("digits", "a.safetensors", (3,), "mask", {"epochs": 3}, 7, "cpu")


def test_a_job_names_what_every_run_names_and_what_is_set():
    assert tuple(ASKED.to_job()) == ALWAYS
    other = RunConfig("digits", "a.safetensors", (3,), hold_out=20.0, model_classes=("a", "b"), reading={"mean": [0.5]})
    assert set(other.to_job()) - set(ALWAYS) == {"hold_out", "model_classes", "reading"}


def test_a_job_remembers_what_pages_want_and_gives_the_run_back():
    job = ASKED.to_job(class_names=["three"], all_names=None)
    assert job == ASKED.to_job() | {"class_names": ["three"]}
    assert RunConfig.from_job(job) == ASKED
