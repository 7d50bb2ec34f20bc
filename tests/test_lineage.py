from __future__ import annotations

import pytest

from zspag_core.lineage import first_recipe

NEW = {"recipe": {"epochs": 32}}


@pytest.mark.parametrize(
    ("about", "epochs"),
    [
        (NEW, 32),
        ({"recipe": {"epochs": 6}, "started_from": NEW}, 32),
        ({"recipe": {"epochs": 1}, "started_from": [{"recipe": {"epochs": 6}, "started_from": [NEW]}, NEW]}, 32),
        ({"recipe": {"epochs": 2}, "started_from": []}, 2),
    ],
)
def test_the_first_recipe_is_found_through_all_that_followed(about, epochs):
    assert first_recipe(about) == {"epochs": epochs}


def test_a_file_without_a_recipe_has_none():
    assert first_recipe({}) == {}
    assert first_recipe({"recipe": None}) == {}
