"""The Model page for a network that is not ours: what the file does not say is asked before anything runs."""

from __future__ import annotations

import pytest

from tests.pages.conftest import PICTURE
from ui.shell import paths
from ui.shell.jobs import checkpoint_question
from ui.shell.selection import inspect_question
from ui.shell.uploads import keep_checkpoint
from zspag_core.diagnosis import MATCHED
from zspag_core.jobs import Lane, State

NAMES = [str(label) for label in range(10)]
OPEN = {
    "image_size": 32,
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "shorter_side": 0,
    "interpolation": "bicubic",
}
READ = {
    "asks": "",
    "sentence": "",
    "networks": [],
    "entries": [],
    "network": "timm:test_resnet",
    "foreign": True,
    "open": OPEN,
    "assumed": ["mean", "std", "shorter_side", "interpolation"],
    "notes": [],
    "unmoved": {},
}
ASKED = {"asks": "network", "sentence": "no.", "networks": ["timm:test_resnet"], "entries": []}
ABOUT = READ | {
    "name": "digits",
    "num_classes": 10,
    "class_names": NAMES,
    "train": 1438,
    "test": 359,
    "classes": [{"name": name, "picture": PICTURE, "train": 143, "test": 36} for name in NAMES],
    "fits": None,
    "doubt": None,
    "architecture": "foreign",
    "summary": "test_resnet of timm, 32 × 32 pixels",
    "image_size": 32,
    "channels": 3,
    "model_classes": 10,
    "test_accuracy": None,
    "trained_on": None,
    "notes": ["state_dict is taken; the file also holds ema, had with --entry ema", "one", "two"],
    "unmoved": {"network.a": "used outside of a hooked call", "network.b": "used outside of a hooked call"},
}
REPORT = {
    "layers": [{"name": "stem.0", "kind": "convolution 3 × 3", "shape": [16, 32, 32], "parameters": 432}] * 5,
    "parameters": 78_000,
    "acc_per_class": [90.0] * 10,
    "test_accuracy": 90.0,
    "graded": 359,
    "samples": [{"picture": PICTURE, "label": 9, "predicted": 4, "probability": 71.0}],
}
TAKEN = {"words": "as assumed", "fields": {}, "accuracy": 23.0, "count": 256}
BETTER = {
    "words": "normalisation: none (pixels from 0 to 1)",
    "fields": {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]},
    "accuracy": 91.0,
    "count": 256,
}
GIVEN = {"order": "given", "names": NAMES, "accuracy": 12.0}
NATURAL = {"order": "natural", "names": NAMES[::-1], "accuracy": 97.0}
ORDER = {
    "taken": 97.0,
    "best": 97.0,
    "count": 256,
    "misnumbered": False,
    "offers": [GIVEN | {"accuracy": 97.0}],
    "said": [[name, 97.0] for name in NAMES[:9]] + [None],
}
GOOD = {"readings": [TAKEN | {"accuracy": 97.0}], "misread": False, "order": ORDER}
MISREAD = GOOD | {"readings": [TAKEN, BETTER], "misread": True}
MISNUMBERED = GOOD | {"order": ORDER | {"taken": 12.0, "misnumbered": True, "offers": [GIVEN, NATURAL]}}


class Brought:
    """What streamlit hands over."""

    name, size = "my net.pth.tar", 7

    @staticmethod
    def getbuffer():
        return memoryview(b"weights")


def said(page):
    parts = [*page.markdown, *page.caption, *page.info, *page.error, *page.warning]
    return " ".join(str(part.value) for part in parts).replace("\\", "")


def marks(page):
    """Return of each line of the checks whether it is ticked off: images, classes, labels, maybe accuracy."""
    (lines,) = (part.value for part in page.markdown if "**Classes**" in part.value)
    return [":green[" in line for line in lines.split("\n")]


@pytest.fixture
def weights(store):
    return keep_checkpoint(Brought())


