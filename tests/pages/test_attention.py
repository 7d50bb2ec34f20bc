from __future__ import annotations

import pytest

from zspag_core.jobs import Lane, State

PAGE = "4_Attention.py"
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def texts(at):
    parts = [*at.markdown, *at.caption, *at.info, *at.error, *at.warning]
    return " ".join(str(part.value) for part in parts) + " ".join(element.proto.body for element in at.get("html"))


def waits(at):
    return " ".join(element.proto.text for element in at.get("progress"))


@pytest.fixture
def offer(finish):
    """Let the worker have listed images of a run: forgotten ones from 100 on, remaining ones from 200 on."""

    def offer(job, changed=1):
        for kind, first, count in (("forgotten", 100, 10), ("remaining", 200, 24), ("changed", 300, changed)):
            label = job.config["forget"][0] if kind == "forgotten" else 0
            images = [{"index": first + i, "label": label, "picture": PICTURE} for i in range(count)]
            config = {"run": job.id, "kind": kind, "count": 24}
            finish("samples", config, lane=Lane.INTERACTIVE, answer={"images": images})

    return offer


@pytest.fixture
def look(finish):
    """Let the worker have computed maps."""

    def look(job, index=(100, 101, 200, 201), layer=None, target="own", state=State.DONE, **ending):
        images = [
            {
                "index": place,
                "label": 3 if place < 200 else 0,
                "picture": PICTURE,
                "own": {"before": 0.99, "after": 0.0},
                "predicted": {"before": [3, 0.99], "after": [5, 0.8]},
                "map_before": [[0.0, 1.0], [2.0, 4.0]],
                "map_after": [[0.0, 0.0], [0.0, 0.0]],
            }
            for place in index
        ]
        answer = {"layer": layer or "stages.2", "layers": ["stages.1", "stages.2"], "images": images}
        answer |= {"similarity": {"remaining": 0.93, "forgotten": 0.2}, "empty": {"remaining": 0.0, "forgotten": 90.0}}
        config = {"run": job.id, "index": list(index), "layer": layer, "target": target}
        ending = {"answer": answer} | ending if state == State.DONE else ending
        return finish("attention", config, state, lane=Lane.INTERACTIVE, **ending)

    return look


def test_without_a_run_it_says_what_it_will_show(open_page, store):
    page = open_page(PAGE)
    assert "Attention before and after appears here after a run" in texts(page)
    page.button(key="A-to-forget").click().run()
    assert not page.exception


@pytest.mark.slow
def test_images_are_looked_for_first(open_page, graded, store):
    job = graded()
    page = open_page(PAGE, job)
    assert "Looking for images" in waits(page)
    asked = [question.config["kind"] for question in store.latest(Lane.INTERACTIVE)]
    assert sorted(asked) == ["forgotten", "remaining"]
    assert not page.checkbox


def test_two_of_each_kind_are_chosen_at_first(open_page, graded, offer, store):
    job = graded()
    offer(job)
    page = open_page(PAGE, job)
    assert "Computing the maps: " in waits(page)
    (question,) = [question for question in store.latest(Lane.INTERACTIVE) if question.kind == "attention"]
    assert question.config == {"run": job.id, "index": [100, 101, 200, 201], "layer": None, "target": "own"}
    assert [box.value for box in page.checkbox][:3] == [True, True, False]
    assert "4 chosen" in texts(page)


@pytest.mark.slow
def test_maps_are_shown_with_scale_layers_and_likeness(open_page, graded, offer, look):
    job = graded()
    offer(job)
    look(job)
    page = open_page(PAGE, job)
    said = texts(page)
    assert said.count("nearly empty") == 4 + 1, "four maps after, and the note above"
    assert "own label 3: 99.0 %" in said
    assert "reads 5: 80.0 %" in said
    assert "<span>4</span>" in said, "the scale ends at the largest evidence"
    assert "| Alike, remaining classes | 0.93 |" in said
    assert "2 × 2 cells" in said
    picker = page.selectbox(key=f"look-layer-{job.id}")
    assert picker.options == ["stages.1", "stages.2"]
    assert picker.value == "stages.2"


@pytest.mark.slow
def test_ticking_asks_for_new_maps_and_shows_the_old_ones_meanwhile(open_page, graded, offer, look, store):
    job = graded()
    offer(job)
    look(job)
    page = open_page(PAGE, job)
    page.checkbox(key=f"look-{job.id}-forgotten-102").check().run()
    assert store.latest(Lane.INTERACTIVE)[0].config["index"] == [100, 101, 200, 201, 102]
    assert "Computing the maps" in waits(page)
    assert "own label 3" in texts(page)
    page.checkbox(key=f"look-{job.id}-forgotten-102").uncheck().run()
    assert not waits(page), "this was answered before"


