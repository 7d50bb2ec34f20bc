from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from zspag_core.metrics.grade import grade
from zspag_core.proxies import ProxySet
from zspag_core.pseudo_labels import PseudoLabels
from zspag_core.runs.artifacts import (
    GROUPS,
    MEASURES,
    grading_arrays,
    label_arrays,
    proxy_arrays,
    save_arrays,
)


def test_arrays_survive_a_file_whatever_their_layout(tmp_path):
    arrays = {"b": torch.arange(6.0).reshape(2, 3).T, "a": torch.zeros(0, 4, dtype=torch.int64)}
    save_arrays(tmp_path / "x.safetensors", arrays)
    found = load_file(tmp_path / "x.safetensors")
    assert set(found) == {"a", "b"}
    assert all(torch.equal(found[name], array) for name, array in arrays.items())
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_equal_arrays_give_equal_bytes(tmp_path):
    for name in "ab":
        save_arrays(tmp_path / name, {"y": torch.ones(3), "x": torch.zeros(2)})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture
def proxies(small_digits):
    """Two proxies of the first and third forget samples."""
    forget = small_digits.train.of_classes((3,))
    sources = torch.tensor([2, 0])
    pixels = forget.images[sources].float() / 255
    return forget, ProxySet(pixels * 0.9, torch.tensor([5, 8]), sources, torch.tensor([0.9, 0.8]), 4, 10)


def test_proxies_stand_beside_their_originals_and_logits(proxies, digits_model):
    forget, made = proxies
    arrays = proxy_arrays(made, forget, digits_model, digits_model)
    assert (arrays["images"].dtype, arrays["originals"].dtype) == (torch.float16, torch.uint8)
    torch.testing.assert_close(arrays["images"].float(), arrays["originals"] / 255 * 0.9, rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        expected = digits_model(arrays["images"].float())
    torch.testing.assert_close(arrays["logits_before"], expected)
    assert torch.equal(arrays["logits_before"], arrays["logits_after"])
    assert arrays["labels"].tolist() == [5, 8]
    assert arrays["sources"].tolist() == [2, 0]


def test_a_run_that_was_cut_short_has_no_logits_after(proxies, digits_model):
    forget, made = proxies
    assert "logits_after" not in proxy_arrays(made, forget, digits_model, None)


def test_influences_are_kept_only_where_there_are_some():
    truth, labels = torch.tensor([3, 3]), torch.eye(2)
    assert set(label_arrays(PseudoLabels(labels, "posterior"), truth)) == {"labels", "truth"}
    arrays = label_arrays(PseudoLabels(labels, "influence", influences=2 * labels), truth)
    assert torch.equal(arrays["influences"], 2 * torch.eye(2))


@pytest.mark.slow
def test_grading_holds_logits_and_every_measure_of_every_group(digits_model, small_digits):
    found = grade(digits_model, small_digits, (3,), seed=0, deep=False)
    arrays = grading_arrays(found, None)
    names = {f"mia.before.{group}.{measure}" for group in GROUPS for measure in MEASURES}
    assert set(arrays) == {"test.labels", "test.before"} | names
    assert set(grading_arrays(found, found)) == set(arrays) | {"test.after"} | {
        name.replace("before", "after") for name in names
    }
    assert torch.equal(arrays["test.before"], found.tested.logits)
    assert all(array.dtype == torch.float32 for name, array in arrays.items() if name != "test.labels")