@pytest.fixture
def tell(finish):
    """Let the worker have answered a question."""

    def tell(kind, question, state=State.DONE, **ending):
        return finish(kind, question, state, lane=Lane.INTERACTIVE, **ending)

    return tell


@pytest.fixture
def open_model(overview, weights, tell):
    """Return a function that opens the Model page with the upload, once the worker has answered so much."""

    def open_model(read, doubts=None, about=ABOUT):
        tell("inspect_model", checkpoint_question(weights), answer=read)
        if not read["asks"]:
            pair = inspect_question("digits", weights)
            tell("inspect_data", pair, answer=about)
            tell("model_report", checkpoint_question(weights) | {"data": "digits"}, answer=REPORT)
            if doubts is not None:
                tell("doubts", pair, answer=doubts)
        overview.query_params["model"] = paths.token_of(weights)
        overview.query_params["data"] = "digits"
        overview.run()
        page = overview.switch_page("pages/1_Model.py").run()
        assert not page.exception
        assert page.segmented_control(key="source").value == "Upload"
        return page

    return open_model


def asked_to_adopt(store):
    """Return what the worker was asked to write down."""
    (job,) = [job for job in store.latest(Lane.INTERACTIVE) if job.kind == "adopt"]
    return job.config


@pytest.fixture
def bring(overview, weights, tell, monkeypatch):
    """Return a function that opens the page with an upload as if it had just been brought, and data chosen."""

    def bring(answer):
        from ui.model import sources

        monkeypatch.setattr(sources, "_uploaded_model", lambda _choice: weights)
        tell("inspect_model", checkpoint_question(weights), answer=answer)
        overview.run()
        page = overview.switch_page("pages/1_Model.py").run()
        page.segmented_control(key="source").set_value("Upload").run()
        page.selectbox(key=f"data-{weights.name}").select("digits").run()
        assert not page.exception
        return page

    return bring


@pytest.fixture
def asking(bring):
    """The page with an upload whose network is not known."""
    return bring(ASKED)


@pytest.mark.slow
def test_the_network_is_asked_for_with_what_it_may_be(asking, weights, store):
    assert "does not say which network they are of" in asking.warning[0].value
    field = asking.text_input(key=f"tell-network-{weights.name}")
    assert field.value == "timm:test_resnet"
    assert "it may be timm:test_resnet" in said(asking)
    assert asking.button(key="use").disabled
    asking.button(key="tell").click().run()
    assert asked_to_adopt(store) == checkpoint_question(weights) | {"told": {}, "model": "timm:test_resnet"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("python:net.py:make", "code, which no browser starts"),
        ("Python:net.py:make", "code, which no browser starts"),
        ("hf:google/vit", "Upload the Hugging Face folder"),
        ("resnet18", "Expected library and name: torchvision:resnet18"),
        ("timm:", "Expected library and name"),
    ],
)
def test_what_names_no_network_is_refused_in_a_sentence(asking, weights, text, sentence):
    asking.text_input(key=f"tell-network-{weights.name}").set_value(text).run()
    assert sentence in asking.error[0].value
    assert asking.button(key="tell").disabled


def test_what_was_not_said_yet_is_no_error(asking, weights):
    asking.text_input(key=f"tell-network-{weights.name}").set_value("").run()
    assert not asking.error
    assert "Give the library and the network's name." in said(asking)
    assert asking.button(key="tell").disabled


@pytest.mark.slow
def test_an_answer_that_the_file_gainsays_is_said_and_can_be_corrected(asking, weights, store):
    asking.text_input(key=f"tell-network-{weights.name}").set_value("timm:resnet18").run()
    asking.button(key="tell").click().run()
    store.heartbeats.beat("w", "worker", (Lane.INTERACTIVE,), "cpu")
    while (job := store.claim(Lane.INTERACTIVE, "w", "cpu")) is not None:
        store.finish(job, State.FAILED, error=f"{weights.name}: lacks tensor 'fc'")
    asking.run()
    assert "my net.pth.tar: lacks tensor 'fc'" in said(asking)
    assert asking.text_input(key=f"tell-network-{weights.name}").value == "timm:resnet18"


