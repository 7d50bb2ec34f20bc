from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from tests.asking import job_for
from zspag_core.checkpoints import load_checkpoint
from zspag_core.data import to_pixels
from zspag_core.errors import Cancelled, UsageError
from zspag_core.progress import SILENT, Reporter
from zspag_core.tasks import embedding_map as mapping
from zspag_core.tasks.embedding_map import draw_map
from zspag_core.tasks.table import find_task


@pytest.fixture(autouse=True)
def empty():
    mapping._GROUNDS.clear()


@pytest.fixture
def folder(home, run_id):
    return home / "runs" / run_id


def test_the_pca_map_is_what_a_projection_by_hand_gives(run_id, folder, digits_model, small_digits):
    answer = draw_map(job_for({"run": run_id, "kind": "pca"}, "cpu"))
    arrays = load_file(folder / f"{answer['file']}.safetensors")
    after = load_checkpoint(folder / "model.safetensors").model
    test, proxies = small_digits.test, load_file(folder / "proxies.safetensors")
    assert answer["file"] == "map_pca"
    assert answer["points"] == len(test) + len(proxies["labels"])
    assert arrays["real_index"].tolist() == list(range(len(test)))
    assert torch.equal(arrays["real_images"], test.images)
    assert torch.equal(arrays["real_labels"], test.labels)
    with torch.no_grad():
        features = {model: model.embed(to_pixels(test.images)).double() for model in (digits_model, after)}
        seen = {model: model.embed(proxies["images"].float()).double() for model in (digits_model, after)}
    mean = features[digits_model].mean(0)
    _, _, plane = torch.linalg.svd(features[digits_model] - mean, full_matrices=False)
    signs = torch.sign(((features[digits_model] - mean) @ plane[:2].T)[0] * arrays["real_before"][0])
    for name, points in {
        "real_before": features[digits_model], "real_zero": features[digits_model], "real_after": features[after],
        "proxy_before": seen[digits_model], "proxy_after": seen[after]
    }.items():  # fmt: skip
        expected = ((points - mean) @ plane[:2].T) * signs
        torch.testing.assert_close(arrays[name].double(), expected, rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        assert torch.equal(arrays["real_predicted_after"], after(to_pixels(test.images)).argmax(1))
        assert torch.equal(arrays["real_predicted_before"], digits_model(to_pixels(test.images)).argmax(1))
    assert arrays["proxy_index"].tolist() == list(range(len(proxies["labels"])))


def test_agreement_is_counted_by_hand(run_id, folder, digits_model, small_digits):
    answer = draw_map(job_for({"run": run_id, "kind": "pca"}, "cpu"))
    proxies = load_file(folder / "proxies.safetensors")
    with torch.no_grad():
        real = digits_model.embed(to_pixels(small_digits.test.images))
        here = digits_model.embed(proxies["images"].float())
    nearest = torch.cdist(here, real).argsort(1)[:, :10]
    votes = (small_digits.test.labels[nearest] == proxies["labels"][:, None]).sum(1)
    assert answer["knn_agreement"] == pytest.approx(100 * float((votes > 5).double().mean()))


@pytest.mark.slow
def test_the_umap_has_a_zero_line_and_shares_its_ground(run_id, folder, monkeypatch):
    answer = draw_map(job_for({"run": run_id, "kind": "umap"}, "cpu"))
    arrays = load_file(folder / "map_umap.safetensors")
    moved = (arrays["real_zero"] - arrays["real_before"]).norm(dim=1).mean()
    assert 0 < moved < (arrays["real_after"] - arrays["real_before"]).norm(dim=1).mean()
    monkeypatch.setattr(mapping, "MAPS", {"umap": None})  # a second fit would fail
    again = draw_map(job_for({"run": run_id, "kind": "umap"}, "cpu"))
    assert again["knn_agreement"] == answer["knn_agreement"]
    assert all(torch.equal(array, arrays[name]) for name, array in load_file(folder / "map_umap.safetensors").items())


def test_only_so_many_points_are_drawn_of_every_class_as_many(run_id, folder, monkeypatch):
    monkeypatch.setattr(mapping, "REAL_IMAGES", 50)
    monkeypatch.setattr(mapping, "PROXIES", 20)
    answer = draw_map(job_for({"run": run_id, "kind": "pca"}, "cpu"))
    assert answer["points"] == 70
    arrays, proxies = load_file(folder / "map_pca.safetensors"), load_file(folder / "proxies.safetensors")
    assert len(set(arrays["real_index"].tolist())) == 50
    counts = proxies["labels"][arrays["proxy_index"]].bincount(minlength=10)
    full = proxies["labels"].bincount(minlength=10)
    assert all(count >= min(int(have), 2) for count, have in zip(counts, full, strict=True))


def test_a_run_without_proxies_has_a_map_of_real_images(run_id, folder):
    (folder / "proxies.safetensors").unlink()
    answer = draw_map(job_for({"run": run_id, "kind": "pca"}, "cpu"))
    assert answer["knn_agreement"] is None
    assert "proxy_before" not in load_file(folder / "map_pca.safetensors")


def test_an_unknown_kind_is_refused(run_id):
    with pytest.raises(UsageError, match="kind: expected one of pca, umap, got 'globe'"):
        draw_map(job_for({"run": run_id, "kind": "globe"}, "cpu"))


def test_progress_counts_steps_and_cancels(run_id, folder):
    class Heard(Reporter):
        def __init__(self, stop_at=99):
            self.calls, self.stop_at = [], stop_at

        def progress(self, stage, done, total, **figures):
            self.calls.append((stage, done, total))
            if done >= self.stop_at:
                raise Cancelled("stop")

    heard = Heard()
    draw_map(job_for({"run": run_id, "kind": "pca"}, "cpu"), heard)
    assert {stage for stage, _, _ in heard.calls} == {"map"}
    done = [count for _, count, _ in heard.calls]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, heard.calls[0][2])
    (folder / "map_pca.safetensors").unlink()
    with pytest.raises(Cancelled):
        draw_map(job_for({"run": run_id, "kind": "pca"}, "cpu"), Heard(stop_at=2))
    assert not (folder / "map_pca.safetensors").exists()


def test_the_task_hands_its_config_on(store, run_id):
    assert find_task("map")(store.submit("map", {"run": run_id, "kind": "pca"}), SILENT)["file"] == "map_pca"
