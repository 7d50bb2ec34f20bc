"""What visitors bring, right and wrong, with the worker's own code behind the page."""

from __future__ import annotations

import io
import os
import pickle
import re
import threading
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from ui.shell import paths
from zspag_core.jobs import Lane, State
from zspag_core.jobs.performance import perform


class Harm:
    """Runs a command when unpickled."""

    def __reduce__(self):
        return os.system, ("touch harmed",)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def arrays(classes=10, count=40):
    labels = np.arange(count) % classes
    images = np.zeros((count, 8, 8), np.uint8) + labels[:, None, None].astype(np.uint8)
    return {"train_x": images, "train_y": labels, "test_x": images, "test_y": labels}


def picture():
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def bomb():
    return zipped({"a/b.png": bytes(200_000_000)}, zipfile.ZIP_DEFLATED)


def class_folders(classes):
    return {f"class{k}/{n}.png": picture() for k in range(classes) for n in range(2)}


def torch_file(payload):
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    return buffer.getvalue()


@pytest.fixture
def page(overview, checkpoint):
    overview.query_params["model"] = checkpoint.stem
    overview.run()
    opened = overview.switch_page("pages/1_Model.py").run()
    assert not opened.exception
    return opened


@pytest.fixture
def work(store):
    """Let the worker's code answer everything that waits."""

    def work():
        store.heartbeats.beat("w", "worker", (Lane.INTERACTIVE,), "cpu")
        while (job := store.claim(Lane.INTERACTIVE, "w", "cpu")) is not None:
            perform(store, job, threading.Event())

    return work


def bring_model(page, work, name, content):
    page.segmented_control(key="source").set_value("Upload").run()
    page.file_uploader(key="upload-model").upload(name, content).run()
    box = [box for box in page.selectbox if box.label == "Data"]
    if box and box[0].value is None:
        box[0].select("digits").run()
    return settled(page, work)


def settled(page, work):
    """Let the worker answer all that a page asks, one question after the other."""
    for _ in range(4):
        work()
        page.run()
    assert not page.exception
    return page


def bring_data(page, work, *files):
    page.selectbox(key="data-digits_resnet_16.safetensors").select("upload").run()
    box = page.file_uploader(key="upload-data")
    for name, content in files:
        box.upload(name, content)
    page.run()
    work()
    page.run()
    assert not page.exception
    return page


def sentence(page):
    """Return the one sentence that the page says; the button to go on must be off."""
    (error,) = page.error
    buttons = [button for button in page.button if button.key == "use"]
    assert all(button.disabled for button in buttons)
    said = error.value.replace("\\", "")
    assert "Traceback" not in said
    assert str(paths.uploads()) not in said
    return said


WRONG_MODELS = {
    "text": ("notes.txt", b"hello", "expected a .safetensors file or one that torch.save"),
    "web page": ("model.ckpt", b"<!DOCTYPE html><p>Sign in", "a web page instead of the file"),
    "renamed text": (
        "model.pt",
        b"hello, I am no model",
        "expected a .safetensors file or one that torch.save has written",
    ),
    "cut short": ("model.safetensors", b"\x10\0\0\0\0\0\0\0{", "not a safetensors file"),
    "pickle that runs code": ("model.pt", torch_file({"a": Harm()}), "it would run code"),
    "bare pickle": ("model.pth", pickle.dumps(Harm()), "a plain pickle, which would run code"),
    "bomb": ("model.pt", zipped({"a/data.pkl": bytes(5_000_000)}, zipfile.ZIP_DEFLATED), "a compressed archive"),
    "empty": ("model.pt", b"", "is empty"),
}