@pytest.mark.slow
def test_one_of_several_networks_is_chosen(bring, weights, store):
    page = bring({"asks": "entry", "sentence": "", "networks": [], "entries": ["student", "teacher"]})
    assert "several networks" in page.warning[0].value
    assert not page.error
    assert page.button(key="tell").disabled
    page.selectbox(key=f"tell-entry-{weights.name}").select("teacher").run()
    newest = store.latest(Lane.INTERACTIVE)[0]
    assert (newest.kind, newest.config) == ("inspect_model", checkpoint_question(weights) | {"entry": "teacher"})


def test_settings_are_marked_as_given_or_assumed(open_model):
    page = open_model(READ, GOOD)
    labels = [part.label for part in [*page.number_input, *page.selectbox]]
    assert "Side of an image, pixels · given" in labels
    assert {"Normalisation · assumed", "An image becomes square · assumed", "Interpolation · assumed"} <= set(labels)
    assert not page.button(key="use").disabled
    assert "97.0 % are read as numbered, 97.0 % under the best matching" in said(page)
    table = next(frame.value for frame in page.dataframe if "Class" in frame.value.columns)
    assert list(table["Read as"])[:2] == ["0 97 %", "1 97 %"]
    assert list(table["Read as"])[9] == ""


def test_nothing_can_be_used_before_assumptions_have_been_tried(open_model, store):
    page = open_model(READ)
    assert page.button(key="use").disabled
    assert store.latest(Lane.INTERACTIVE)[0].kind == "doubts"
    assert marks(page) == [False, True, False, False], "while it is tried, nothing is ticked off"


@pytest.mark.slow
def test_a_better_reading_is_taken_by_a_button(open_model, store, weights):
    page = open_model(READ, MISREAD)
    assert "23.0\u00a0% of 256 labelled images, with normalisation: none (pixels from 0 to 1) **91.0\u00a0%**" in said(
        page
    )
    assert marks(page) == [False, True, False, False]
    assert "32 × 32, colour: see below whether that is right" in said(page)
    assert page.button(key="use").disabled
    page.button(key="take-reading").click().run()
    assert asked_to_adopt(store)["told"] == BETTER["fields"]


@pytest.mark.slow
def test_what_nobody_touched_stays_assumed_where_another_part_is_told(open_model, store, weights):
    page = open_model(READ, GOOD)
    page.number_input(key=f"tell-size-{weights.name}").set_value(24).run()
    page.button(key="tell").click().run()
    told = asked_to_adopt(store)["told"]
    assert told["image_size"] == 24
    assert not {"mean", "std"} & told.keys(), "what nobody touched goes on being tried"


@pytest.mark.slow
def test_where_no_usual_way_fits_nothing_is_ticked_off(open_model):
    page = open_model(READ, MISREAD | {"misread": False, "none_fits": True})
    assert "None of the usual ways to prepare its images fits" in said(page)
    assert marks(page)[0] is False
    assert marks(page)[3] is False


@pytest.mark.slow
def test_figures_of_different_samples_are_told_apart(open_model):
    taken, *others = MISREAD["readings"]
    page = open_model(READ, MISREAD | {"readings": [taken | {"count": 64}, *others]})
    assert (
        f"of 64 labelled images, with normalisation: none (pixels from 0 to 1) **91.0\u00a0%** of 256 ({MATCHED})."
        in said(page)
    )


@pytest.mark.slow
def test_what_batch_norm_speaks_against_is_asked(open_model, store):
    strange = {"sentence": "how they are prepared looks wrong: BatchNorm_2 remembers 0.8, with none 0.1"}
    page = open_model(READ, GOOD | {"strange": strange | {key: BETTER[key] for key in ("words", "fields")}})
    assert "How they are prepared looks wrong: BatchNorm_2 remembers 0.8, with none 0.1." in said(page)
    assert page.button(key="use").disabled
    page.button(key="take-reading").click().run()
    assert asked_to_adopt(store)["told"] == BETTER["fields"]