@pytest.mark.slow
def test_at_most_eight_images_can_be_chosen(open_page, graded, offer):
    job = graded()
    offer(job)
    page = open_page(PAGE, job)
    page.segmented_control(key="look-kind").set_value("remaining").run()
    for index in range(202, 206):
        page.checkbox(key=f"look-{job.id}-remaining-{index}").check().run()
    assert "8 chosen. That is the most" in texts(page)
    assert page.checkbox(key=f"look-{job.id}-remaining-210").disabled
    assert not page.checkbox(key=f"look-{job.id}-remaining-205").disabled


@pytest.mark.slow
def test_nothing_chosen_says_what_to_do(open_page, graded, offer):
    job = graded()
    offer(job)
    page = open_page(PAGE, job)
    for kind, indices in (("forgotten", (100, 101)), ("remaining", (200, 201))):
        page.segmented_control(key="look-kind").set_value(kind).run()
        for index in indices:
            page.checkbox(key=f"look-{job.id}-{kind}-{index}").uncheck().run()
    assert "Tick images above" in texts(page)
    assert not page.exception


@pytest.mark.slow
def test_filter_without_images_says_so(open_page, graded, offer):
    job = graded()
    offer(job, changed=0)
    page = open_page(PAGE, job)
    page.segmented_control(key="look-kind").set_value("changed").run()
    assert "both models read every test image alike" in texts(page)


@pytest.mark.slow
def test_layer_and_predicted_label_can_be_chosen(open_page, graded, offer, look, store):
    job = graded()
    offer(job)
    look(job)
    look(job, layer="stages.1")
    look(job, layer="stages.1", target="predicted")
    page = open_page(PAGE, job)
    page.selectbox(key=f"look-layer-{job.id}").set_value("stages.1").run()
    assert not waits(page)
    page.segmented_control(key="look-target").set_value("predicted").run()
    assert not waits(page)
    assert "what that model **reads**" in texts(page)
    assert page.selectbox(key=f"look-layer-{job.id}").value == "stages.1"


def test_maps_that_failed_say_so(open_page, graded, offer, look, store):
    job = graded()
    offer(job)
    question = look(job, state=State.FAILED, error="layer: expected one of stages.1")
    page = open_page(PAGE, job)
    assert "layer: expected one of stages.1" in texts(page)
    page.button(key="again-look-A").click().run()
    assert store.require(question.id).state == State.QUEUED


def test_images_that_cannot_be_listed_say_so(open_page, graded, finish):
    job = graded()
    for kind in ("forgotten", "remaining"):
        config = {"run": job.id, "kind": kind, "count": 24}
        finish("samples", config, State.FAILED, lane=Lane.INTERACTIVE, error="the data are gone")
    assert "the data are gone" in texts(open_page(PAGE, job))


def test_two_runs_are_shown_on_one_scale(open_page, graded, offer, look):
    first, second = graded((3,)), graded((3, 5))
    offer(first)
    look(first)
    look(second)
    page = open_page(PAGE, first, second)
    said = texts(page)
    assert "A · before" in said
    assert "B · difference" in said
    assert "| Run A | Run B |" in said


@pytest.mark.slow
def test_what_only_the_second_run_forgot_can_be_looked_at(open_page, graded, offer, look):
    first, second = graded((3,)), graded((5,))
    offer(first)
    offer(second)
    look(first)
    look(second)
    page = open_page(PAGE, first, second)
    (kinds,) = [group for group in page.segmented_control if group.key == "look-kind"]
    assert kinds.options[0] == "Forgotten by A"
    assert {box.label for box in page.checkbox if box.key.startswith("look-")} == {"3"}
    page.session_state["look-kind"] = "forgotten-B"
    page.run()
    assert {box.label for box in page.checkbox if box.key.startswith("look-")} == {"5"}
    page.button(key="icon-clear-B").click().run()
    assert not page.exception
    assert page.session_state["look-kind"] == "forgotten"
    assert "Forgotten by A" not in next(g for g in page.segmented_control if g.key == "look-kind").options


@pytest.mark.slow
def test_second_run_on_other_data_is_told_apart(open_page, graded, offer, look, finish, store, run_config):
    first = graded((3,))
    offer(first)
    look(first)
    second = store.submit("unlearn", run_config)
    page = open_page(PAGE, first, second)
    assert f"Run {second.number} is under way" in texts(page)
    assert "own label 3" in texts(page)


def test_a_second_run_is_shown_though_the_first_ended_early(open_page, graded, offer, look, finish, run_config):
    first, second = finish("unlearn", run_config, State.CANCELLED), graded((5,))
    offer(second)
    look(second)
    said = texts(open_page(PAGE, first, second))
    assert f"Run {first.number} was cancelled" in said
    assert "B · before" in said


@pytest.mark.slow
@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.INTERRUPTED])
def test_run_that_ended_early_says_why(open_page, finish, store, run_config, state):
    job = finish("unlearn", run_config, state, error="the loss became nan")
    page = open_page(PAGE, job)
    assert "the loss became nan" in texts(page)
    page.button(key="A-again").click().run()
    assert store.require(job.id).state == State.QUEUED


def test_run_under_way_is_waited_for(open_page, store, run_config):
    page = open_page(PAGE, store.submit("unlearn", run_config))
    assert "Attention before and after appears here by itself" in texts(page)
