from __future__ import annotations

import pytest

from ui.shell.strip import STORY, forgotten_names, link_text, run_text
from zspag_core.jobs import Command, State


def test_without_a_run_the_strip_is_the_way_through_the_pages():
    assert [link_text(name, None) for _, name in STORY] == ["Model", "Forget", "Proxies", "Attention", "Results"]


def test_first_links_say_what_was_chosen_there(make_job):
    job = make_job()
    assert link_text("Model", job) == "Model **digits\\_resnet**"
    assert link_text("Forget", job) == "Forget :orange[**3**]"
    assert link_text("Proxies", job) == "Proxies"


def test_a_rivals_run_says_whose_it_is(make_job):
    job = make_job(config={"forget": [3], "method": "boundary_shrink"})
    assert link_text("Forget", job) == "Forget :orange[**3**] · Boundary shrink"


def test_windows_paths_and_long_names_are_shortened(make_job):
    job = make_job(config={"checkpoint": r"C:\models\a_very_long_name_of_a_model.safetensors", "forget": [1]})
    assert link_text("Model", job).replace("\\", "") == "Model **a_very_long_name_of_a…**"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["cat", "dog"], "cat, dog"),
        (["Ankle boot", "T-shirt/top", "Pullover"], "Ankle boot and 2 more"),
        (["a class with a very long name indeed"], "a class with a very long name indeed"),
    ],
)
def test_many_names_become_a_count(make_job, names, text):
    assert forgotten_names(make_job(config={"class_names": names})) == text


def test_state_and_command_are_said(make_job):
    assert "Running" in run_text(make_job())
    assert "Paused" in run_text(make_job(command=Command.PAUSE))
    assert "Stopping" in run_text(make_job(command=Command.CANCEL))
    assert "Failed" in run_text(make_job(state=State.FAILED, command=Command.PAUSE))


def test_finished_run_shows_its_two_headline_numbers(make_job):
    result = {"before": {"acc_rt": 99.0}, "after": {"acc_rt": 98.5, "acc_ut": 0.0}}
    text = run_text(make_job(state=State.DONE, answer=result))
    assert text.startswith(":green-badge[")
    assert text.endswith("Acc_rt 99.0 → **98.5 %** · Acc_ut **0.0 %**")
