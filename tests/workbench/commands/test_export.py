"""`ferscope export`: what is written gives PyTorch's numbers, in ONNX Runtime, TorchScript, timm and FERScope."""

from __future__ import annotations

import base64
import dataclasses
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from helpers.checkpoint_folders import CARD, LABELS, knows
from torch import nn

from models import create_model, load_checkpoint
from models.checkpoints import save_checkpoint
from models.layers.svd_attention import SVDAttention
from models.metrics import measure
from workbench.commands import export
from workbench.commands.export import graph
from workbench.commands.export.errors import ExportError

IMAGES = np.random.default_rng(1).integers(0, 256, (3, 50, 61), np.uint8)


@pytest.fixture
def checkpoint(tmp_path):
    """Write a checkpoint of a network with random weights; returns its folder."""

    def make(network="vanilla_cnn", **overrides):
        torch.manual_seed(0)
        metrics = {
            part: {"plain": measure(knows(range(5)), LABELS, CARD.classes)} for part in ("PublicTest", "PrivateTest")
        }
        card = dataclasses.replace(CARD, network=network, overrides=overrides, temperature=1.5, metrics=metrics)
        save_checkpoint(tmp_path / "mine", create_model(network, **overrides), card)
        return tmp_path / "mine"

    return make


def of_pytorch(folder, images=IMAGES, temperature=None):
    """Logits and calibrated probabilities, preprocessed as everywhere in FERScope."""
    model, card = load_checkpoint(folder)
    with torch.no_grad():
        logits = model(card.prepare(images))
    return logits, (logits / (temperature or card.temperature)).softmax(-1)


def test_onnx_runtime_gives_pytorchs_numbers_from_raw_images(checkpoint, tmp_path, capsys):
    folder, out = checkpoint(width=8), tmp_path / "x.onnx"
    export.main([str(folder), "--to", "onnx", "--out", str(out)])
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    found = session.run(["logits", "probabilities"], {"image": IMAGES[:, None]})
    for mine, theirs in zip(found, of_pytorch(folder), strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-4)
    metadata = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert json.loads(metadata["classes"]) == list(CARD.classes)
    assert "largest difference from PyTorch" in capsys.readouterr().out


@pytest.fixture
def svd_network():
    """A network of a convolution and SVD attention, that takes no time to export."""
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 2, 3), SVDAttention(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 7)
    return nn.Sequential(*layers).eval()


def test_svd_attention_cannot_be_onnx_and_the_error_names_the_operator(svd_network, tmp_path):
    with pytest.raises(ExportError, match=r"its operator aten\._linalg_svd has no counterpart in ONNX\. Use --to"):
        graph.write_onnx(svd_network, CARD, tmp_path / "x.onnx", "float32")
    assert not list(tmp_path.iterdir())
    assert torch.isfinite(svd_network(torch.randn(2, 1, 32, 32))).all()  # no constant of the tracing stays in its cache


def test_torchscript_has_svd_attention_and_preprocessing(svd_network, tmp_path):
    graph.write_torchscript(svd_network, CARD, tmp_path / "x.pt", "float32")
    extra = {"classes.json": ""}
    logits, _ = torch.jit.load(tmp_path / "x.pt", _extra_files=extra)(torch.from_numpy(IMAGES)[:, None].float())
    with torch.no_grad():
        torch.testing.assert_close(logits, svd_network(CARD.prepare(IMAGES)), atol=1e-4, rtol=1e-4)
    assert json.loads(extra["classes.json"]) == list(CARD.classes)


def test_a_graph_that_differs_from_pytorch_is_not_written(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "difference", lambda found, wanted: float("nan"))
    with pytest.raises(SystemExit, match="differs from PyTorch by nan, so it was not written"):
        export.main([str(checkpoint()), "--to", "torchscript", "--out", str(tmp_path / "x.pt")])
    assert not (tmp_path / "x.pt").exists()


def test_hub_folder_loads_again_and_its_model_card_has_the_results(checkpoint, tmp_path):
    folder, out = checkpoint(), tmp_path / "hub"
    export.main([str(folder), "--to", "hub-folder", "--out", str(out), "--license", "mit"])
    torch.testing.assert_close(of_pytorch(out), of_pytorch(folder), atol=0, rtol=0)
    assert load_checkpoint(out)[1] == load_checkpoint(folder)[1]
    _, header, body = (out / "README.md").read_text().split("---\n", 2)
    found = yaml.safe_load(header)
    assert (found["library_name"], found["license"], found["pipeline_tag"]) == (
        "ferscope",
        "mit",
        "image-classification",
    )
    results = found["model-index"][0]["results"][0]
    assert results["dataset"]["split"] == "PrivateTest"
    assert {m["type"]: m["value"] for m in results["metrics"]}["accuracy"] == pytest.approx(5 / 7, abs=1e-4)
    assert "| PrivateTest | plain | 71.4 % (" in body
    assert "not what a person feels" in body


