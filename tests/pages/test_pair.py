"""Run A and run B: chips, links, clearing."""

from __future__ import annotations

import pytest

from ui.shell.run_picker import LETTERS
from zspag_core.jobs import State


@pytest.fixture
def runs(finish, run_config, result):
    """Three runs: the oldest first."""
    configs = [run_config | {"seed": seed} for seed in range(3)]
    return [
        finish("unlearn", configs[0], answer=result),
        finish("unlearn", configs[1], State.CANCELLED),
        finish("unlearn", configs[2], answer=result),
    ]


def strips(at):
    """Return what the strips say of their runs."""
    return [part.value for part in at.markdown if part.value.startswith((":green-badge", ":gray-badge"))]


def letters(at):
    return [part.value for part in at.markdown if part.value in LETTERS.values()]


def shown(at):
    """Return the parameters of the address that name runs."""
    values = {name: at.query_params[name] for name in ("job", "b") if name in at.query_params}
    return {name: value[0] if isinstance(value, list) else value for name, value in values.items()}


def test_without_runs_there_is_no_chip(overview):
    overview.run()
    assert not [box for box in overview.selectbox if box.key.startswith("pick-")]


@pytest.mark.slow
def test_first_run_is_picked_from_the_list(overview, runs):
    overview.run()
    assert not strips(overview)
    overview.selectbox(key="pick-A-").select(runs[0].id).run()
    assert shown(overview) == {"job": runs[0].id}
    assert len(strips(overview)) == 1


@pytest.mark.slow
def test_second_run_is_picked_beside_the_first_and_stays_on_other_pages(overview, runs):
    overview.query_params["job"] = runs[0].id
    overview.run()
    offered = overview.selectbox(key="pick-B-").options
    assert len(offered) == 2, "run A cannot be compared with itself"
    overview.selectbox(key="pick-B-").select(runs[2].id).run()
    assert shown(overview) == {"job": runs[0].id, "b": runs[2].id}
    assert len(strips(overview)) == 2
    assert letters(overview) == [LETTERS["A"], LETTERS["B"]]
    overview.switch_page("pages/7_Runs.py").run()
    assert len(strips(overview)) == 2


def test_link_reopens_the_pair(overview, runs):
    overview.query_params["job"], overview.query_params["b"] = runs[0].id, runs[1].id
    overview.run()
    assert len(strips(overview)) == 2
    assert not overview.exception


def test_clearing_the_second_run_leaves_the_first(overview, runs):
    overview.query_params["job"], overview.query_params["b"] = runs[0].id, runs[1].id
    overview.run()
    overview.button(key="icon-clear-B").click().run()
    assert shown(overview) == {"job": runs[0].id}


def test_the_two_runs_change_places(overview, runs):
    overview.query_params["job"], overview.query_params["b"] = runs[0].id, runs[1].id
    overview.run()
    overview.button(key="icon-swap").click().run()
    assert shown(overview) == {"job": runs[1].id, "b": runs[0].id}
    assert len(strips(overview)) == 2
    assert not overview.exception


def test_clearing_the_first_run_moves_the_second_up(overview, runs):
    overview.query_params["job"], overview.query_params["b"] = runs[0].id, runs[1].id
    overview.run()
    overview.button(key="icon-clear-A").click().run()
    assert shown(overview) == {"job": runs[1].id}
    assert len(strips(overview)) == 1


def test_a_run_is_not_compared_with_itself_nor_with_none(overview, runs):
    for other in (runs[0].id, "nobody"):
        overview.query_params["job"], overview.query_params["b"] = runs[0].id, other
        overview.run()
        assert len(strips(overview)) == 1
        assert not overview.exception
