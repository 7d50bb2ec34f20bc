from __future__ import annotations

import json

import pytest

from zspag_core.jobs import Lane, State

PAGE = "3_Proxies.py"


def texts(at):
    parts = [*at.markdown, *at.caption, *at.info, *at.error, *at.warning]
    return " ".join(str(part.value) for part in parts) + " ".join(element.proto.body for element in at.get("html"))


def maps(at):
    return [json.loads(element.proto.json) for element in at.get("bidi_component")]


def waits(at):
    return " ".join(element.proto.text for element in at.get("progress"))


def test_without_a_run_it_says_what_it_will_show(open_page, store):
    page = open_page(PAGE)
    assert "The map of proxies among real images appears here after a run" in texts(page)
    assert page.button(key="A-to-forget").label == "Forget a class"
    assert not maps(page)


def test_finished_run_shows_map_numbers_and_examples(open_page, graded):
    page = open_page(PAGE, graded(map_kinds=("pca", "umap")))
    (chart,) = maps(page)
    assert len(chart["x"]) == 26
    assert chart["mark"].count(1) == 6
    assert [metric.value for metric in page.metric] == ["99.1 %", "88.0 %"]
    assert "until then, 6 examples" in texts(page)
    assert "3 → <b>0</b>" in texts(page)
    assert len(page.get("plotly_chart")) == 2
    assert not waits(page)


@pytest.mark.slow
def test_a_run_that_protected_nothing_says_so_instead_of_an_empty_figure(open_page, graded):
    bare = {"layers": [{"name": "head", "dim": 64, "rank": 0, "captured": 0.0}]}
    page = open_page(PAGE, graded(map_kinds=("umap",), subspace=bare))
    assert "No direction was protected in this run" in texts(page)
    assert len(page.get("plotly_chart")) == 1


@pytest.mark.slow
def test_pca_stands_in_while_umap_is_made_and_then_gives_way(open_page, graded, store):
    job = graded()
    page = open_page(PAGE, job)
    assert len(maps(page)) == 1
    assert "Drawing the UMAP of run" in waits(page)
    assert ", PCA until then: " in waits(page)
    assert "of about 15 s" in waits(page)
    (question,) = store.latest(Lane.MAPS)
    assert (question.kind, question.config) == ("map", {"run": job.id, "kind": "umap"})
    (job.folder / "map_pca.safetensors").rename(job.folder / "map_umap.safetensors")
    page.run()
    assert len(maps(page)) == 1
    assert not waits(page)


@pytest.mark.slow
def test_pictures_of_the_map_are_ready_when_people_come_from_the_forget_page(open_page, graded, monkeypatch):
    made = []
    monkeypatch.setattr("ui.shell.embedding_map.sheet", lambda images: made.append(len(images)) or "data:,")
    job = graded()
    open_page("2_Forget.py", job)
    assert made == [26]
    open_page(PAGE, job)
    (job.folder / "map_pca.safetensors").rename(job.folder / "map_umap.safetensors")
    (chart,) = maps(open_page(PAGE, job))
    assert chart["sheet"] == "data:,"
    assert made == [26], "PCA and UMAP show the same pictures"


def test_without_any_map_pca_is_asked_for_first(open_page, graded, store):
    page = open_page(PAGE, graded(map_kinds=()))
    assert not maps(page)
    assert "Drawing the PCA" in waits(page)
    assert "until then" not in waits(page)
    assert store.latest(Lane.INTERACTIVE)[-1].config["kind"] == "pca"


@pytest.mark.slow
def test_map_that_failed_says_so_and_can_be_tried_again(open_page, graded, finish, store):
    job = graded()
    config = {"run": job.id, "kind": "umap"}
    question = finish("map", config, State.FAILED, lane=Lane.MAPS, error="umap-learn is not there")
    page = open_page(PAGE, job)
    assert "umap-learn is not there" in texts(page)
    assert len(maps(page)) == 1, "PCA is still shown"
    page.button(key="again-A").click().run()
    assert store.require(question.id).state == State.QUEUED


@pytest.mark.slow
def test_before_and_after_share_axes_and_colours_can_be_changed(open_page, graded):
    page = open_page(PAGE, graded(map_kinds=("umap",)))
    (before,) = maps(page)
    page.segmented_control(key="when").set_value("after").run()
    (after,) = maps(page)
    assert before["span"] == after["span"]
    assert before["x"] != after["x"]
    page.segmented_control(key="colour").set_value("kind").run()
    (by_kind,) = maps(page)
    assert len(by_kind["legend"]) == 3
    assert not page.exception


@pytest.mark.slow
def test_what_is_picked_is_shown_in_the_drawer(open_page, graded):
    job = graded((1, 3, 8), map_kinds=("umap",))
    page = open_page(PAGE, job)
    page.session_state[f"map-{job.id}"] = {"picked": [0, 2, 21, 22]}
    page.run()
    said = texts(page)
    assert "Selected: 2 proxies, 2 real images" in said
    assert "Remaining class 0" in said
    assert "Forgotten class 1" in said
    assert "3 → <b>2</b>" in said
    page.button(key=f"clear-{job.id}").click().run()
    assert "Selected" not in texts(page)