def test_timm_loads_the_folder_and_gives_the_same_logits(checkpoint, tmp_path):
    import timm

    folder, out = checkpoint("efficientnet_lite0"), tmp_path / "timm"
    export.main([str(folder), "--to", "timm", "--out", str(out)])
    model = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
    ours, card = load_checkpoint(folder)
    with torch.no_grad():
        torch.testing.assert_close(model(card.prepare(IMAGES)), ours(card.prepare(IMAGES)), atol=1e-4, rtol=1e-4)
    assert list(model.pretrained_cfg["mean"]) == [card.mean]
    assert tuple(model.pretrained_cfg["input_size"]) == (1, card.input_size, card.input_size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vulpe_cnn", "--to", "onnx"], 'A checkpoint of "vulpe_cnn" is not there: it is not trained yet'),
        (["residual_cnn", "--to", "onnx", "--push", "me/it"], "--push uploads a folder: use --to hub-folder"),
        (["residual_cnn", "--to", "timm"], "timm has no residual_cnn, only efficientnet_lite0"),
    ],
)
def test_errors_say_what_to_do(arguments, message):
    with pytest.raises(SystemExit, match=message):
        export.main(arguments)


class Hub(BaseHTTPRequestHandler):
    """The part of the Hub's API that an upload of small files calls."""

    files: dict[str, bytes]
    created: dict

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/repos/create":
            type(self).created = json.loads(body)
            self.reply({"url": f"http://127.0.0.1:{self.server.server_port}/me/faces", "id": "1"})
        elif self.path.endswith("/preupload/main"):
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]
            ]
            self.reply({"files": files})
        elif self.path.endswith("/commit/main"):
            lines = [json.loads(line) for line in body.splitlines()]
            for line in lines:
                if line["key"] == "file":
                    type(self).files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.reply({"commitUrl": "http://127.0.0.1/me/faces/commit/1", "commitOid": "1", "success": True})
        else:
            self.reply({"valid": True, "warnings": [], "errors": []})

    def do_GET(self):
        self.reply({"id": "me/faces", "siblings": []})

    def reply(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def hub(monkeypatch) -> Iterator[type[Hub]]:
    """A local server in place of the Hub."""
    Hub.files, Hub.created = {}, {}
    server = HTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)  # this computer is reached all the same
    of_stub = lambda: huggingface_hub.hf_api.HfApi(endpoint=endpoint, token="hf_stub")  # noqa: E731
    monkeypatch.setattr(huggingface_hub, "HfApi", of_stub)
    yield Hub
    server.shutdown()
    thread.join()
    server.server_close()


def test_push_uploads_the_files_of_the_folder_and_no_others(checkpoint, tmp_path, hub, capsys):
    out = tmp_path / "hub"
    out.mkdir()
    (out / "private.txt").write_text("not to be uploaded")
    export.main([str(checkpoint()), "--to", "hub-folder", "--out", str(out)])
    assert not hub.files
    arguments = [str(tmp_path / "mine"), "--to", "hub-folder", "--out", str(out), "--push", "me/faces", "--private"]
    export.main(arguments)
    assert hub.files == {name: (out / name).read_bytes() for name in ("README.md", "card.json", "model.safetensors")}
    assert hub.created["name"] == "faces"
    assert "me/faces" in capsys.readouterr().out


def test_rgb_networks_of_timm_are_exported_with_their_three_channels(tmp_path):
    torch.manual_seed(0)
    overrides = {"architecture": "resnet10t"}
    card = dataclasses.replace(
        CARD, network="timm", overrides=overrides, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), metrics={}, input_size=32
    )
    save_checkpoint(tmp_path / "mine", create_model("timm", **overrides), card)
    images = np.random.default_rng(1).integers(0, 256, (2, 40, 50, 3), np.uint8)
    logits = of_pytorch(tmp_path / "mine", images, temperature=1.0)[0]
    for to, name in (("torchscript", "x.pt"), ("hub-folder", "hub"), ("timm", "timm")):
        export.main([str(tmp_path / "mine"), "--to", to, "--out", str(tmp_path / name)])
    found = torch.jit.load(tmp_path / "x.pt")(torch.from_numpy(images).permute(0, 3, 1, 2))[0]
    torch.testing.assert_close(found, logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(of_pytorch(tmp_path / "hub", images, temperature=1.0)[0], logits)
    config = json.loads((tmp_path / "timm" / "config.json").read_text())
    assert config["pretrained_cfg"]["input_size"] == [3, 32, 32]
    assert "mean 0.5000, 0.4000, 0.3000" in (tmp_path / "hub" / "README.md").read_text()
