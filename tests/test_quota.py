from __future__ import annotations

import pytest

from zspag_core.quota import proxies_per_class


@pytest.mark.parametrize(
    ("n_adv", "full_classes", "remaining", "expected"),
    [
        (100, 20, 9, 100),
        (100, 20, 20, 100),
        (1000, 20, 9, 1000),
        (100, 20, 99, 20),
        (100, 20, 999, 2),
        (1, 20, 99, 1),
        (100, 1000, 999, 100),
        (7, 20, 0, 7),
    ],
)
def test_many_classes_share_what_a_few_would_get(n_adv, full_classes, remaining, expected):
    assert proxies_per_class(n_adv, full_classes, remaining) == expected


def test_together_they_are_never_more_than_of_the_full_classes_unless_each_has_one():
    for remaining in range(1, 1000):
        total = remaining * proxies_per_class(100, 20, remaining)
        assert total <= 2000
        assert total > 1000 or remaining < 20
