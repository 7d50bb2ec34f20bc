from __future__ import annotations

import pytest
import torch

from zspag_core.checkpoints.networks import chosen, copies, networks, readings
from zspag_core.errors import CheckpointError

NET = {"conv.weight": torch.ones(4, 3, 3, 3), "mid.weight": torch.ones(5, 4), "fc.weight": torch.ones(2, 5)}


def _with(prefix, tensors=NET):
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("payload", "routes"),
    [
        (NET, [()]),
        ({"state_dict": NET, "epoch": 3}, [("state_dict",)]),
        ({"run": {"best": {"model": NET}}}, [("run", "best", "model")]),
        ({"module": NET, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}, "lr": 0.1}, [("module",)]),
        ({"generator": NET, "discriminator": NET | {}}, [("generator",), ("discriminator",)]),
        ({"model": NET, "state_dict": NET}, [("model",)]),
        ({"best_acc": torch.tensor(3.0), "net": NET | {"_extra_state": None}}, [("net",)]),
        ({"state_dict": NET, "init_weight": None, "scheduler": {"w": torch.ones(3)}}, [("state_dict",)]),
        (NET | {"epoch": 3}, [()]),
        ({"epoch": 3, "acc": torch.tensor(1.0)}, []),
        ([NET], []),
    ],
)
def test_networks_are_found_wherever_they_are(payload, routes):
    assert list(networks(payload)) == routes


def test_payloads_that_contain_themselves_or_repeat_without_end_are_gone_through_once():
    payload = {"model": NET}
    payload["self"] = payload
    for _ in range(30):
        payload = {"a": payload, "b": payload}
    assert list(networks(payload)) == []  # too deep
    loop = {"state_dict": NET}
    loop["self"] = loop
    assert list(networks(loop)) == [("state_dict",)]


@pytest.mark.parametrize(
    ("names", "entry", "expected"),
    [
        (["state_dict"], None, ("state_dict", None)),
        (["anything"], None, ("anything", None)),
        (["state_dict_ema", "state_dict"], None, ("state_dict", None)),
        (["model", "model_ema", "teacher"], None, ("model", None)),
        (["state_dict", "state_dict_ema"], "state_dict_ema", ("state_dict_ema", None)),
        (["a", "b"], "b.net", ("b", "net")),
        (["state_dict"], "net", ("state_dict", "net")),
        (["state_dict", "best"], "net", ("state_dict", "net")),
    ],
)
def test_the_usual_or_the_named_network_is_chosen(names, entry, expected):
    route, rest = chosen({(name,): NET for name in names}, entry)
    assert (".".join(route), rest) == expected


@pytest.mark.parametrize("names", [["generator", "discriminator"], ["model", "net"]])
def test_which_of_several_networks_is_asked(names):
    found = {(name,): NET for name in names}
    with pytest.raises(CheckpointError, match=rf"several networks: {', '.join(names)}; .* --entry {names[0]}"):
        chosen(found, None)
    with pytest.raises(CheckpointError, match=rf"no network called 'other'; it holds {', '.join(names)}"):
        chosen(found, "other")


@pytest.mark.parametrize(
    ("prefix", "first", "others"),
    [
        ("", "", []),
        ("module.", "", ["module."]),
        ("_orig_mod.module.", "", ["module.", "_orig_mod.module."]),
        ("model.net.", "", ["net.", "model.net."]),
        ("backbone.", "backbone.", [""]),
        ("module.backbone.body.", "backbone.body.", ["body.", "", "module.backbone.body."]),
    ],
)
def test_known_prefixes_are_dropped_and_shared_words_are_other_readings(prefix, first, others):
    found, notes = readings(_with(prefix), None)
    assert [list(reading.values()) for reading in found] == [list(_with(word)) for word in (first, *others)]
    assert all(list(reading) == list(_with(prefix)) for reading in found)
    assert notes == []


def test_words_in_the_middle_of_names_are_dropped():
    tensors = {"model._orig_mod.a.weight": torch.ones(2), "model._orig_mod.b._fsdp_wrapped_module.c": torch.ones(3)}
    assert list(readings(tensors, None)[0][0].values()) == ["a.weight", "b.c"]
    tensors = {"features.module.0.weight": torch.ones(9, 2), "classifier.weight": torch.ones(3, 2)}
    found, _ = readings(tensors, None)
    assert [list(reading.values()) for reading in found] == [
        ["features.module.0.weight", "classifier.weight"],
        ["features.0.weight", "classifier.weight"],
    ]


def test_names_that_would_fall_together_stay():
    tensors = {"a._orig_mod.w": torch.ones(2), "a.w": torch.ones(2)}
    assert list(readings(tensors, None)[0][0].values()) == list(tensors)


