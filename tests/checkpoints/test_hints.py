from __future__ import annotations

import argparse

import pytest
import torch

from zspag_core.checkpoints.hints import hints
from zspag_core.class_names import class_names


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (["cat", "dog"], ["cat", "dog"]),
        (("cat", "dog"), ["cat", "dog"]),
        ({0: "cat", 1: "dog"}, ["cat", "dog"]),
        ({"1": "dog", "0": "cat"}, ["cat", "dog"]),
        ({"dog": 1, "cat": 0}, ["cat", "dog"]),
        ({"10": 0, "9": 1}, ["10", "9"]),
        ({"tench, Tinca tinca": 0, "goldfish": 1}, ["tench, Tinca tinca", "goldfish"]),
        (["cat", "cat"], []),
        ({"cat": 0, "dog": 2}, []),
        ({"cat": 0, "dog": 0}, []),
        ({1: "cat", 2: "dog"}, []),
        ({"cat": "x"}, []),
        ({"cat": None}, []),
        ([1, 2], []),
        (3, []),
        ({}, []),
    ],
)
def test_class_names_are_taken_where_every_output_has_one(value, names):
    assert class_names(value) == names


def test_facts_are_found_at_the_top_and_below_settings():
    payload = {
        "state_dict": {"fc.weight": torch.ones(2, 2), "mean": torch.ones(3)},
        "args": argparse.Namespace(model="resnet18", img_size=32, num_classes=2),
        "meta": {"class_to_idx": {"b": 1, "a": 0}, "mean": (0.5, 0.4, 0.3), "std": [0.2]},
    }
    assert hints(payload) == {
        "arch": "resnet18",
        "image_size": 32,
        "num_classes": 2,
        "class_names": ["a", "b"],
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2],
    }


@pytest.mark.parametrize(
    ("payload", "facts"),
    [
        ({"input_size": [3, 96, 96]}, {"image_size": 96}),
        ({"crop_size": {"height": 24, "width": 24}}, {"image_size": 24}),
        ({"image_size": [32, 64]}, {}),
        ({"image_size": True}, {}),
        ({"image_size": []}, {}),
        ({"image_size": 100_000}, {}),
        ({"image_mean": [0.5], "image_std": [0.5]}, {"mean": [0.5], "std": [0.5]}),
        ({"mean": [123.7, 116.3, 103.5]}, {}),
        ({"mean": [float("nan")] * 3}, {}),
        ({"mean": "0.5"}, {}),
        ({"arch": "resnet18", "args": {"arch": "resnet34"}}, {}),  # two statements that differ
        ({"arch": "  "}, {}),
        ({"num_classes": 0}, {}),
        ([3], {}),
        ("text", {}),
    ],
)
def test_only_facts_with_one_reading_are_taken(payload, facts):
    assert hints(payload) == facts


@pytest.mark.slow
def test_endless_payloads_end():
    loop = {"arch": "vgg11"}
    loop["meta"] = loop
    assert hints(loop) == {"arch": "vgg11"}
    assert hints({f"key{index}": index for index in range(300_000)}) == {}