def test_many_picks_are_counted(open_page, graded):
    job = graded(proxies=40, map_kinds=("umap",))
    page = open_page(PAGE, job)
    page.session_state[f"map-{job.id}"] = {"picked": list(range(60))}
    page.run()
    assert "The first 6 of 40 selected proxies" in texts(page)
    assert "The first 12 of 20 selected real images" in texts(page)


def test_method_without_proxies_shows_real_images_alone(open_page, graded):
    page = open_page(PAGE, graded(proxies=0, map_kinds=("umap",)))
    (chart,) = maps(page)
    assert set(chart["mark"]) == {0, 2}
    assert "This method makes no proxies" in texts(page)
    assert not page.metric


def test_two_runs_stand_side_by_side_on_the_same_axes(open_page, graded):
    first, second = graded((3,), map_kinds=("umap",)), graded((5, 6), map_kinds=("pca",))
    page = open_page(PAGE, first, second)
    left, right = maps(page)
    assert left["span"] == right["span"]
    assert f"Drawing the UMAP of run {second.number}" in waits(page)
    assert len(page.get("plotly_chart")) == 4
    assert "different models" not in texts(page)


@pytest.mark.slow
def test_real_images_picked_on_one_map_are_shown_for_both_runs(open_page, graded):
    first, second = graded((3,), map_kinds=("umap",)), graded((5, 6), map_kinds=("umap",))
    page = open_page(PAGE, first, second)
    page.session_state[f"map-{first.id}"] = {"picked": [0, 2, 21]}
    page.session_state[f"map-{second.id}"] = {"picked": [4]}
    page.run()
    said = texts(page)
    assert "Selected: 1 proxy, 3 real images" in said
    assert "Selected: 0 proxies, 3 real images" in said
    assert [chart["marked"] for chart in maps(page)] == [[4], [0, 2]], "they stand out on the other map, too"
    page.button(key=f"clear-{second.id}").click().run()
    assert "Selected" not in texts(page), "one press clears both"


@pytest.mark.slow
def test_maps_of_other_images_keep_their_picks(open_page, graded, monkeypatch):
    monkeypatch.setattr("ui.proxies.panels.same_real_images", lambda *_: False)
    first, second = graded((3,), map_kinds=("umap",)), graded((5, 6), map_kinds=("umap",))
    page = open_page(PAGE, first, second)
    page.session_state[f"map-{first.id}"] = {"picked": [0, 2, 21]}
    page.session_state[f"map-{second.id}"] = {"picked": [22]}
    page.run()
    assert "Selected: 1 proxy, 2 real images" in texts(page)
    assert [chart["marked"] for chart in maps(page)] == [[], []]
    page.button(key=f"clear-{first.id}").click().run()
    assert texts(page).count("Selected") == 1, "the other run keeps its own"


def test_second_run_without_result_stands_beside(open_page, graded, store, run_config):
    page = open_page(PAGE, graded(map_kinds=("umap",)), store.submit("unlearn", run_config))
    assert len(maps(page)) == 1
    assert "is under way" in texts(page)


@pytest.mark.slow
def test_run_under_way_shows_how_far_it_is(open_page, store, run_config):
    waiting = store.submit("unlearn", run_config)
    page = open_page(PAGE, waiting)
    assert "is under way" in texts(page)
    assert "The worker is starting" in waits(page)
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
    job = store.claim(Lane.RUNS, "w", "cpu")
    store.advance(job, {"stage": "proxies", "done": 12, "total": 40})
    page.run()
    assert "Proxies: 12 of 40" in waits(page)
    page.button(key="A-cancel").click().run()
    assert store.require(job.id).command == "cancel"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "said"),
    [(State.FAILED, "failed"), (State.CANCELLED, "was cancelled"), (State.INTERRUPTED, "was interrupted")],
)
def test_run_that_ended_early_says_why_and_can_run_again(open_page, finish, store, run_config, state, said):
    job = finish("unlearn", run_config, state, error="the loss became nan", details="copy me")
    page = open_page(PAGE, job)
    assert f"Run {job.number} {said}" in texts(page)
    assert "the loss became nan" in texts(page)
    assert page.code[0].value == "copy me"
    page.button(key="A-again").click().run()
    assert store.require(job.id).state == State.QUEUED


def test_run_that_was_not_graded_says_so(open_page, finish, run_config):
    job = finish("unlearn", run_config, answer={"before": {}, "after": None})
    assert "was not graded" in texts(open_page(PAGE, job))


def test_run_whose_folder_is_gone_says_so(open_page, graded):
    import shutil

    job = graded()
    shutil.rmtree(job.folder)
    assert "has lost its files" in texts(open_page(PAGE, job))


def test_link_opens_the_map_as_it_was(open_page, overview, graded):
    overview.query_params["when"], overview.query_params["colour"] = "After", "Kind"
    page = open_page(PAGE, graded(map_kinds=("umap",)))
    assert (page.segmented_control(key="when").value, page.segmented_control(key="colour").value) == ("after", "kind")
    assert "unlearned model" in maps(page)[0]["alt"]
