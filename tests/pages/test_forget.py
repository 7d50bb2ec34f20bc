from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from zspag_core.jobs import Lane, State
from zspag_core.jobs.records import AHEAD, SPARE


def texts(at):
    return " ".join(str(part.value) for part in [*at.markdown, *at.caption, *at.info, *at.error])


def stepper(at):
    return " ".join(element.proto.body for element in at.get("html"))


def previews(store):
    """Return the questions for a preview, newest first."""
    return [job for job in store.latest(Lane.INTERACTIVE) if job.kind == "preview"]


def answer_preview(store, answer, state=State.DONE, **ending):
    """Let the worker answer the newest question for a preview."""
    store.heartbeats.beat("v", "worker", (Lane.INTERACTIVE,), "cpu")
    job = store.claim(Lane.INTERACTIVE, "v", "cpu")
    assert job.kind == "preview"
    store.finish(job, state, answer=answer, **ending)


def charts(at):
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def live_charts(at):
    return [json.loads(element.proto.json) for element in at.get("bidi_component")]


def running(store, config):
    store.submit("unlearn", config)
    return claimed(store)


def claimed(store, lane=Lane.RUNS):
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
    return store.claim(lane, "w", "cpu")


def test_first_look_asks_the_worker_and_shows_the_classes_meanwhile(forget_page, store, checkpoint):
    page = forget_page()
    assert sorted(job.kind for job in store.latest(Lane.INTERACTIVE)) == ["engine", "inspect_data"]
    assert [box.label for box in page.checkbox] == [str(label) for label in range(10)]
    assert "The engine is starting" in texts(page)
    page.run()
    assert len(store.latest(Lane.INTERACTIVE)) == 2, "asked once"


def test_empty_page_says_what_to_do(forget_page, answered):
    page = forget_page()
    assert "No run yet" in texts(page)
    assert page.button(key="go").disabled
    assert "Tick at least one class" in texts(page)
    assert len(page.get("image")) == 10


@pytest.mark.slow
def test_ticking_a_class_and_pressing_forget_queues_the_run(forget_page, answered, store, checkpoint):
    page = forget_page()
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    assert not page.button(key="go").disabled
    page.slider(key="zspag-epsilon").set_value(16.0).run()
    assert "16/255 = 0.063 of the pixel range" in texts(page)
    page.number_input(key="zspag-epochs").set_value(2)
    page.number_input(key="seed").set_value(7)
    page.button(key="go").click().run()
    assert not page.exception
    (run,) = store.latest()
    assert (run.kind, run.config["forget"], run.config["class_names"]) == ("unlearn", [3], ["3"])
    assert (run.config["data"], run.config["checkpoint"]) == ("digits", str(checkpoint))
    assert run.config["settings"]["epsilon"] == pytest.approx(16 / 255)
    assert (run.config["settings"]["epochs"], run.config["seed"], run.config["method"]) == (2, 7, "zspag")
    assert set(run.config["settings"]) == {"epsilon", "epochs"}, "what is at its default is left out"
    assert page.query_params["job"] in (run.id, [run.id])
    assert "Queued" in texts(page)


@pytest.mark.slow
def test_what_the_form_makes_is_what_the_engine_takes(forget_page, answered, store):
    from zspag_core.hyperparameters import configure
    from zspag_core.methods import find_method

    page = forget_page()
    for method in page.selectbox(key="method").options:
        page.selectbox(key="method").select_index(page.selectbox(key="method").options.index(method)).run()
        page.checkbox(key="forget-digits_resnet_16-1").check().run()
        page.button(key="go").click().run()
        assert not page.exception
        config = store.latest()[0].config
        kind = find_method(config["method"])
        assert configure(kind, config["settings"]) == kind()


@pytest.mark.slow
def test_queued_run_says_who_is_ahead(forget_page, answered, store, run_config):
    first = running(store, run_config)
    page = forget_page(store.submit("unlearn", run_config))
    assert f"Position 1 in the queue, behind run {first.number}, which is running" in texts(page)


