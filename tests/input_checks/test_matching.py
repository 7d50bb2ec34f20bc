import torch

from zspag_core.input_checks.matching import best_matching, clearly_better


def test_matching_gains_nothing_by_chance():
    generator = torch.Generator().manual_seed(0)
    labels, predicted = (torch.randint(10, (256,), generator=generator) for _ in range(2))
    accuracy, _ = best_matching(predicted, labels)
    assert accuracy < 20
    assert best_matching(labels, labels)[0] > 95


def test_small_differences_are_no_reason_to_ask():
    assert not clearly_better(60.0, 55.0, 256)
    assert clearly_better(55.9, 21.7, 256)
    assert not clearly_better(40.0, 20.0, 20)
    assert not clearly_better(20.0, 40.0, 256)
