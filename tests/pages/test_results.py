"""The Results page in every state, with made-up results and arrays."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sqlalchemy import insert

from ui.figures.thresholds import edges_of
from ui.shell.jobs import engine_question
from zspag_core.jobs import Lane, State
from zspag_core.jobs.schema import events

PAGE = "pages/5_Results.py"
PARTS = ["Classes", "Membership", "Depth", "Layers", "Labels", "What the method saw", "Downloads"]


def texts(at):
    parts = [*at.markdown, *at.caption, *at.info, *at.warning, *at.error]
    return " ".join(str(part.value) for part in parts).replace("\N{NO-BREAK SPACE}", " ")


def charts(at):
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def names(at):
    return [chart.proto.alt for chart in at.get("plotly_chart")]


@pytest.fixture
def make_run(finish, run_config, make_record, write_arrays):
    """Return a function that makes a finished run with arrays in its folder."""

    def make(*, influences=False, state=State.DONE, changes=None, **about):
        result = make_record(**about)
        config = run_config | {"forget": result["forget"], "class_names": [str(k) for k in result["forget"]]}
        config |= {"method": result["method"]} | (changes or {})
        done = result["after"] is not None
        job = finish("unlearn", config, state if done else State.CANCELLED, answer=result if done else None)
        write_arrays(job.folder, result, influences=influences)
        (job.folder / "result.json").write_text(json.dumps(result))
        return job

    return make


@pytest.fixture
def results_page(overview):
    """Return a function that opens the page with no, one or two runs, at one of its parts."""

    def open_page(job=None, second=None, part=""):
        for name, run in (("job", job), ("b", second)):
            if run is not None:
                overview.query_params[name] = run.id
        overview.run()
        page = overview.switch_page(PAGE).run()
        return show(page, part) if part else check(page)

    return open_page


def show(page, part):
    page.session_state["part"] = next(label for label in labels(page) if label.endswith(part))
    return check(page.run())


def labels(page):
    return [tab.label for tab in page.tabs]


def check(page):
    assert not page.exception, page.exception[0].message
    return page


@pytest.mark.slow
def test_maps_of_the_runs_are_read_ahead_for_the_page_that_shows_them(results_page, make_run, monkeypatch):
    prepared = []
    monkeypatch.setattr("ui.shell.embedding_map.prepare_map", lambda job: prepared.append(job.id))
    first, second = make_run(), make_run()
    results_page(first, second)
    assert prepared == [first.id, second.id]


def test_empty_page_says_what_it_will_show_and_leads_to_forget(results_page):
    page = results_page()
    assert "What a run did to each class" in texts(page)
    page.button(key="A-to-forget").click().run()
    assert page.title[0].value == "Forget"


@pytest.mark.slow
def test_queued_and_running_runs_say_where_they_stand(results_page, store, run_config):
    job = store.submit("unlearn", run_config)
    page = results_page(job)
    assert "under way" in texts(page)
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
    claimed = store.claim(Lane.RUNS, "w", "cpu")
    store.advance(claimed, {"stage": "proxies", "done": 3, "total": 9, "seconds": {}})
    page.run()
    assert "Proxies: 3 of 9" in page.get("progress")[0].proto.text
    page.button(key="A-to-forget").click().run()
    assert page.title[0].value == "Forget"


@pytest.mark.slow
@pytest.mark.parametrize("state", [State.FAILED, State.INTERRUPTED, State.CANCELLED])
def test_run_that_ended_without_a_result_gets_a_card(results_page, finish, run_config, state):
    error = "" if state == State.CANCELLED else "the loss became nan"
    page = results_page(finish("unlearn", run_config, state, error=error, details="Traceback: copy me"))
    assert ("It was stopped on request" if state == State.CANCELLED else error) in texts(page)
    assert page.code[0].value == "Traceback: copy me"
    assert not charts(page)


@pytest.mark.slow
def test_first_screen_tells_the_story(results_page, make_run):
    page = results_page(make_run())
    said = texts(page)
    assert "is forgotten: 97.0 %" in said
    assert (
        "retrained 91.9 to 97.3 %): a model that never saw it shows about as much, and so did the original" in said
    ), "models that ship with the app say how it is without the class"
    assert "(grey band) is 3 models that ship with the app, seeds 0 to 2" in said
    assert [metric.value for metric in page.metric] == ["98.4 %", "0.0 %", "95.0 %", "12 steps", "46.0 %"]
    assert "Mask alone gives 98.2 %; lead +0.2." in said
    assert names(page)[0].startswith("Figures on one scale")
    assert [label.rpartition(": ")[2] for label in labels(page)] == PARTS


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "about",
    [
        {"influences": True},
        {"method": "mask"},
        {"method": "retrain"},
        {"method": "posterior"},
        {"cancelled": True},
        {"classes": 100, "forget": (3, 50, 97)},
    ],
)
def test_every_part_of_every_kind_of_run_is_drawn(results_page, make_run, part, about):
    page = results_page(make_run(**about), part=part)
    assert all(names(page)), "every chart has a name for those who cannot see it"


@pytest.mark.slow
def test_classes_show_before_and_after(results_page, make_run):
    _, bars, matrix = charts(results_page(make_run()))
    assert [trace["name"] for trace in bars["data"]] == ["remaining, after", "forgotten, after", "before"]
    assert len(matrix["data"]) == 2


def test_hundred_classes_are_cut_to_those_that_matter(results_page, make_run):
    page = results_page(make_run(classes=100))
    assert "20 of 100" in texts(page)
    _, bars, matrix = charts(page)
    assert len(bars["layout"]["xaxis"]["ticktext"]) == 20
    assert len(matrix["data"][0]["z"]) == 20


@pytest.mark.slow
def test_moving_the_threshold_changes_the_verdict(results_page, make_run):
    job = make_run()
    arrays = load_file(job.folder / "grading.safetensors")
    groups = {group: arrays[f"mia.after.{group}.loss"] for group in ("forget_train", "forget_test")}
    page = results_page(job, part="Membership")
    first = [metric.value for metric in page.metric][-3:]
    page.session_state["threshold-forget_train-loss-after-1"] = edges_of(groups, "loss")[-1]
    check(page.run())
    last = [metric.value for metric in page.metric][-3:]
    assert last != first
    assert last == ["50.0 %", "100.0 %", "100.0 %"], "everybody has a loss below the highest edge"


@pytest.mark.slow
def test_other_attack_also_asks_about_the_forgotten(results_page, make_run):
    page = results_page(make_run(), part="Membership")
    page.segmented_control(key="attack").set_value("across").run()
    page.segmented_control(key="measure").set_value("confidence").run()
    check(page)
    assert page.metric[-1].label == "Forgotten judged trained on"
    page.segmented_control(key="when").set_value("before").run()
    assert "Confidence before unlearning" in texts(check(page))


@pytest.mark.slow
def test_layers_are_warned_about(results_page, make_run):
    said = texts(results_page(make_run(), part="Layers"))
    assert "Nothing can move here:** `stem`" in said
    assert "Unprotected:** `head`" in said
    assert "Largest leak" in said


@pytest.mark.slow
def test_rewritten_layers_are_named_and_do_not_count_as_a_leak(results_page, make_run, monkeypatch):
    from ui.results.figures import layers_of

    def narrowed(view):
        *kept, head = layers_of(view)
        return [*kept, head | {"leak": 1e8, "rewritten": True}]

    monkeypatch.setattr("ui.results.panels.layers_of", narrowed)
    said = texts(results_page(make_run(), part="Layers"))
    assert "Rewritten:** `head`" in said
    assert "Unprotected" not in said, "the head was unprotected, but it is no longer what the descent left"
    assert "Largest leak ‖ΔW·S‖ / ‖W‖ of the other layers: 2.0e-07" in said


@pytest.mark.slow
def test_methods_without_a_subspace_or_labels_say_so(results_page, make_run):
    page = results_page(make_run(method="mask"), part="Layers")
    assert "protects no directions" in texts(page)
    assert "teaches no new labels" in texts(show(page, "Labels"))


@pytest.mark.slow
def test_fence_names_what_the_method_saw(results_page, make_run):
    said = texts(results_page(make_run(), part="What the method saw"))
    assert "zero-shot" in said
    assert "5 training images of :orange[3]: the forget samples" in said
    page = results_page(make_run(method="retrain"), part="What the method saw")
    assert "needs remaining data" in texts(page)


@pytest.mark.slow
def test_retrain_reference_is_ordered_and_then_shown_as_a_band(results_page, make_run, store):
    page = results_page(make_run(forget=(5,)))
    assert "**Retrain** is not known" in texts(page)
    page.button(key="reference-A").click().run()
    assert "on its way" in texts(check(page))
    waiting = store.latest()[0]
    assert (waiting.config["method"], waiting.config["settings"]["flip"]) == ("retrain", False)
    store.cancel(waiting.id)
    retrain = make_run(method="retrain", forget=(5,))
    page = check(page.run())
    assert f"(grey band) is run {retrain.number}" in texts(page)
    assert any(trace["type"] == "bar" for trace in charts(page)[0]["data"])


@pytest.mark.slow
def test_relearning_that_a_run_left_out_can_be_counted(results_page, make_run, store):
    page = results_page(make_run(changes={"relearning": False}, relearned=False))
    assert page.metric[3].value == "–"
    page.button(key="relearn-A").click().run()
    check(page)
    store.heartbeats.beat("worker", "worker", (Lane.RUNS,), "cpu")
    task = store.claim(Lane.RUNS, "worker", "cpu")
    store.advance(task, {"stage": "relearning", "done": 12, "total": 500, "seconds": {}})
    page.run()
    assert "Relearning: 12 of 500" in page.get("progress")[0].proto.text
    steps = {"steps": 30, "reached": True}
    store.finish(task, State.DONE, answer={"before": steps, "after": steps})
    assert check(page.run()).metric[3].value == "30 steps"


@pytest.mark.slow
def test_cancelled_run_shows_what_was_last_seen(results_page, make_run):
    page = results_page(make_run(cancelled=True))
    assert "stopped after epoch 2" in texts(page)
    assert page.metric[1].value == "20.0 %"
    assert "stopped before its layers were compared" in texts(show(page, "Layers"))


@pytest.mark.slow
def test_downloads_are_offered_and_the_command_is_shown(results_page, make_run, finish, store):
    page = results_page(make_run(), part="Downloads")
    buttons = [button.proto.label for button in page.get("download_button")]
    assert buttons == ["Unlearned model", "Report", "Data of all figures", "result.json", "Proxies"]
    assert "The engine is starting" in texts(page)
    from zspag_core.tasks.describe import describe_engine

    store.heartbeats.beat("worker", "worker", (Lane.RUNS, Lane.INTERACTIVE), "cpu")
    asked = store.claim(Lane.INTERACTIVE, "worker", "cpu")
    assert asked.config == engine_question()
    store.finish(asked, State.DONE, answer=describe_engine())
    page = show(page.run(), "Downloads")
    assert page.code[0].value.startswith(
        "python -m zspag_core unlearn --data digits --checkpoint digits_resnet_16 --forget 3 "
    )
    assert "--set epochs=2" in page.code[0].value


@pytest.mark.slow
def test_command_is_missing_where_the_engine_does_not_start(results_page, make_run, finish):
    finish("engine", engine_question(), State.FAILED, lane=Lane.INTERACTIVE, error="no torch")
    assert "did not say its defaults: no torch" in texts(results_page(make_run(), part="Downloads"))


@pytest.mark.slow
def test_two_runs_stand_side_by_side_with_their_differences(results_page, make_run):
    one, two = make_run(), make_run(method="posterior", forget=(3, 8))
    page = results_page(one, two)
    said = texts(page)
    assert "| Method | zspag | posterior |" in said
    assert "| Proxies that succeeded · ASR | 99.0 % | – | – |" in said
    assert len(page.metric) == 10
    first, second = (chart for chart in charts(page) if chart["data"][0].get("name") == "remaining, after")
    assert first["layout"]["xaxis"]["tickvals"] == second["layout"]["xaxis"]["tickvals"]


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_a_pair_is_drawn_on_the_same_axes(results_page, make_run, part):
    page = results_page(make_run(influences=True), make_run(method="mask"), part=part)
    drawn = [chart for chart in charts(page) if "range" in chart["layout"].get("xaxis", {})]
    ranges = {}
    for chart, name in zip(
        drawn, [n for n, c in zip(names(page), charts(page), strict=True) if c in drawn], strict=True
    ):
        ranges.setdefault(name.split()[0], []).append(chart["layout"]["xaxis"]["range"])
    assert all(one == pytest.approx(group[0]) for group in ranges.values() for one in group)


@pytest.mark.slow
def test_pair_with_an_unfinished_or_cancelled_run(results_page, make_run, store, run_config):
    done = make_run()
    page = results_page(done, make_run(cancelled=True))
    assert "| Remaining accuracy · Acc_rt | 98.4 % | – | – |" in texts(page)
    page = results_page(done, store.submit("unlearn", run_config))
    assert "appears here by itself when it is done" in texts(page)
    assert len(page.metric) == 5
    assert "What was set differently" not in texts(page)


@pytest.mark.slow
def test_backdoor_shows_what_is_left_of_the_trigger(make_run, results_page):
    job = make_run()
    assert "planted backdoor" not in texts(results_page(job))
    record = {"source": 1, "target": 8, "before": 98.2, "after": 0.4}
    triggered = {"images": np.zeros((8, 3, 8, 8), np.uint8), "before": np.full(8, 8), "after": np.full(8, 1)}
    job = make_run(backdoor=record)
    save_file(triggered, job.folder / "backdoor.safetensors")
    page = results_page(job)
    said = texts(page)
    assert "The planted backdoor" in said
    assert "works hardly ever" in said
    assert [metric.value for metric in page.metric if "Trigger" in metric.label] == ["98.2 %", "0.4 %"]
    assert any("read as 8 before, 1 after" in part.proto.body for part in page.get("html"))


@pytest.mark.slow
def test_open_part_is_in_the_address_and_a_link_opens_it(results_page, make_run, overview):
    job = make_run()
    overview.query_params["part"] = "Layers"
    page = results_page(job)
    assert any("Largest leak" in caption.value for caption in page.caption)
    show(page, "Labels")
    assert page.query_params["part"] == "Labels"
    show(page, "Classes")
    assert "part" not in page.query_params


@pytest.mark.slow
def test_pair_has_one_report_of_both(results_page, make_run):
    page = results_page(make_run(), make_run(method="mask"), "Downloads")
    assert [button.label for button in page.get("download_button")].count("Report of both runs") == 2


def depth_part(**about):
    figures = {"probe": [60.0, 90.0], "knn": [50.0, 80.0], "bits": [0.5, 0.9]}
    figures["prototypes"] = {"5": {"forget": 81.0, "rest": 90.0}}
    images = {"forget_train": 100, "rest_train": 900, "forget_test": 50, "rest_test": 200}
    return {
        "stages": ["stage 1", "stage 2"], "models": {"original": figures, "unlearned": figures}, "left": None,
        "cka": {"original_unlearned": {"forget": [1.0, 1.0], "rest": [1.0, 1.0]}}, "worst": None,
        "images": images, "precision": "float32", "seconds": 1.0, "extent": "quick", "data": "digits",
    } | about  # fmt: skip


@pytest.mark.slow
def test_depth_is_offered_where_nobody_has_asked(results_page, make_run):
    page = results_page(make_run(), part="Depth")
    assert "Accuracy asks the last layer alone" in texts(page)
    assert "Without a Retrain reference" in texts(page)
    assert [button.label for button in page.button if "easure" in button.label] == [
        "Measure the depth",
        "Measure everything",
    ]


@pytest.mark.slow
def test_depth_that_a_worker_measured_is_drawn(results_page, make_run, finish):
    job = make_run()
    finish("depth", {"run": job.id, "extent": "quick", "retrained": ""}, answer=depth_part())
    page = results_page(job, part="Depth")
    assert len(charts(page)) == 5  # the standing of all figures, probe, neighbours, bits, CKA
    assert "| Prototypical relearning, 5 images | 81.0 % | 81.0 % | – |" in texts(page)
    assert "Computed in float32 on 1,000 training and 250 test images" in texts(page)
    assert [button.label for button in page.button if "easure" in button.label] == ["Measure everything"]


@pytest.mark.slow
def test_depth_is_asked_of_a_worker_and_its_failure_told(results_page, make_run, store, finish):
    job = make_run()
    page = results_page(job, part="Depth")
    next(button for button in page.button if button.label == "Measure the depth").click()
    check(page.run())
    task = store.latest(Lane.RUNS, 5, kind="depth")[0]
    assert task.config == {"run": job.id, "extent": "quick", "retrained": ""}
    assert "Without a Retrain reference" not in texts(page), "it is under way"
    store.cancel(task.id)
    finish("depth", {"run": job.id, "extent": "all"}, State.FAILED, error="no room")
    assert "no room" in texts(results_page(job, part="Depth"))


@pytest.mark.slow
def test_runs_that_were_stopped_or_lack_images_have_no_depth(results_page, make_run):
    assert "stopped before it could be measured" in texts(results_page(make_run(cancelled=True), part="Depth"))
    assert "on training and test images of all classes" in texts(results_page(make_run(only_forget=True), part="Depth"))


def test_what_a_run_asks_stands_open(results_page, make_run, store):
    run = make_run()
    with store.engine.begin() as connection:
        for sentence in ("the images are 10 of 12: are they prepared so?", "two files were left aside"):
            connection.execute(
                insert(events).values(job=run.id, kind="note", at=0.0, body=f'{{"sentence": "{sentence}"}}')
            )
    page = results_page(run)
    (asked,) = page.warning
    assert "are they prepared so?" in asked.value