@pytest.mark.slow
def test_a_run_that_is_first_and_does_not_begin_says_why(forget_page, answered, store, run_config, monkeypatch):
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
    job = store.submit("unlearn", run_config)
    monkeypatch.setattr("ui.shell.follow.SOON_SECONDS", -1.0)
    assert "what it was preparing" not in texts(forget_page(job)), "it prepares nothing"
    store.submit(AHEAD, run_config, lane=SPARE)
    claimed(store, SPARE)
    assert "The worker ends a step of what it was preparing; then this begins." in texts(forget_page(job))
    monkeypatch.setattr("ui.shell.follow.SOON_SECONDS", 60.0)
    assert "what it was preparing" not in texts(forget_page(job)), "nobody wonders yet"


@pytest.mark.slow
def test_running_run_shows_count_and_epochs_and_can_be_cancelled(forget_page, answered, store, run_config):
    job = running(store, run_config)
    store.record(job, "stage", {"stage": "load"})
    store.record(job, "stage", {"stage": "unlearn"})
    store.record(job, "epoch", {"epoch": 1, "total": 4, "loss": 2.0, "acc_rt": 99.0, "acc_ut": 50.0})
    store.advance(job, {"stage": "unlearn", "done": 3, "total": 12, "seconds": {"load": 0.5, "unlearn": 2.0}})
    page = forget_page(job)
    assert "3 of 12 · at most 6.0\N{NO-BREAK SPACE}s left" in stepper(page)
    assert "waiting" in stepper(page)
    accuracy, _ = live_charts(page)
    assert accuracy["across"]["high"] == pytest.approx(4.2)
    assert [line["name"] for line in accuracy["panels"][0]["lines"]] == ["remaining", "forgotten"]
    page.button(key="run-cancel").click().run()
    assert store.require(job.id).command == "cancel"
    assert page.button(key="run-cancel").disabled


@pytest.mark.slow
def test_a_note_that_asks_stands_open_and_others_in_the_log(forget_page, answered, store, run_config):
    job = running(store, run_config)
    for _ in range(2):
        store.record(job, "note", {"sentence": "of 60 images of '3' the model reads 40.0 % as that class: are they?"})
    store.record(job, "note", {"sentence": "threes.zip has images of 1 class: 3"})
    page = forget_page(job)
    (warning,) = page.warning
    assert warning.value.replace("\N{NO-BREAK SPACE}", " ").startswith("Of 60 images of '3' the model reads 40.0 %")
    assert any("<pre" in part.proto.body and "threes.zip has images" in part.proto.body for part in page.get("html"))


@pytest.mark.slow
def test_run_behind_a_paused_one_says_that_nothing_moves(forget_page, answered, store, run_config):
    first = running(store, run_config)
    second = store.submit("unlearn", run_config)
    assert f"behind run {first.number}, which is running. This one starts by itself." in texts(forget_page(second))
    store.pause(first.id)
    said = texts(forget_page(second))
    assert f"behind run {first.number}, which is paused: nothing goes on until somebody continues or cancels it" in said


@pytest.mark.slow
def test_row_of_buttons_keeps_its_shape_while_the_run_changes(forget_page, answered, store, run_config):
    job = store.submit("unlearn", run_config)
    rows = [row_of(forget_page(job))]
    assert claimed(store).id == job.id
    rows.append(row_of(forget_page(job)))
    store.pause(job.id)
    rows.append(row_of(forget_page(job)))
    store.step(job.id)
    rows.append(row_of(forget_page(job)))
    store.cancel(job.id)
    rows.append(row_of(forget_page(job)))
    names = ["Pause", "Continue", "One epoch", "Cancel"]
    assert [[label for label, _ in row] for row in rows] == [names] * 5
    assert [[label for label, possible in row if possible] for row in rows] == [
        ["Cancel"],
        ["Pause", "One epoch", "Cancel"],
        ["Continue", "One epoch", "Cancel"],
        ["Pause", "One epoch", "Cancel"],
        [],
    ]


def row_of(page):
    """Return the buttons of the run that is not over, each with whether it can be pressed."""
    return [(b.label, not b.disabled) for b in page.button if b.key.startswith("run-")]


@pytest.mark.slow
def test_paused_run_can_go_on(forget_page, answered, store, run_config):
    job = running(store, run_config)
    page = forget_page(job)
    page.button(key="run-pause").click().run()
    assert store.require(job.id).command == "pause"
    assert "Paused" in texts(page)
    page.button(key="run-continue").click().run()
    assert store.require(job.id).command == ""