@pytest.mark.slow
def test_images_that_look_altered_are_kept_by_a_button(open_model, store):
    page = open_model(READ, GOOD | {"altered": "the images look altered: 41.8 %, with red and blue exchanged 79.3 %"})
    assert "The images look altered: 41.8 %, with red and blue exchanged 79.3 %." in said(page)
    assert page.button(key="use").disabled
    page.button(key="keep-images").click().run()
    asked = asked_to_adopt(store)
    assert (asked["order"], asked["class_names"]) == ("given", NAMES)


@pytest.mark.slow
def test_images_of_one_class_that_are_read_as_another_are_no_question_of_order(open_model, store):
    order = MISNUMBERED["order"] | {"one_class": "of 60 images 0.4 % are read; --order given keeps both as they are"}
    page = open_model(READ, MISNUMBERED | {"order": order})
    assert "Are these images of that class, prepared as in its training?" in said(page)
    assert "--order" not in said(page)
    assert not page.radio
    assert page.button(key="use").disabled
    page.button(key="keep-images").click().run()
    assert asked_to_adopt(store)["order"] == "given"


def test_what_is_doubtful_and_stops_nothing_is_said(open_model):
    notes = ["41.8 %, exchanged 79.3 %: were they altered?", "images of one class cannot tell"]
    page = open_model(READ, GOOD | {"notes": notes, "none_fits": True})
    assert [box.value.replace("\\", "") for box in page.warning] == ["41.8 %, exchanged 79.3 %: were they altered?"]
    assert "Images of one class cannot tell." in [caption.value for caption in page.caption]
    assert not page.button(key="use").disabled


@pytest.mark.slow
def test_while_something_told_is_taken_over_nothing_of_before_is_drawn_or_asked(open_model, store, weights):
    page = open_model(READ)
    (tried,) = [job for job in store.latest(Lane.INTERACTIVE) if job.kind == "doubts"]
    assert tried.active
    page.number_input(key=f"tell-size-{weights.name}").set_value(24).run()
    page.button(key="tell").click().run()
    assert store.require(tried.id).state == State.CANCELLED, "nobody waits for its answer any more"
    assert "Not applied yet" not in said(page)
    assert page.button(key="tell").disabled
    assert page.button(key="use").disabled
    assert [uploader for uploader in page.get("file_uploader") if "name" in uploader.label.lower()] == []
    assert [job.kind for job in store.latest(Lane.INTERACTIVE) if job.active] == ["adopt"]


@pytest.mark.slow
def test_where_no_usual_reading_fits_that_is_said_with_what_can_be_stated(open_model):
    worse = BETTER | {"accuracy": 35.0}
    page = open_model(READ, MISREAD | {"readings": [TAKEN | {"accuracy": 9.4}, worse], "none_fits": True})
    words = said(page).replace("\u00a0", " ")
    assert "None of the usual ways to prepare its images fits" in words
    assert "reads 9.4 % of 256 labelled images, in 1 other usual way at best 35.0 %" in words
    assert "state under **Assumed** above how that program prepared an image" in words
    assert page.button(key="take-reading").label.startswith("Take the best of these all the same")
    assert page.button(key="use").disabled


@pytest.mark.slow
def test_that_no_usual_reading_fits_is_said_where_none_is_better_and_the_model_can_be_used(open_model):
    page = open_model(READ, GOOD | {"readings": [TAKEN, TAKEN], "none_fits": True})
    assert "None of the usual ways to prepare its images fits" in said(page)
    assert not page.button(key="use").disabled


@pytest.mark.slow
def test_edits_that_are_not_applied_yet_are_named_and_keep_the_model_from_being_used(open_model, weights):
    page = open_model(READ, GOOD)
    assert "Not applied yet" not in said(page)
    page.number_input(key=f"tell-size-{weights.name}").set_value(64).run()
    assert "**Not applied yet:** side of an image." in said(page)
    assert page.button(key="use").disabled
    page.number_input(key=f"tell-size-{weights.name}").set_value(32).run()
    assert "Not applied yet" not in said(page)
    assert not page.button(key="use").disabled


