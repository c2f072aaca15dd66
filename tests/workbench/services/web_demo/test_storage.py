"""ONNX Runtime gives PyTorch's numbers, and the smallest type of the weights that does is chosen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from workbench.faces.yunet import weights
from workbench.services.web_demo.onnx_files import any_size, names_of
from workbench.services.web_demo.storage import Measured, session
from workbench.services.web_demo.tracing import computed

pytestmark = pytest.mark.xdist_group("web-demo")  # they share an export


def test_onnx_runtime_gives_logits_maps_and_attention_of_pytorch(late, exported):
    pixels = torch.rand(1, 1, 32, 32)
    names = names_of(exported.traced)
    assert names == ("logits", "maps", "attention_0", "attention_1", "attention_2", "attention_3")
    found = session(exported.tried[-1].data)(pixels.numpy(), names)
    for mine, wanted in zip(found, computed(late, pixels)[0], strict=True):
        np.testing.assert_allclose(mine, wanted.numpy(), atol=1e-4)


def test_smaller_types_make_smaller_files_and_each_is_compared(exported):
    int8, fp16, fp32 = exported.tried
    assert len(int8.data) < len(fp16.data) < len(fp32.data)
    assert int8.probability > fp16.probability >= fp32.probability
    assert max(fp32.probability, fp32.map) < 1e-5
    assert exported.used is next(found for found in exported.tried if not found.refused)
    assert (exported.used.accuracy, exported.used.points) == (1, 0)
    assert int8.differs
    assert int8.accuracy is None, "measured only where the samples agree"
    assert exported.images == 20


GOOD = Measured("int8", b"", probability=0.005, map=5e-4, accuracy=0.7, points=-0.1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"points": 0.2}, "accuracy differs"),
        ({"points": -0.3}, "accuracy differs"),
        ({"points": None}, "not measured"),
        ({"points": None, "storage": "fp16"}, ""),
        ({"probability": 0.011}, "probabilities differ"),
        ({"map": 2e-3}, "maps differ"),
        ({"map": float("nan")}, "maps differ"),
    ],
)
def test_a_type_is_refused_for_what_differs(change, reason):
    refused = dataclasses.replace(GOOD, **change).refused
    assert (reason in refused) if reason else refused == ""


def test_the_face_detector_takes_images_of_any_size():
    import onnxruntime

    opened = onnxruntime.InferenceSession(any_size(weights()), providers=["CPUExecutionProvider"])
    found = dict(zip((o.name for o in opened.get_outputs()), opened.run(None, {"input": blank(96, 64)}), strict=True))
    assert found["cls_8"].shape == (1, 12 * 8, 1)
    assert found["kps_32"].shape == (1, 3 * 2, 10)


def blank(height: int, width: int) -> np.ndarray:
    return np.zeros((1, 3, height, width), np.float32)