@pytest.mark.slow
def test_run_makes_one_epoch_at_a_time(forget_page, answered, store, run_config):
    job = running(store, run_config)
    page = forget_page(job)
    page.button(key="run-one-epoch").click().run()
    assert store.require(job.id).command == "step"
    assert "One epoch" in texts(page)


@pytest.mark.slow
def test_presets_fill_the_form_and_a_changed_form_is_no_preset(forget_page, answered):
    page = forget_page()
    pills = page.get("button_group")[0]
    assert pills.value == "default"
    pills.set_value("tiny epsilon").run()
    assert page.slider(key="zspag-epsilon").value == 4.0
    assert "hardly any attack succeeds" in texts(page)
    page.get("button_group")[0].set_value("random labels").run()
    assert page.slider(key="zspag-epsilon").value == 32.0
    assert page.selectbox(key="zspag-label_mode").value == "random"
    page.number_input(key="zspag-epochs").set_value(3).run()
    assert page.get("button_group")[0].value is None
    assert "Your own settings" in texts(page)


@pytest.mark.slow
def test_what_was_set_is_still_there_after_a_switch_of_pages(forget_page, answered):
    page = forget_page()
    page.checkbox(key="forget-digits_resnet_16-3").check()
    page.slider(key="zspag-epsilon").set_value(12.5)
    page.selectbox(key="zspag-attack").select("fgsm")
    page.number_input(key="seed").set_value(9).run()
    page.switch_page("app.py").run()
    page.session_state["all-settings"] = True
    page.switch_page("pages/2_Forget.py").run()
    assert page.checkbox(key="forget-digits_resnet_16-3").value
    assert page.slider(key="zspag-epsilon").value == 12.5
    assert page.selectbox(key="zspag-attack").value == "fgsm"
    assert page.number_input(key="seed").value == 9


@pytest.mark.slow
def test_settings_that_are_folded_away_are_kept_and_not_drawn(forget_page, answered, store):
    page = forget_page()
    page.checkbox(key="forget-digits_resnet_16-3").check()
    page.selectbox(key="zspag-attack").select("cw").run()
    page.number_input(key="zspag-cw_rate").set_value(0.4)
    page.number_input(key="seed").set_value(9).run()
    page.session_state["all-settings"] = False
    page.run()
    assert not [box for box in page.number_input if box.key in {"zspag-cw_rate", "seed"}]
    page.button(key="go").click().run()
    (run,) = store.latest(kind="unlearn")
    assert run.config["seed"] == 9
    assert run.config["settings"] == {"attack": "cw", "cw_rate": 0.4}
    page.session_state["all-settings"] = True
    page.run()
    assert (page.number_input(key="zspag-cw_rate").value, page.number_input(key="seed").value) == (0.4, 9)


def test_budget_belongs_to_the_attack(forget_page, answered):
    page = forget_page()
    assert not [box for box in page.number_input if box.key == "zspag-cw_rate"]
    page.selectbox(key="zspag-attack").select("cw").run()
    assert not [slider for slider in page.slider if slider.key == "zspag-epsilon"]
    assert page.number_input(key="zspag-epsilon_l2").value == 7.0
    assert page.number_input(key="zspag-cw_rate").value == 0.2


@pytest.mark.slow
def test_preview_follows_the_knobs_and_does_not_pile_up(forget_page, answered, store, preview_answer):
    page = forget_page()
    assert not previews(store)
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    (first,) = previews(store)
    assert (first.config["forget"], first.config["data"]) == ([3], "digits")
    assert first.config["settings"]["attack"] == "pgd"
    assert first.config["settings"]["epsilon"] == pytest.approx(32 / 255)
    assert "epsilon_l2" not in first.config["settings"]
    assert first.config["images"] == 8, "few images are asked for first"
    answer_preview(store, preview_answer | {"asr": 75.0, "attempted": 8})
    page.run()
    assert "6 of 8 reach another class; more follow" in stepper(page)
    answer_preview(store, preview_answer)
    page.run()
    assert "ASR 93.8 %" in stepper(page)
    assert "more follow" not in stepper(page)
    assert "opacity:.45" not in stepper(page)
    for levels in (8.0, 16.0):
        page.slider(key="zspag-epsilon").set_value(levels).run()
        assert "opacity:.45" in stepper(page), "the last answer stays, faded"
    assert [job.state for job in previews(store)] == ["queued", "cancelled", "done", "done"]
    page.slider(key="zspag-epsilon").set_value(32.0).run()
    assert len(previews(store)) == 4, "answered before"
    assert "opacity:.45" not in stepper(page)


