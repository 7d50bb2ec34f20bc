from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from ui.figures.palette import FORGOTTEN, REMAINING
from ui.forget.watched_images import frame_html, watched_from_arrays, watched_from_events
from zspag_core.jobs import Event

NAMES = [f"class {label}" for label in range(10)]


def data_url(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def event(sequence, epoch, **more):
    maps = np.full((2, 2, 2), 4.0 - epoch).tolist()
    body = {"epoch": epoch, "layer": "x", "maps": maps, "probability": [1 - epoch / 4, 0.9], "predicted": [3, 8]}
    return Event(sequence, "watch", 0.0, body | more)


@pytest.fixture
def watched():
    grey = np.arange(4, dtype=np.uint8).reshape(2, 2)
    first = event(1, 0, pictures=[data_url(grey), data_url(np.stack([grey] * 3, axis=-1))], labels=[3, 8])
    return watched_from_events([first, event(3, 2), Event(4, "epoch", 0.0, {"epoch": 1}), event(2, 1)])


def test_events_become_frames_in_the_order_of_epochs(watched):
    assert watched.epochs == (0, 1, 2)
    assert watched.maps.shape == (3, 2, 2, 2)
    assert watched.maps[:, 0, 0, 0].tolist() == [4.0, 3.0, 2.0]
    assert watched.most == 4.0
    assert [picture.shape for picture in watched.pictures] == [(1, 2, 2), (3, 2, 2)]
    assert watched.pictures[0][0].tolist() == [[0, 1], [2, 3]]


def test_nothing_is_shown_before_the_first_frame():
    assert watched_from_events([]) is None
    assert watched_from_events([event(1, 1)]) is None, "the pictures come with epoch 0"


def test_arrays_of_a_run_folder_say_the_same(watched):
    arrays = {
        "images": np.zeros((2, 1, 2, 2), np.uint8),
        "labels": np.array([3, 8]),
        "epochs": np.arange(3),
        "maps": watched.maps,
        "probability": watched.probability,
        "predicted": watched.predicted,
    }
    found = watched_from_arrays(arrays)
    assert (found.labels, found.epochs, found.most) == (watched.labels, watched.epochs, watched.most)


def test_frame_names_and_colours_what_is_forgotten_and_what_remains(watched):
    text = frame_html(watched, 1, [3], NAMES)
    assert text.count("<img") == text.count("alt=") == 2
    assert "forgotten class 3" in text
    assert "remaining class 8" in text
    assert f"outline:2px solid {FORGOTTEN}" in text
    assert f"outline:2px solid {REMAINING}" in text
    assert "75\N{NO-BREAK SPACE}% sure of class 3" in text
    assert "most of any epoch (4)" in text


def test_frames_share_one_scale(watched):
    before, after = (frame_html(watched, place, [3], NAMES) for place in (0, 2))
    assert before.partition("src=")[2][:2000] != after.partition("src=")[2][:2000], "less evidence looks darker"


def test_names_cannot_smuggle_markup(watched):
    text = frame_html(watched, 0, [3], ["<script>"] * 10)
    assert "<script>" not in text


def test_figures_that_are_no_numbers_count_as_no_evidence():
    url = data_url(np.zeros((2, 2), np.uint8))
    nothing = [[[None, None], [None, None]]]
    bad = event(1, 0, pictures=[url], labels=[3], maps=nothing, probability=[None], predicted=[3])
    assert watched_from_events([bad]).most == 0.0