WRONG_DATA = {
    "text": ("notes.txt", b"hello", "expected a file that ends in"),
    "renamed text": ("set.zip", b"hello, I am no zip", "is not a zip archive"),
    "bomb": ("set.zip", bomb, "as a zip bomb does"),
    "way out": (
        "set.zip",
        zipped({"../../evil.png": picture()} | class_folders(10)),
        "a member that leaves its folder",
    ),
    "absolute": (
        "set.zip",
        zipped({"/etc/evil.png": picture()} | class_folders(10)),
        "a member that leaves its folder",
    ),
    "no classes": ("set.zip", zipped({"a.png": picture()}), "has no class folders"),
    "broken picture": ("set.zip", zipped(class_folders(10) | {"class3/9.png": b"no picture"}), "is not an image"),
    "missing key": ("set.npz", npz(**{k: v for k, v in arrays().items() if k != "test_y"}), "no array of labels"),
    "objects": ("set.npz", npz(**arrays() | {"train_y": np.array([Harm()] * 40, object)}), "without Python objects"),
    "no parquet": ("set.parquet", b"hello", ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WRONG_MODELS)
def test_wrong_models_get_one_plain_sentence(page, work, tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    name, content, expected = WRONG_MODELS[what]
    said = sentence(bring_model(page, work, name, content))
    assert expected in said
    assert not (tmp_path / "harmed").exists()


def test_a_file_that_begins_as_no_weights_is_refused_at_once_and_asks_for_no_data(page, store):
    before = len(store.latest(Lane.INTERACTIVE))
    page.segmented_control(key="source").set_value("Upload").run()
    page.file_uploader(key="upload-model").upload("notes.pt", b"hello, I am no model").run()
    assert (
        page.error[0]
        .value.replace("\\", "")
        .startswith("notes.pt: expected a .safetensors file or one that torch.save")
    )
    assert not [box for box in page.selectbox if box.label == "Data"]
    assert "This file cannot be used" in page.info[0].value
    assert len(store.latest(Lane.INTERACTIVE)) == before


@pytest.mark.slow
def test_a_model_that_the_worker_refuses_asks_for_no_data(page, work):
    bring_model(page, work, "model.safetensors", b"\x10\0\0\0\0\0\0\0{")
    assert not [box for box in page.selectbox if box.label == "Data"]
    assert "This file cannot be used" in page.info[0].value


@pytest.mark.slow
@pytest.mark.parametrize("what", WRONG_DATA)
def test_wrong_data_gets_one_plain_sentence(page, work, tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    name, content, expected = WRONG_DATA[what]
    said = sentence(bring_data(page, work, (name, content() if callable(content) else content)))
    assert expected in said
    assert not (tmp_path / "harmed").exists()


@pytest.mark.slow
@pytest.mark.parametrize("classes", [12, 3])
def test_other_classes_than_the_models_do_not_fit(page, work, classes):
    bring_data(page, work, ("pets.zip", zipped(class_folders(classes))))
    said = " ".join(part.value for part in page.markdown).replace("\\", "")
    assert (
        f"The model tells 10 classes apart, pets.zip has {classes}, of which the model does not name 'class0'" in said
    )
    assert page.button(key="use").disabled


@pytest.mark.slow
def test_own_data_that_fits_can_be_used_and_is_kept_in_the_address(page, work, store):
    bring_data(page, work, ("mine.npz", npz(**arrays())))
    assert not page.button(key="use").disabled
    page.button(key="use").click().run()
    assert page.title[0].value == "Forget"
    choice = page.session_state["choice"]
    assert paths.title_of(paths.uploads() / choice.data.rpartition("/")[2]) == "mine.npz"
    back = page.switch_page("pages/1_Model.py").run()
    assert back.selectbox(key="data-digits_resnet_16.safetensors").value == "upload"
    assert "In use: mine.npz" in " ".join(part.value for part in back.caption).replace("\\", "")
    assert "upload:" in str(back.query_params["data"])


@pytest.mark.slow
def test_own_checkpoint_can_be_used(page, work, checkpoint):
    bring_model(page, work, "My model.safetensors", checkpoint.read_bytes())
    assert not page.error
    page.button(key="use").click().run()
    choice = page.session_state["choice"]
    assert (choice.title, choice.checkpoint.parent) == ("My model.safetensors", paths.uploads())
    back = page.switch_page("pages/1_Model.py").run()
    assert back.segmented_control(key="source").value == "Upload"
    assert "In use: My model.safetensors" in " ".join(part.value for part in back.caption).replace("\\", "")


@pytest.fixture(scope="module")
def digits():
    """A trained model of the digits."""
    from zspag_core.checkpoints import load_checkpoint

    return load_checkpoint("digits_resnet").model


@pytest.mark.slow
def test_foreign_checkpoint_is_shown_with_its_doubt(page, work, digits):
    saved = {"state_dict": digits.state_dict(), "mean": list(digits.config.mean), "std": list(digits.config.std)}
    bring_model(page, work, "foreign.pt", torch_file(saved))
    said = " ".join(part.value for part in [*page.markdown, *page.error]).replace("\\", "")
    assert "does not name its classes" in said
    assert not page.button(key="use").disabled


@pytest.mark.slow
def test_visitor_tells_what_a_foreign_checkpoint_does_not_show(page, work, digits):
    from zspag_core.checkpoints import load_checkpoint

    bring_model(page, work, "foreign.pt", torch_file(digits.state_dict()))
    (assumed,) = (part.label for part in page.expander if part.label.startswith("Assumed"))
    assert re.fullmatch(r"Assumed: 32 pixels, normalisation 0\.\d+(/0\.\d+)* ± 0\.\d+(/0\.\d+)*", assumed)
    tell(page.number_input, "Side of an image, pixels").set_value(28)
    tell(page.selectbox, "Normalisation").select("Pixels from −1 to 1")
    page.button(key="tell").click().run()
    settled(page, work)
    assert "As you told: 28 pixels, normalisation pixels from −1 to 1" in [part.label for part in page.expander]
    page.button(key="use").click().run()
    choice = page.session_state["choice"]
    config = load_checkpoint(choice.checkpoint).model.config
    assert (choice.title, config.image_size, config.mean) == ("foreign.pt", 28, (0.5, 0.5, 0.5))


@pytest.mark.slow
def test_numbers_of_ones_own_are_checked(page, work):
    from zspag_core.models import build, named_config

    bring_model(page, work, "foreign.pt", torch_file(build(named_config("resnet_tiny")).state_dict()))
    tell(page.text_input, "Deviation of each channel").set_value("0.1, 0.2").run()
    assert "Give 3 numbers for each" in page.error[0].value
    assert page.button(key="tell").disabled


@pytest.mark.slow
def test_heads_of_a_narrow_vit_are_asked_for(page, work):
    from torchvision.models import VisionTransformer

    from zspag_core.checkpoints import load_checkpoint

    narrow = VisionTransformer(16, 8, num_layers=1, num_heads=3, hidden_dim=48, mlp_dim=64, num_classes=10)
    bring_model(page, work, "narrow.pt", torch_file(narrow.state_dict()))
    assert "how many attention heads" in page.warning[0].value
    assert page.button(key="use").disabled
    tell(page.number_input, "Attention heads").set_value(3)
    page.button(key="tell").click().run()
    settled(page, work)
    assert any("3 attention heads" in part.label for part in page.expander)
    page.button(key="use").click().run()
    assert load_checkpoint(page.session_state["choice"].checkpoint).model.config.heads == 3


def tell(widgets, label):
    """Return the control of something that a file does not show."""
    (found,) = [widget for widget in widgets if widget.label.partition(" · ")[0] == label]
    return found


@pytest.mark.slow
def test_failed_uploads_leave_nothing_running(page, work, store):
    bring_data(page, work, ("set.zip", b"hello, I am no zip"))
    assert {job.state for job in store.latest(Lane.INTERACTIVE)} <= {State.DONE, State.FAILED}


@pytest.mark.slow
def test_names_of_the_outputs_are_asked_for_where_the_data_holds_images_to_forget_alone(page, work):
    from zspag_core.checkpoints import load_checkpoint
    from zspag_core.models import build, named_config

    model = build(named_config("resnet_tiny", num_classes=10, image_size=32))
    bring_model(page, work, "foreign.pt", torch_file(model.state_dict()))
    (data,) = [box for box in page.selectbox if box.label == "Data"]
    data.select("upload").run()
    alone = {name: content for name, content in class_folders(10).items() if name.startswith("class3/")}
    page.file_uploader(key="upload-data").upload("threes.zip", zipped(alone)).run()
    settled(page, work)
    assert "does not name its classes" in sentence(page)
    (names,) = [area for area in page.text_area if area.label.startswith("Names of the model's classes")]
    names.set_value("\n".join(f"class{k}" for k in range(10))).run()
    page.button(key="tell-names").click().run()
    settled(page, work)
    assert not page.error
    assert "Images of class3 alone, matched to the model's classes by name" in " ".join(c.value for c in page.caption)
    page.button(key="use").click().run()
    choice = page.session_state["choice"]
    assert load_checkpoint(choice.checkpoint).about["class_names"] == [f"class{k}" for k in range(10)]