def wishes(store, state=None):
    """Return the configs of what was wished for ahead, newest first."""
    return [job.config for job in store.latest(SPARE) if state is None or job.state == state]


@pytest.mark.slow
def test_a_form_at_rest_wishes_for_what_its_run_begins_with(forget_page, answered, store, preview_answer):
    page = forget_page()
    assert wishes(store) == [], "nothing is ticked"
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    assert wishes(store) == [], "the preview comes first"
    answer_preview(store, preview_answer)
    page.run()
    answer_preview(store, preview_answer)
    page.run()
    (asked,) = wishes(store)
    assert (asked["forget"], asked["settings"]) == ([3], {})
    assert "What this run begins with is prepared as soon as the worker is free." in texts(page)
    page.number_input(key="zspag-epochs").set_value(2).run()
    assert len(wishes(store)) == 1, "it begins the same, however many epochs follow"
    job = claimed(store, SPARE)
    store.advance(job, {"stage": "proxies", "done": 30, "total": 900})
    page.run()
    assert "Preparing while you look: Proxies: 30 of 900" in texts(page)
    store.finish(job, State.DONE)
    page.run()
    assert "what this run begins with is made" in texts(page)
    page.number_input(key="zspag-n_adv").set_value(20).run()
    newest, _ = wishes(store)
    assert newest["settings"] == {"n_adv": 20}
    page.number_input(key="zspag-n_adv").set_value(30).run()
    assert [config["settings"] for config in wishes(store, State.QUEUED)] == [{"n_adv": 30}], "wishes do not pile up"
    page.button(key="go").click().run()
    page.number_input(key="zspag-n_adv").set_value(40).run()
    assert len(wishes(store)) == 3, "a run is under way: nothing is made ahead"
    assert not page.exception


@pytest.mark.slow
def test_nothing_is_prepared_for_what_has_been_made(forget_page, answered, store, result):
    page = forget_page()
    page.selectbox(key="method").select("mask").run()
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    store.finish(claimed(store, SPARE), State.DONE)
    page.run()
    assert "what this run begins with is made" in texts(page)
    page.button(key="go").click().run()
    store.finish(claimed(store), State.DONE, answer=result)
    page.run()
    assert "what this run begins with is made" not in texts(page)


@pytest.mark.slow
def test_a_quiet_machine_wishes_for_nothing(forget_page, answered, store, preview_answer, monkeypatch):
    monkeypatch.setenv("ZSPAG_AHEAD", "0")
    page = forget_page()
    page.selectbox(key="method").select("mask").run()
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    assert not page.button(key="go").disabled
    assert wishes(store) == []


@pytest.mark.slow
def test_beside_a_run_only_a_few_images_are_attacked(forget_page, answered, store, preview_answer, run_config):
    store.submit("unlearn", run_config)
    run = claimed(store)
    page = forget_page(run)
    answer_preview(store, preview_answer | {"asr": 75.0, "attempted": 8})
    page.run()
    assert "6 of 8 reach another class" in stepper(page)
    assert [job.state for job in previews(store)] == ["done"]
    store.finish(run, State.CANCELLED)
    page.run()
    assert [job.state for job in previews(store)] == ["queued", "done"]


@pytest.mark.slow
def test_preview_that_failed_says_why(forget_page, answered, store):
    page = forget_page()
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    answer_preview(store, None, State.FAILED, error="epsilon: expected 0 to 1, got 2")
    page.run()
    assert "No preview: epsilon: expected 0 to 1, got 2" in texts(page)


def watch_event(epoch, picture):
    maps = np.full((2, 2, 2), 1.0 / (epoch + 1)).tolist()
    body = {"epoch": epoch, "layer": "stages.2", "maps": maps, "probability": [1.0 - epoch / 2, 1.0]}
    first = {"pictures": [picture, picture], "labels": [3, 8]} if epoch == 0 else {}
    return body | {"predicted": [3 if epoch == 0 else 8, 8]} | first