@pytest.mark.slow
def test_another_network_that_is_not_applied_yet_is_named(open_model, weights):
    page = open_model(READ, GOOD)
    page.text_input(key=f"tell-network-{weights.name}").set_value("timm:resnet18d").run()
    assert "**Not applied yet:** the network timm:resnet18d." in said(page)


@pytest.mark.slow
def test_what_was_assumed_can_be_kept_and_is_told_from_then_on(open_model, store):
    page = open_model(READ, MISREAD)
    page.button(key="keep-reading").click().run()
    assert asked_to_adopt(store)["told"] == {name: OPEN[name] for name in READ["assumed"]}


@pytest.mark.slow
def test_what_a_file_says_can_be_kept_although_another_reading_is_better(open_model, store):
    page = open_model(READ | {"assumed": []}, MISREAD, about=ABOUT | {"assumed": []})
    assert "The file may say it wrongly. As it says the model reads 23.0" in said(page)
    page.button(key="keep-reading").click().run()
    assert asked_to_adopt(store)["told"] == {name: OPEN[name] for name in BETTER["fields"]}


@pytest.mark.slow
def test_the_order_of_the_classes_is_chosen_by_both_figures(open_model, store, weights):
    page = open_model(READ, MISNUMBERED)
    assert "the model reads 12.0\u00a0% of 256 labelled images, in another order **97.0\u00a0%**" in said(page)
    assert page.button(key="take-order").disabled
    assert page.button(key="use").disabled
    radio = page.radio(key=f"order-{weights.name}")
    assert [option.rpartition(" · ")[2] for option in radio.options] == ["12.0\u00a0%", "97.0\u00a0%"]
    radio.set_value("natural").run()
    page.button(key="take-order").click().run()
    assert (asked_to_adopt(store)["class_names"], asked_to_adopt(store)["order"]) == (NAMES[::-1], "natural")


def test_an_order_kept_against_the_model_s_answers_stays_a_warning(open_model):
    page = open_model(READ, GOOD | {"order": ORDER | {"taken": 12.0, "best": 97.0, "kept_against": True}})
    assert any("**another class will be forgotten** than the one you tick" in warning.value for warning in page.warning)
    assert not page.button(key="use").disabled


@pytest.mark.slow
def test_a_file_of_names_says_which_output_is_which(open_model, store, weights):
    page = open_model(READ, MISNUMBERED)
    box = page.file_uploader(key=f"names-{weights.name}")
    box.upload("names.txt", "\n".join(f"digit {name}" for name in NAMES).encode()).run()
    page.button(key="take-names").click().run()
    assert asked_to_adopt(store)["class_names"] == [f"digit {name}" for name in NAMES]
    assert "order" not in asked_to_adopt(store)


@pytest.mark.slow
def test_notes_are_folded_and_speak_of_the_page(open_model):
    page = open_model(READ, GOOD)
    (notes,) = [part for part in page.expander if part.label == "3 notes on model and data"]
    assert "state_dict is taken; the file also holds ema, which can be chosen on the page Model." in [
        part.value.replace("\\", "") for part in notes.caption
    ]


def test_layers_that_stay_are_counted_with_reasons(open_model):
    page = open_model(READ, GOOD)
    (stay,) = [part for part in page.expander if part.label == "2 layers of 5 will not be moved"]
    assert "**2**: used outside of a hooked call. :small[a, b]" in stay.markdown[0].value


def test_data_with_forget_images_alone_can_be_used(open_model):
    classes = [
        part | ({} if part["name"] == "3" else {"picture": None, "train": 0, "test": 0}) for part in ABOUT["classes"]
    ]
    order = ORDER | {"said": [["3", 99.0] if name == "3" else None for name in NAMES]}
    page = open_model(READ, GOOD | {"order": order}, ABOUT | {"classes": classes, "test": 0, "notes": []})
    assert not page.button(key="use").disabled
    assert "Images of 3 alone" in said(page)
