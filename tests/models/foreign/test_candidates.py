"""Weights without a name are told what they look like."""

import numpy as np
import pytest
import timm
import torch
import torchvision

from zspag_core.models.foreign import candidates as index
from zspag_core.models.foreign.candidates import candidates, hint, signature


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "build"),
    [
        ("timm:resnet18d", lambda: timm.create_model("resnet18d", num_classes=7)),
        ("timm:convnext_atto", lambda: timm.create_model("convnext_atto", num_classes=7)),
        ("torchvision:mobilenet_v3_small", lambda: torchvision.models.mobilenet_v3_small(weights=None, num_classes=7)),
        ("torchvision:densenet121", lambda: torchvision.models.densenet121(weights=None, num_classes=7)),
    ],
)
def test_a_library_s_network_is_found_with_another_number_of_classes(source, build):
    with torch.device("meta"):
        weights = build().state_dict()
    found = candidates(weights)
    assert source in {one.source for one in found}
    assert found[0].share > 0.8
    assert "pass --model" in hint(weights)


def test_signatures_estimate_what_two_networks_have_in_common():
    names = [(f"layer.{k}", (k, 2)) for k in range(400)]
    whole, half = signature(names), signature(names[:200])
    assert np.array_equal(whole, signature(reversed(names)))
    assert abs((whole == half).mean() - 0.5) < 0.2  # 64 places: a standard deviation of 0.06
    assert (signature([("a", (1,))]) == signature([("b", (1,))])).mean() < 0.1
    assert np.array_equal(signature([("a", (1,)), ("bn.num_batches_tracked", ())]), signature([("a", (1,))]))


def test_weights_of_nothing_known():
    assert candidates({"mine.weight": torch.zeros(3, 4)}) == []
    assert not hint({"mine.weight": torch.zeros(3, 4)})
    assert candidates({}) == []


def test_hugging_face_weights_need_their_folder():
    weights = {"classifier.bias": torch.zeros(3), "vit.embeddings.cls_token": torch.zeros(1, 1, 4)}
    assert "folder with its config.json" in hint(weights)


def test_without_an_index_nothing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(index, "INDEX", tmp_path / "none.npz")
    index._index.cache_clear()
    try:
        assert candidates({"conv1.weight": torch.zeros(64, 3, 7, 7)}) == []
    finally:
        index._index.cache_clear()


def test_an_index_is_written_and_read(monkeypatch, tmp_path):
    monkeypatch.setattr(index, "all_sources", lambda: ["torchvision:squeezenet1_1", "timm:no_such_network"])
    monkeypatch.setattr(index, "INDEX", tmp_path / "own.npz")
    with pytest.raises(Exception, match="no network"):
        index.write_index(tmp_path / "own.npz")
    monkeypatch.setattr(index, "all_sources", lambda: ["torchvision:squeezenet1_1"])
    assert index.write_index(tmp_path / "own.npz") == 1
    index._index.cache_clear()
    try:
        weights = torchvision.models.squeezenet1_1(weights=None, num_classes=3).state_dict()
        assert [one.source for one in candidates(weights)] == ["torchvision:squeezenet1_1"]
    finally:
        index._index.cache_clear()


def test_every_classifier_of_torchvision_is_known():
    known, _ = index._index()
    assert {name for name in index.all_sources() if name.startswith("torchvision:")} <= set(known)


def test_a_network_that_needs_real_tensors_to_be_built_has_a_signature_too():
    weights = torchvision.models.regnet_y_400mf(weights=None, num_classes=8).state_dict()
    assert candidates(weights)[0].source == "torchvision:regnet_y_400mf"
    assert index._signature_of("torchvision:regnet_y_400mf") is not None


def test_a_name_of_half_a_character_is_signed_like_any_other():
    one, two = (signature([(name, (3, 3))]) for name in ("\ud83d.weight", "b.weight"))
    assert one.shape == two.shape
    assert not np.array_equal(one, two)