@pytest.mark.slow
def test_watched_images_move_with_the_run(forget_page, answered, store, run_config, picture):
    job = running(store, run_config)
    store.record(job, "watch", watch_event(0, picture))
    page = forget_page(job)
    assert "forgotten 3" in stepper(page)
    assert "remaining 8" in stepper(page)
    assert "read as <b>3</b>" in stepper(page)
    store.record(job, "watch", watch_event(1, picture))
    page.run()
    assert "read as <b>3</b>" not in stepper(page)
    assert "50\N{NO-BREAK SPACE}% sure of 3" in stepper(page)


@pytest.mark.slow
def test_epochs_of_a_finished_run_can_be_scrubbed(forget_page, answered, finish, run_config, result):
    job = finish("unlearn", run_config, answer=result)
    job.folder.mkdir(parents=True)
    arrays = {
        "images": np.zeros((2, 1, 8, 8), np.uint8),
        "labels": np.array([3, 8]),
        "index": np.array([0, 1]),
        "epochs": np.arange(3),
        "maps": np.ones((3, 2, 2, 2), np.float32),
        "probability": np.array([[1.0, 1.0], [0.5, 1.0], [0.0, 1.0]], np.float32),
        "predicted": np.array([[3, 8], [3, 8], [8, 8]]),
    }
    save_file(arrays, job.folder / "watch.safetensors")
    page = forget_page(job)
    assert "0\N{NO-BREAK SPACE}% sure of 3" in stepper(page)
    page.select_slider(key=f"frame-{job.id}").set_value(1).run()
    assert "50\N{NO-BREAK SPACE}% sure of 3" in stepper(page)


@pytest.mark.slow
def test_figures_are_shown_while_the_last_part_of_a_run_goes_on(forget_page, answered, store, run_config, result):
    job = running(store, run_config)
    store.record(job, "stage", {"stage": "load"})
    store.record(job, "graded", result)
    page = forget_page(job)
    said = texts(page).replace("\N{NO-BREAK SPACE}", " ")
    assert "| Remaining accuracy · Acc_rt | 99.0 % | **99.4 %** | +0.4 |" in said
    assert "These figures are final." in said
    assert [metric.value for metric in page.metric] == ["99.4 %", "0.0 %", "95.0 %"]
    assert not page.button(key="run-cancel").disabled
    store.finish(job, State.DONE, answer=result)
    page.run()
    assert "These figures are final." not in texts(page)
    assert [metric.value for metric in page.metric] == ["99.4 %", "0.0 %", "95.0 %"]
    assert page.button(key="take")


@pytest.mark.slow
def test_done_run_shows_the_table_with_the_mask_row(forget_page, answered, finish, run_config, result):
    page = forget_page(finish("unlearn", run_config, answer=result))
    said = texts(page).replace("\N{NO-BREAK SPACE}", " ")
    assert "| Remaining accuracy · Acc_rt | 99.0 % | **99.4 %** | +0.4 |" in said
    assert "*Mask, for comparison* | | *99.3 %* | *lead +0.1*" in said
    assert "| Forgotten accuracy · Acc_ut | 98.0 % | **0.0 %** | −98.0 |" in said
    assert "for grading only" in said
    assert [metric.value for metric in page.metric] == ["99.4 %", "0.0 %", "95.0 %"]
    accuracy, _ = charts(page)
    assert len(accuracy["data"][0]["x"]) == 2, "before and epoch 1"
    page.button(key="leave").click().run()
    assert "No run is open" in texts(page)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "sentence", "remedy"),
    [
        (State.FAILED, "the loss became nan in epoch 2; try a smaller learning_rate", "Change the setting"),
        (State.FAILED, "no proxies: no forget sample crossed into a remaining class", "This is what too small"),
        (State.FAILED, "unexpected: RuntimeError: no kernel", "No setting explains this"),
        (State.INTERRUPTED, "The worker was stopped during this run.", "Resume: what it had finished"),
        (State.CANCELLED, "The run was cancelled.", "stopped on request"),
    ],
)
def test_run_that_ended_early_gets_a_card(forget_page, answered, finish, store, run_config, state, sentence, remedy):
    error = sentence if state != State.CANCELLED else ""
    job = finish("unlearn", run_config, state, error=error, details="Traceback: copy me")
    page = forget_page(job)
    said = texts(page).replace("\\", "")
    assert sentence in said
    assert remedy in said
    assert not page.exception
    assert page.code[0].value == "Traceback: copy me"
    page.button(key="again").click().run()
    assert store.require(job.id).state == State.QUEUED


