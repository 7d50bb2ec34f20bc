from __future__ import annotations

import re

import numpy as np
import pytest

from ui.proxies.cards import cards, logit_bars, portrait, top_classes, triptychs

NAMES = ["cat", "dog", "<b>owl</b>"]


@pytest.fixture
def proxies():
    return {
        "images": np.full((2, 3, 8, 8), 0.4, np.float16),
        "originals": np.full((2, 3, 8, 8), 51, np.uint8),
        "labels": np.array([1, 2]),
        "confidence": np.array([0.01, 0.5], np.float32),
        "logits_before": np.array([[-2, 6, 1], [0, 1, 4]], np.float32),
        "logits_after": np.array([[-4, 5, 1], [0, 5, 4]], np.float32),
    }


def test_triptych_says_what_the_models_read(proxies):
    first, second = triptychs(proxies, [0, 1], [0, 0], NAMES, [0])
    assert re.findall('alt="([^"]*)"', first) == ["original, cat", "noise × 2.5", "proxy, dog"]
    assert "cat → <b>dog</b>, probability 0.99 · after: read as dog" in first
    assert "after: read as dog" in second
    assert "−2.0 → −4.0" in first


def test_names_from_data_are_escaped(proxies):
    text = "".join(triptychs(proxies, [1], [0], NAMES, [0]))
    assert "<b>owl" not in text
    assert "&lt;b&gt;owl&lt;/b&gt;" in text


def test_without_logits_after_only_the_first_model_is_shown(proxies):
    del proxies["logits_after"]
    (card,) = triptychs(proxies, [0], [-1], NAMES, [0])
    assert "forget sample → <b>dog</b>" in card
    assert "after" not in card


def test_no_rows_no_cards(proxies):
    assert triptychs(proxies, [], [], NAMES, [0]) == []
    assert cards([]).count("figure") == 0


def test_bars_share_their_zero_and_their_scale():
    text = logit_bars(np.array([-5.0, 10.0]), np.array([-5.0, 5.0]), NAMES, [0], (-5.0, 15.0))
    boxes = re.findall(r'zs-(\w+)" style="left:([\d.]+)%(?:;width:([\d.]+)%)?', text)
    assert boxes[:3] == [("after", "25.0", "25.0"), ("before", "25.0", "50.0"), ("zero", "25.0", "")]
    assert boxes[3:5] == [("after", "0.0", "25.0"), ("before", "0.0", "25.0")]


def test_top_classes_hold_those_that_are_asked_for():
    before = np.array([0, 9, 8, 7, 6, 5, 4], np.float32)
    assert top_classes(before, None, (0, 1)) == [1, 2, 3, 4, 0]
    after = before.copy()
    after[6] = 20
    assert 6 in top_classes(before, after)
    assert top_classes(before[:3], None, (-1, 2)) == [1, 2, 0]


def test_portrait_shows_image_and_lines():
    text = portrait(np.zeros((1, 8, 8), np.uint8), "Forgotten class 3", "read before: 3", "read after: 5")
    assert 'alt="Forgotten class 3"' in text
    assert "<div>read after: 5</div>" in text
