"""The Tune page: the form says what will be done, a sweep shows its trials, and what ended can go on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zspag_core.jobs import Lane, State
from zspag_core.tuning import queue
from zspag_core.tuning.space import Axis
from zspag_core.tuning.sweep import Sweep


@pytest.fixture
def sweep(checkpoint):
    run = {"data": "digits", "checkpoint": str(checkpoint), "forget": [3], "method": "zspag", "settings": {},
           "device": "auto", "relearning": False}  # fmt: skip
    space = (Axis(name="epsilon", values=(8 / 255, 32 / 255)), Axis(name="n_adv", values=(10, 30)))
    return Sweep(run=run, space=space, trials=4)


@pytest.fixture
def told(store, sweep):
    """Return a function that queues a sweep of which some trials have ended."""

    def told(trials, state=None, **changes):
        job = queue.submit_sweep(store, replace(sweep, **changes), {"class_names": ["3"]})
        store.heartbeats.beat("worker", "worker", (Lane.SWEEPS,), "cpu")
        job = store.claim(Lane.SWEEPS, "worker", "cpu")
        for number in range(trials):
            point = {"epsilon": (8 / 255, 32 / 255)[number // 2], "n_adv": (10, 30)[number % 2]}
            figures = {"retain_free": 90.0 + number, "graded": 80.0 + number, "acc_rt": 80.0 + number, "acc_ut": 1.0}
            row = {"number": number, "point": point, "seeds": [0], "jobs": [f"{number:024x}"], "state": "done"}
            queue.tell_row(store, job, row | {"error": "", "figures": figures, "spread": {}, "took": 3.0})
        if state is not None:
            store.finish(job, state, answer={"importance": {"epsilon": 0.8, "n_adv": 0.2}})
        return store.require(job.id)

    return told


@pytest.fixture
def tune(overview):
    """Return a function that opens the page, with a sweep or without."""

    def tune(sweep_id=None):
        if sweep_id is not None:
            overview.query_params["sweep"] = sweep_id
        overview.run()
        page = overview.switch_page("pages/9_Tune.py").run()
        assert not page.exception
        return page

    return tune


def words(page):
    return "\n".join(part.value for part in [*page.markdown, *page.caption, *page.info, *page.warning, *page.error])


def charts(page):
    return [one.proto.id for one in page.get("plotly_chart")]


@pytest.mark.slow
def test_the_form_says_how_many_runs_there_will_be_and_starts_them(tune, store, answered):
    page = tune()
    assert "24 runs" in words(page)
    assert "nothing has run on this model yet" in words(page)
    assert "No sweep yet" in words(page)
    assert page.button(key="tune-start").disabled, "no class is ticked"
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    page.button(key="tune-start").click().run()
    assert not page.exception
    (job,) = store.latest(Lane.SWEEPS)
    assert (job.config["run"]["forget"], job.config["class_names"], job.config["trials"]) == ([3], ["3"], 24)
    assert Sweep.from_dict(job.config).check().runs() == 24
    assert page.query_params["sweep"] == job.id


@pytest.mark.slow
def test_the_form_says_how_long_by_what_was_measured_on_the_same_settings(tune, finish, answered, run_config):
    config = run_config | {"method": "zspag"}
    finish("unlearn", config | {"settings": {"epochs": 9}}, answer=None)
    assert "as earlier runs of other settings took" in words(tune())
    finish("unlearn", config | {"settings": {"epsilon": 0.1}}, answer=None)  # what is varied may differ
    assert "at most about" in words(tune())
    finish("unlearn", config | {"settings": {}, "trial": []}, lane=Lane.TRIALS, answer=None)
    assert "24 points, about" in words(tune())
    assert "as earlier trials took" in words(tune())


@pytest.mark.slow
def test_a_sweep_starts_from_what_the_forget_page_holds(overview, store, answered):
    page = overview.switch_page("pages/2_Forget.py").run()
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    page.number_input(key="zspag-epochs").set_value(2).run()
    page = page.switch_page("pages/9_Tune.py").run()
    assert "Starts from the method and the settings on the Forget page" in words(page)
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    page.button(key="tune-start").click().run()
    assert not page.exception
    assert store.latest(Lane.SWEEPS)[0].config["run"]["settings"] == {"epochs": 2}


def test_bad_values_are_refused_where_they_are_typed(tune, answered):
    page = tune()
    box = next(one for one in page.text_input if one.key and "epsilon" in one.key)
    box.set_value("8/255..x").run()
    assert not page.exception
    assert "expected a number such as 0.03 or 8/255" in words(page)
    assert "tune-start" not in [button.key for button in page.button]


@pytest.mark.slow
def test_a_sweep_under_way_shows_its_trials_and_can_be_paused(tune, store, told):
    job = told(3)
    page = tune(job.id)
    assert "trial 2" in words(page)
    assert len(charts(page)) >= 6
    page.button(key="tune-pause").click().run()
    assert store.require(job.id).command == "pause"
    page.button(key="tune-cancel").click().run()
    assert store.require(job.id).command == "cancel"


@pytest.mark.slow
def test_before_the_first_trial_has_ended_it_says_where_it_is(tune, store, told):
    job = told(0)
    assert "The worker is starting" in words(tune(job.id))
    point = {"epsilon": 8 / 255, "n_adv": 10}
    run = queue.obtain(store, job, Sweep.from_dict(job.config).config_at(point, 0))
    queue.tell_begun(store, job, {"number": 1, "point": point, "jobs": [run.id]})
    store.heartbeats.beat("worker", "worker", (Lane.TRIALS,), "cpu")
    assert "The next trial is about to begin" in words(tune(job.id))
    run = store.claim(Lane.TRIALS, "worker", "cpu")
    assert "Trial 1 (ε 8/255, n\\_adv 10): begins" in words(tune(job.id))
    store.advance(run, {"stage": "proxies", "done": 12, "total": 100})
    assert "Proxies: 12 of 100" in words(tune(job.id))
    store.advance(run, {"stage": "unlearn", "done": 12, "total": 100})
    store.record(run, queue.EPOCH, {"epoch": 3, "total": 20})
    page = tune(job.id)
    assert "Unlearn: epoch 3 of 20" in words(page)
    assert "Figures appear here when the first trial has ended" in words(page)


@pytest.mark.slow
def test_two_objectives_are_drawn_against_each_other(tune, told):
    two = tune(told(4, State.DONE, objectives=("retain_free", "acc_ut"), sampler="nsga2").id)
    assert "tune-front" in str([one.proto.id for one in two.get("plotly_chart")])
    assert "Pareto front by Retain-free score and" in words(two)
    assert "tune-front-of" not in [one.key for one in two.segmented_control]


@pytest.mark.slow
def test_of_three_objectives_a_pair_is_chosen(tune, told):
    page = tune(told(4, State.DONE, objectives=("retain_free", "acc_ut", "acc_rt"), sampler="nsga2").id)
    chosen = page.segmented_control(key="tune-front-of")
    assert chosen.options == ["score and Acc_ut", "score and Acc_rt", "Acc_ut and Acc_rt"]
    chosen.set_value("Acc_ut and Acc_rt").run()
    assert not page.exception
    assert "Good is less Acc_ut and more Acc_rt" in words(page)


@pytest.mark.slow
def test_a_sweep_says_whose_it_is_and_not_what_the_run_is_that_is_open(
    tune, overview, finish, run_config, result, told
):
    job = told(1, State.DONE)
    overview.query_params["job"] = finish("unlearn", run_config | {"class_names": ["wolf"]}, answer=result).id
    page = tune(job.id)
    assert "wolf" not in words(page)
    assert "ZS-PAG, " in words(page)
    assert "on digits" in words(page)
    page.button(key="tune-new").click().run()
    assert any("wolf" in one.label for one in page.get("page_link")), "the form starts from it"


@pytest.mark.slow
def test_a_stopped_sweep_goes_on(tune, store, told):
    job = told(2, State.CANCELLED)
    page = tune(job.id)
    page.button(key="tune-go-on").click().run()
    assert store.require(job.id).state == State.QUEUED


def test_a_finished_sweep_says_what_to_choose_and_how_well_it_was_predicted(tune, told):
    page = tune(told(4, State.DONE).id)
    assert "Best by Retain-free score: trial 3" in words(page)
    assert "rank correlation with the graded score +1.00 over 4 trials" in words(page)
    assert "--set epsilon=" in page.code[0].value
    assert page.button(key="tune-go-on").disabled  # the grid is complete
    table = next(frame.value for frame in page.dataframe if "Trial" in frame.value.columns)
    assert list(table["Open"]) == [f"/Results?job={number:024x}" for number in range(4)]
    assert list(table.columns)[:2] == ["Trial", "Open"], "at the end of a wide table nobody finds it"
    assert "drift" not in table.columns, "nothing is known of it"
    assert "ε · perturbation budget 8/255, 32/255 · " in words(page)


@pytest.mark.slow
def test_a_sweep_is_cloned_into_the_form(tune, store, told, answered):
    job = told(1, State.DONE)
    page = tune(job.id)
    page.button(key="tune-clone").click().run()
    assert "sweep" not in page.query_params
    assert page.selectbox(key="tune-preset-zspag").value == f"Sweep {job.number}"
    assert "Starts from sweep" in words(page)
    assert page.text_input[1].value == "10,30"
    assert page.number_input(key="tune-trials").value == 4
    assert "**4 runs**" in words(page)


@pytest.mark.slow
def test_pinned_trials_are_kept_in_the_address_and_their_epochs_drawn(tune, store, told):
    job = told(4, State.DONE)
    page = tune(job.id)
    before = len(charts(page))
    page.multiselect(key="tune-pins").set_value([1, 3]).run()
    assert page.query_params["pin"] == "1,3"
    assert len(charts(page)) == before + 1
    assert page.button(key="tune-pin").disabled  # nothing is drawn around


@pytest.mark.slow
def test_a_link_brings_its_pins(tune, overview, told):
    job = told(4, State.DONE)
    overview.query_params["pin"] = "2,99,x"
    page = tune(job.id)
    assert page.multiselect(key="tune-pins").value == [2]


@pytest.mark.slow
def test_trials_can_be_stopped_that_are_lost(tune, store, answered):
    page = tune()
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    page.checkbox(key="tune-prune").check().run()
    page.button(key="tune-start").click().run()
    assert store.latest(Lane.SWEEPS)[0].config["prune"] is True


def test_an_unknown_sweep_is_said_to_be_one(tune):
    assert "no sweep of this name" in words(tune("nothing"))


@pytest.mark.slow
def test_sweeps_are_listed_and_opened(tune, told, answered):
    job = told(1, State.DONE)
    page = tune()
    page.button(key=f"tune-open-{job.id}").click().run()
    assert page.query_params["sweep"] == job.id