@pytest.mark.slow
def test_run_cancelled_in_the_queue_is_not_said_to_have_finished_anything(forget_page, answered, store, run_config):
    job = store.submit("unlearn", run_config)
    store.cancel(job.id)
    page = forget_page(store.require(job.id))
    assert "It was stopped before it began. Resume puts it into the queue again" in texts(page)


@pytest.mark.slow
def test_form_takes_the_settings_of_a_run(forget_page, answered, finish, run_config, result):
    config = run_config | {"forget": [5], "method": "zspag", "seed": 4, "settings": {"epsilon": 8 / 255, "epochs": 2}}
    page = forget_page(finish("unlearn", config, answer=result))
    page.number_input(key="zspag-n_adv").set_value(7)
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    page.button(key="take").click().run()
    assert not page.exception
    assert [box.label for box in page.checkbox if box.value] == ["5"]
    assert page.slider(key="zspag-epsilon").value == 8.0
    assert page.number_input(key="zspag-epochs").value == 2
    assert page.number_input(key="zspag-n_adv").value == 100
    assert page.number_input(key="seed").value == 4


@pytest.mark.slow
def test_form_shows_the_run_that_is_opened_until_it_is_changed(forget_page, answered, finish, run_config, result):
    config = run_config | {"forget": [3], "settings": {"epochs": 2}, "seed": 4}
    page = forget_page(finish("unlearn", config, answer=result))
    assert [box.label for box in page.checkbox if box.value] == ["3"]
    assert (page.number_input(key="zspag-epochs").value, page.number_input(key="seed").value) == (2, 4)
    assert not page.button(key="go").disabled
    page.checkbox(key="forget-digits_resnet_16-5").check().run()
    page.switch_page("app.py").run()
    page.switch_page("pages/2_Forget.py").run()
    assert [box.label for box in page.checkbox if box.value] == ["3", "5"], "a run is read once"
    other = finish("unlearn", run_config | {"forget": [8]}, answer=result)
    page.session_state["job_id"] = page.query_params["job"] = other.id
    page.run()
    assert [box.label for box in page.checkbox if box.value] == ["8"]
    assert page.number_input(key="zspag-epochs").value == run_config["settings"]["epochs"]


@pytest.mark.slow
def test_form_in_the_address_goes_before_the_run_that_it_opens(overview, answered, finish, run_config, result):
    job = finish("unlearn", run_config | {"forget": [3]}, answer=result)
    overview.query_params["job"] = job.id
    overview.query_params["form"] = json.dumps({"forget": [8]})
    page = overview.switch_page("pages/2_Forget.py").run()
    assert [box.label for box in page.checkbox if box.value] == ["8"]


@pytest.mark.slow
def test_form_is_kept_by_its_address(forget_page, overview, answered):
    page = forget_page()
    assert "form" not in page.query_params, "nothing was changed"
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    page.number_input(key="zspag-epochs").set_value(7).run()
    assert json.loads("".join(page.query_params["form"])) == {"forget": [3], "settings": {"epochs": 7}}


def test_form_is_filled_from_its_address(overview, answered):
    settings = {"epochs": 7, "epsilon": 8 / 255, "n_adv": -5, "attack": "magic", "unknown": 1, "pooling": "pooled"}
    overview.query_params["form"] = json.dumps({"forget": [3, 8], "settings": settings, "seed": 4})
    overview.session_state["all-settings"] = True
    page = overview.switch_page("pages/2_Forget.py").run()
    assert not page.exception
    assert [box.label for box in page.checkbox if box.value] == ["3", "8"]
    assert (page.number_input(key="zspag-epochs").value, page.slider(key="zspag-epsilon").value) == (7, 8.0)
    assert (page.number_input(key="zspag-n_adv").value, page.selectbox(key="zspag-attack").value) == (100, "pgd")
    assert page.number_input(key="seed").value == 4
    page.checkbox(key="forget-digits_resnet_16-8").uncheck().run()
    assert [box.label for box in page.checkbox if box.value] == ["3"], "the address is read once"


