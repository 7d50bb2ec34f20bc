from __future__ import annotations

import pytest
import torch

from zspag_core.moments import SecondMoment

CPU = torch.device("cpu")


def moment_of(rows: torch.Tensor, parts: int) -> SecondMoment:
    moment = SecondMoment(rows.shape[0], rows.shape[2], CPU)
    for part in rows.chunk(parts, dim=1):
        moment.add(part)
    return moment


def all_of(moment: SecondMoment) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all eigenvalues and eigenvectors of a moment."""
    seen: list[torch.Tensor] = []

    def count(values: torch.Tensor) -> torch.Tensor:
        seen.append(values)
        return torch.full((len(values),), values.shape[1])

    vectors, _ = moment.leading(count)
    return seen[0], vectors


@pytest.mark.parametrize("count", [4, 40])
def test_only_the_leading_eigenvectors_are_returned_and_the_rest_is_zero(count):
    rows = torch.randn(2, count, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moment = moment_of(rows, 1)
    vectors, counts = moment.leading(lambda _: torch.tensor([3, 1]))
    _, whole = all_of(moment)
    assert vectors.shape == (2, 9, 3)
    assert counts.tolist() == [3, 1]
    assert bool((vectors[1, :, 1:] == 0).all())
    for group, kept in enumerate((3, 1)):
        there, here = whole[group, :, :kept], vectors[group, :, :kept]
        torch.testing.assert_close(here @ here.T, there @ there.T)


@pytest.mark.parametrize(("count", "form"), [(4, "rows"), (9, "gram"), (40, "gram")])
@pytest.mark.parametrize("parts", [1, 3])
def test_eigenvectors_are_the_left_singular_vectors(count, form, parts):
    rows = torch.randn(2, count, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moment = moment_of(rows, parts)
    assert (moment.rows is None) == (form == "gram")
    values, vectors = all_of(moment)
    torch.testing.assert_close(moment.matrix(), rows.mT @ rows)
    torch.testing.assert_close(moment.energy, rows.square().sum(dim=(1, 2)))
    for group in range(2):
        left, lengths, _ = torch.linalg.svd(rows[group].T, full_matrices=False)
        torch.testing.assert_close(values[group], lengths.square())
        torch.testing.assert_close((left.T @ vectors[group]).diagonal().abs(), torch.ones(min(count, 9)).double())


@pytest.mark.parametrize(("groups", "count", "known"), [(1, 40, True), (1, 9, True), (1, 4, False), (2, 40, False)])
def test_the_other_directions_complete_the_leading_ones_where_they_are_known(groups, count, known):
    rows = torch.randn(groups, count, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    leading, others, _ = moment_of(rows, 1).split(lambda values: torch.full((len(values),), 3))
    assert (others is not None) == known
    if others is not None:
        both = torch.cat([leading[0], others[0]], dim=1)
        torch.testing.assert_close(both.T @ both, torch.eye(9, dtype=torch.float64))


def test_memory_is_the_smaller_form_whatever_arrives():
    moment = SecondMoment(1, 50, CPU)
    for _ in range(40):
        moment.add(torch.randn(1, 7, 50))
        assert (moment.gram if moment.rows is None else moment.rows).numel() <= 50 * 50
    assert moment.rows is None


@pytest.mark.parametrize("counts", [(2, 3), (2, 20), (20, 2), (20, 30)])
def test_merged_moments_are_the_moment_of_all_rows(counts):
    generator = torch.Generator().manual_seed(1)
    one, two = (torch.randn(2, count, 8, generator=generator, dtype=torch.float64) for count in counts)
    moment = moment_of(one, 1)
    moment.merge(moment_of(two, 1), 0.25)
    torch.testing.assert_close(moment.matrix(), one.mT @ one + 0.25 * two.mT @ two)


def test_eigenvectors_of_nearly_parallel_rows_are_orthonormal():
    rows = torch.zeros(1, 3, 10, dtype=torch.float64)
    rows[0, 0, :2] = torch.tensor([3.0, 4.0])
    rows[0, 1] = rows[0, 0]
    rows[0, 1, 5] = 1e-5
    rows[0, 2] = rows[0, 0]
    values, vectors = all_of(moment_of(rows, 1))
    assert bool(vectors.isfinite().all())
    torch.testing.assert_close(vectors.mT @ vectors, torch.eye(3, dtype=torch.float64)[None])
    assert abs(float(vectors[0, 5, 1])) > 0.999999
    assert float(values[0, 2]) < 1e-12