def test_counters_are_left_aside_with_a_note():
    tensors = _with("module.") | {"n_averaged": torch.tensor(3), "module.conv.total_ops": torch.zeros(1)}
    found, notes = readings(tensors, None)
    assert list(found[0].values()) == list(NET)
    assert notes == ["left aside, because they belong to no layer: n_averaged, module.conv.total_ops"]


def test_losses_and_measures_beside_the_network_are_left_aside():
    tensors = _with("model.") | {"criterion.weight": torch.ones(3), "val_acc.confmat": torch.ones(3, 3)}
    found, notes = readings(tensors, None)
    assert list(found[0].values()) == list(NET)
    assert notes == ["beside the network, and left aside: criterion, val_acc"]
    assert list(tensors) in [list(reading.values()) for reading in found]


def test_a_head_beside_the_wrapped_network_belongs_to_it():
    tensors = _with("model.") | {"head.weight": torch.ones(3, 3)}
    found, notes = readings(tensors, None)
    assert (list(found[0].values()), notes) == (list(tensors), [])
    assert list(NET) in [list(reading.values()) for reading in found]


def test_networks_side_by_side_are_asked_for_and_can_be_named():
    tensors = _with("net.") | _with("ema.")
    with pytest.raises(CheckpointError, match=r"several networks: net, ema; .* --entry net"):
        readings(tensors, None)
    found, notes = readings(tensors, "ema")
    assert found[0] == {f"ema.{name}": name for name in NET}
    assert notes == ["beside the network, and left aside: net"]
    with pytest.raises(CheckpointError, match=r"no tensor's name begins with 'other\.'; they begin with ema, net"):
        readings(tensors, "other")


AVERAGE = _with("ema.module.") | {"ema.n_averaged": torch.tensor(3)}


@pytest.mark.parametrize(
    ("tensors", "asked"),
    [
        (_with("net._orig_mod.") | AVERAGE, ["net", "ema"]),
        (
            _with("lit.net.module.") | _with("lit.ema.") | {"lit.criterion.weight": torch.ones(3)},
            ["lit.net", "lit.ema"],
        ),
        (
            _with("net.") | _with("ema.online_model.") | _with("ema.ema_model.") | {"ema.step": torch.tensor(1)},
            ["net", "ema.online_model", "ema.ema_model"],
        ),
        (_with("model.student.") | _with("model.teacher.backbone."), ["model.student", "model.teacher"]),
    ],
)
def test_networks_are_told_by_what_stands_below_any_wrappers(tensors, asked):
    with pytest.raises(CheckpointError, match=rf"several networks: {', '.join(asked)}; .* --entry {asked[0]}$"):
        readings(tensors, None)
    for entry in (*asked, asked[0].rpartition(".")[2]):
        found, _ = readings(tensors, entry)
        assert list(NET) in [list(reading.values()) for reading in found]
        assert all("." in name for name in found[0])


def test_a_network_without_a_prefix_is_taken_before_its_average():
    found, notes = readings(NET | AVERAGE, None)
    assert found[0] == {name: name for name in NET}
    assert notes[-1] == "beside the network, and left aside: ema, had with --entry ema"
    assert readings(NET | AVERAGE, "ema")[0][0] == {f"ema.module.{name}": name for name in NET}


@pytest.mark.parametrize(
    "tensors",
    [
        _with("block1.") | _with("block2."),  # numbered
        _with("left.") | _with("right.") | {"head.weight": torch.ones(2, 2)},  # and a head
        {"conv2.weight": torch.ones(3, 3), "conv3.weight": torch.ones(3, 3), "fc.weight": torch.ones(1, 3)},
        {"query.weight": torch.ones(3, 3), "key.weight": torch.ones(3, 3)},  # too small for networks
    ],
)
def test_equal_parts_of_one_network_are_not_taken_for_several(tensors):
    found, _ = readings(tensors, None)
    assert list(found[0].values()) == list(tensors)


def test_copies_are_found_only_where_everything_is_there():
    tensors = _with("net.") | _with("ema.module.") | {"other.fc.weight": torch.ones(2, 5)}
    taken = {f"net.{name}": name for name in NET}
    assert copies(tensors, taken) == {f"ema.module.{name}": name for name in NET}
    assert copies(tensors | {"ema.module.fc.weight": torch.ones(9, 5)}, taken) == {}
    assert copies(NET, {name: name for name in NET}) == {}
    assert copies(NET | AVERAGE, {f"ema.module.{name}": name for name in NET}) == {name: name for name in NET}
    compiled = _with("net.") | {f"ema.{name.replace('.', '._orig_mod.')}": tensor for name, tensor in NET.items()}
    assert list(copies(compiled, taken).values()) == list(NET), "whatever torch.compile put into the names"