@pytest.mark.slow
def test_run_survives_reload_and_page_switch(forget_page, answered, finish, run_config, result):
    job = finish("unlearn", run_config, answer=result)
    page = forget_page(job)
    assert page.session_state["job_id"] == job.id
    page.switch_page("app.py").run()
    page.switch_page("pages/2_Forget.py").run()
    assert "Remaining accuracy · Acc_rt" in texts(page)


def test_unknown_run_in_the_address_is_no_run(overview, answered):
    overview.query_params["job"] = "nobody"
    overview.run()
    page = overview.switch_page("pages/2_Forget.py").run()
    assert not page.exception
    assert "There is no such run here" in texts(page)


def test_engine_that_cannot_start_is_said(forget_page, finish, checkpoint):
    from ui.shell.jobs import engine_question

    finish("engine", engine_question(), State.FAILED, lane=Lane.INTERACTIVE, error="unexpected: ImportError: torch")
    assert "The engine does not start. unexpected: ImportError: torch" in texts(forget_page())


def test_page_without_models_says_how_to_make_one(overview, monkeypatch, tmp_path):
    from ui.shell import checkpoints

    monkeypatch.setattr(checkpoints.shipped_checkpoints, "__defaults__", (tmp_path,))
    overview.run()
    page = overview.switch_page("pages/2_Forget.py").run()
    assert "no model in assets/checkpoints" in texts(page)


@pytest.mark.slow
def test_form_is_about_the_model_of_the_run_that_is_opened(forget_page, answered, finish, run_config, checkpoint):
    from zspag_core.visitors.belongings import trained

    trained().mkdir(parents=True, exist_ok=True)
    other = trained() / "other.safetensors"
    other.write_bytes(checkpoint.read_bytes())
    page = forget_page(finish("unlearn", run_config | {"checkpoint": str(other)}, State.CANCELLED))
    assert page.session_state["choice"].checkpoint == other
    assert page.query_params["model"] == "own:other"
    page.session_state["choice"] = None
    page.query_params["model"] = "digits_resnet_16"
    page.run()
    assert page.session_state["choice"].checkpoint == checkpoint, "what is chosen afterwards stays"
    said = texts(page).replace("\\", "")
    assert "This form is about digits_resnet_16; run 1 beside it is of other" in said


@pytest.mark.slow
def test_a_run_that_fell_short_says_so_beside_its_figures(forget_page, answered, finish, run_config, result):
    short = result | {"stopped": "rule", "config": {"stop_rule": True, "stop_forget": 0.5, "deep": 0.0}}
    short["history"] = [{"epoch": 1, "loss": 1.0, "forget_accuracy": 60.0}]
    page = forget_page(finish("unlearn", run_config, answer=short))
    (warning,) = page.warning
    assert "ended with 60 % of the forget samples still recognised" in str(warning.value)


@pytest.mark.slow
def test_a_run_that_met_its_goal_warns_of_nothing(forget_page, answered, finish, run_config, result):
    assert not forget_page(finish("unlearn", run_config, answer=result)).warning


@pytest.mark.slow
def test_a_run_that_was_made_already_is_offered(forget_page, answered, store, result):
    page = forget_page()
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    assert "open-equal" not in [button.key for button in page.button]
    page.button(key="go").click().run()
    job = claimed(store)
    store.finish(job, State.DONE, answer=result)
    page.run()
    assert "open-equal" not in [button.key for button in page.button], "it is the one that is shown"
    page.checkbox(key="forget-digits_resnet_16-5").check().run()
    page.button(key="go").click().run()
    page.checkbox(key="forget-digits_resnet_16-5").uncheck().run()
    assert f"Run {job.number} has the same settings and seed" in texts(page)
    page.button(key="open-equal").click().run()
    assert not page.exception
    assert page.query_params["job"] in (job.id, [job.id])
    page.number_input(key="seed").set_value(7).run()
    assert "open-equal" not in [button.key for button in page.button]
