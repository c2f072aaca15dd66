"""Weights of other programs: containers and prefixes are removed, and nothing is unpickled."""

import argparse
import zipfile
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from models import foreign_weights
from models.foreign_weights import WeightsError, match, read_weights
from models.outputs import logits_in


def small() -> dict[str, torch.Tensor]:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 3)).state_dict()


@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "net.", "backbone.", "module.model.", "_orig_mod.module.", "a.cnn."]
)
@pytest.mark.parametrize("container", [None, "state_dict", "model_state_dict", "model"])
def test_containers_and_prefixes_are_removed(tmp_path, prefix, container):
    state = {prefix + name: value for name, value in small().items()} | {"loss.weight": torch.ones(3)}
    torch.save({container: state, "epoch": 3} if container else state, tmp_path / "best.pth")
    found = match(read_weights(tmp_path / "best.pth"), small())
    assert found.complete
    assert found.prefix == prefix
    assert found.unexpected == ("loss.weight",)
    assert len(found.matched) == len(small())


def test_missing_and_misshapen_weights_are_named(tmp_path):
    state = {**small(), "2.weight": torch.ones(7, 2)}
    del state["0.bias"], state["1.num_batches_tracked"]
    safetensors.torch.save_file(state, tmp_path / "best.safetensors")
    found = match(read_weights(tmp_path / "best.safetensors"), small())
    assert not found.complete
    assert found.missing == ("0.bias",)
    assert found.other_shapes == {"2.weight": ((7, 2), (3, 2))}


def test_a_wrapper_with_a_head_of_its_own_name_loses_nothing():
    state = {("head." if name.startswith("2.") else "backbone.") + name: value for name, value in small().items()}
    found = match(state, small())
    assert (found.prefix, found.complete, found.unexpected) == ("backbone.", True, ())


def test_numbers_and_options_beside_the_weights_do_no_harm(tmp_path):
    beside = {"acc": np.float64(71.2), "epoch": np.int64(3), "args": argparse.Namespace(lr=0.1)}
    torch.save({"state_dict": small(), **beside}, tmp_path / "best.pth")
    assert read_weights(tmp_path / "best.pth").keys() == small().keys()


class Trap:
    def __reduce__(self):
        return (print, ("run",))


def test_a_pickle_with_objects_is_refused_and_not_run(tmp_path, capsys):
    torch.save({"state_dict": small(), "trap": Trap()}, tmp_path / "best.ckpt")
    with pytest.raises(WeightsError, match="can run any code"):
        read_weights(tmp_path / "best.ckpt")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [("a.pth", b"nonsense", "damaged|can run any"), ("a.safetensors", b"x", "damaged"), ("a.onnx", b"x", "no file of")],
)
def test_a_damaged_or_other_file_is_refused_with_the_reason(tmp_path, name, data, reason):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WeightsError, match=reason):
        read_weights(tmp_path / name)


def test_a_file_that_unpacks_to_more_than_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign_weights, "_MOST_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", bytes(10_000))
    with pytest.raises(WeightsError, match="larger than"):
        read_weights(tmp_path / "a.pth")


@dataclass
class Output:
    features: torch.Tensor
    logits: torch.Tensor


def test_logits_are_found_in_tuples_dicts_and_dataclasses():
    logits, features = torch.zeros(2, 3), torch.zeros(2, 8)
    pair = namedtuple("pair", "a b")
    for returned in (
        (logits, None),
        [features, logits],
        {"y": logits},
        Output(features, logits),
        pair(features, logits),
    ):
        assert logits_in(returned, 3) is logits
    assert logits_in((logits, logits + 1), 3, "0") is logits
    assert logits_in({"a": logits, "b": features}, 3, "a") is logits
    with pytest.raises(ValueError, match=r"0: \(B, 3\), 1: \(B, 3\): 2 of them"):
        logits_in((logits, logits), 3)
    with pytest.raises(ValueError, match='no tensor named "c"'):
        logits_in({"a": logits}, 3, "c")
