from __future__ import annotations

import json
import shutil
import struct

import pytest
from streamlit.testing.v1 import AppTest

from ui.shell import paths
from ui.shell.checkpoints import shipped_checkpoints
from ui.shell.selection import Choice, choice_of, choice_of_own, inspect_question
from zspag_core.errors import CheckpointError, DataError
from zspag_core.jobs import Lane, State


def show():
    import streamlit as st

    from ui.shell.selection import current_choice

    found = current_choice()
    st.text("none" if found is None else f"{found.title}|{found.data}|{','.join(found.class_names)}")


@pytest.fixture
def page(store):
    return AppTest.from_function(show)


@pytest.fixture
def own(home):
    """A model trained here, and an upload that it was trained on."""
    record = {
        "architecture": "resnet",
        "config": {"image_size": 16},
        "about": {"data": "ab12.zip", "class_names": ["cat", "dog"], "test_accuracy": 90.0},
    }
    text = json.dumps({"__metadata__": {"zspag": json.dumps(record)}}).encode()
    path = paths.trained() / "pets.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    paths.uploads().mkdir(parents=True)
    (paths.uploads() / "ab12.zip").write_bytes(b"PK")
    return path


def answer(store, question, state=State.DONE, **given):
    store.submit("inspect_data", question, lane=Lane.INTERACTIVE)
    store.heartbeats.beat("w", "worker", (Lane.INTERACTIVE,), "cpu")
    store.finish(store.claim(Lane.INTERACTIVE, "w", "cpu"), state, answer=given)


def test_without_a_word_it_is_the_shipped_digits_model(page):
    page.run()
    assert page.text[0].value.startswith("digits_resnet_16|digits|0,1,2")
    assert dict(page.query_params) == {}, "a default needs no address"


def test_the_address_names_the_model_and_the_session_keeps_it(page, own):
    page.query_params["model"] = "own:pets"
    page.run()
    assert page.text[0].value == f"pets|{paths.uploads() / 'ab12.zip'}|cat,dog"
    assert page.session_state["choice"].data == str(paths.uploads() / "ab12.zip")
    page.query_params.clear()
    page.run()
    assert page.text[0].value.startswith("pets|"), "page links drop the address"
    assert page.query_params["model"] in ("own:pets", ["own:pets"])
    assert page.query_params["data"] in ("upload:ab12.zip", ["upload:ab12.zip"])


def test_an_address_that_leads_nowhere_is_the_default(page):
    for model, data in (("own:nobody", None), ("digits_resnet", "/etc"), ("digits_resnet", "upload:gone.zip")):
        page.query_params["model"] = model
        if data:
            page.query_params["data"] = data
        page.run()
        assert page.text[0].value.startswith("digits_resnet_16|digits|")


def test_a_model_that_was_removed_is_left(page, own):
    page.query_params["model"] = "own:pets"
    page.run()
    page.query_params.clear()
    own.unlink()
    page.run()
    assert page.text[0].value.startswith("digits_resnet_16|")


def test_data_that_were_removed_are_left(page, own):
    page.query_params["model"] = "own:pets"
    assert page.run().text[0].value.startswith("pets|")
    page.query_params.clear()
    (paths.uploads() / "ab12.zip").unlink()
    assert not page.run().exception
    assert page.text[0].value.startswith("digits_resnet_16|digits")
    assert "pets is left: the data" in page.toast[0].value
    assert not page.run().toast, "it is said once"


def test_a_run_whose_data_are_gone_leaves_the_choice_as_it_was(page, store, tmp_path):
    config = {"checkpoint": str(shipped_checkpoints()[0]), "data": str(tmp_path / "gone.zip"), "forget": [3]}
    page.query_params["job"] = store.submit("unlearn", config).id
    assert not page.run().exception
    assert page.text[0].value.startswith("digits_resnet_16|digits")


def test_without_any_model_there_is_no_choice(page, monkeypatch, tmp_path):
    monkeypatch.setattr(shipped_checkpoints, "__defaults__", (tmp_path,))
    page.run()
    assert page.text[0].value == "none"


def test_summary_says_what_the_model_is(own):
    assert choice_of_own(own).summary == "ResNet, 16 × 16 pixels, trained on ab12.zip, 2 classes."


def test_a_model_whose_data_is_gone_needs_other_data(own):
    (paths.uploads() / "ab12.zip").unlink()
    with pytest.raises(DataError):
        choice_of_own(own)
    assert choice_of_own(own, "digits").data == "digits"


def test_a_foreign_checkpoint_is_known_once_the_worker_has_looked(store):
    path = paths.uploads() / "cd34.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK\3\4")
    with pytest.raises(CheckpointError, match="open it on the Model page"):
        choice_of(path, "digits")
    question = inspect_question("digits", path)
    found = {"class_names": ["a", "b"], "summary": "ResNet, 32 × 32 pixels"}
    answer(store, question, fits="no", **found)
    with pytest.raises(CheckpointError):
        choice_of(path, "digits")
    answer(store, question, fits=None, **found)
    choice = choice_of(path, "digits")
    assert choice == Choice(path, "digits", ("a", "b"), "cd34.pt", "ResNet, 32 × 32 pixels, 2 classes.")
    assert choice.question == question


def test_the_question_changes_with_the_files(own):
    upload = paths.uploads() / "ab12.zip"
    before = inspect_question(str(upload), own)
    shutil.copy(upload, paths.uploads() / "copy")
    upload.write_bytes(b"PK....")
    assert inspect_question(str(upload), own) != before
    assert inspect_question("digits") == {"data": "digits"}
