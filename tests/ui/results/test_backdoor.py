from __future__ import annotations

import numpy as np
import pytest

from ui.results.backdoor import tell, triggered_html

NAMES = [f"class_{k}" for k in range(10)]


@pytest.mark.parametrize(
    ("after", "forget", "said"),
    [
        (0.4, [8], "works hardly ever."),
        (40.0, [8], "works less often."),
        (98.0, [1], "works as before. class\\_8 itself was not forgotten"),
        (None, [1], "stopped before it was tried again"),
    ],
)
def test_what_is_left_of_a_backdoor_is_told(after, forget, said):
    told = tell({"source": 1, "target": 8, "before": 98.0, "after": after}, NAMES, forget)
    assert "turns **class\\_1** into **class\\_8**" in told
    assert said in told


def test_triggered_images_say_what_is_read_in_them():
    arrays = {"images": np.zeros((2, 3, 8, 8), np.uint8), "before": np.array([8, 1]), "after": np.array([1, 1])}
    shown = triggered_html(arrays, NAMES, 8)
    assert shown.count("<img") == 2
    assert "read as class_8 before, class_1 after" in shown
    assert shown.count("zs-forgotten") == 1, "the target is marked"
    del arrays["after"]
    assert "after" not in triggered_html(arrays, NAMES, 8)
