"""An architecture of ours with three input channels works in every service, in color or with the luminance."""

from dataclasses import replace

import pytest
import torch
from helpers.own_networks import own_folder
from torch import nn

from models import checkpoints, create_model, load_checkpoint
from models.checkpoints import read_card
from workbench import faces, services
from workbench.commands import export
from workbench.services.adversarial import adversarial
from workbench.services.video import Watch

NETWORK, OVERRIDES = "multibranch_dsc_cbam", {"channels": 3, "filters": 8}


@pytest.fixture(params=[False, True], ids=["trained on RGB", "trained on gray"])
def rgb(request, tmp_path, monkeypatch):
    card = replace(
        read_card("residual_cnn"),
        network=NETWORK,
        overrides=OVERRIDES,
        input_size=32,
        metrics={},
        gray_images=request.param,
        **({} if request.param else {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)}),
    )
    with own_folder(tmp_path, monkeypatch):
        torch.manual_seed(0)
        model = create_model(NETWORK, **OVERRIDES)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0  # statistics of the batch, without which every image has the same logits
        model(torch.randn(8, 3, 32, 32))
        checkpoints.save_checkpoint(checkpoints.ROOT / "rgb", model, card)
        yield "rgb"


def test_an_architecture_with_three_channels_works_in_every_service(rgb, tmp_path):
    (model, card), face = load_checkpoint(rgb), faces.load_sample("astronaut")
    wanted = services.predict(face, rgb).logits
    with torch.no_grad():
        found = [model(card.prepare(pixels[None]))[0] for pixels in (face.rgb(32), face.gray(32))]
    assert torch.allclose(found[1 - card.color], wanted, atol=1e-4)
    assert torch.allclose(*found, atol=2e-2) is not card.color  # otherwise only the luminance counts, but for rounding

    explanation = services.explain(face, rgb)
    assert explanation.atlas.isfinite().all()
    assert explanation.pixels.shape == (32, 32)
    assert len(services.attention.attention_modules(face, rgb).modules) == 3
    assert services.frequency.frequency_response(face, rgb)
    assert services.svd.rank_predictions(face, rgb)
    assert services.robustness(face, rgb, "rotation").probabilities.isfinite().all()
    assert adversarial(face, rgb, "fgsm").original.shape == (3 if card.color else 1, 32, 32)
    seen = Watch.live(rgb).see(faces.sample_picture("astronaut"), 0.0).main
    torch.testing.assert_close(seen.probabilities, services.predict(seen.face, rgb).probabilities, atol=1e-4, rtol=0)

    export.main(["rgb", "--to", "torchscript", "--out", str(tmp_path / "rgb.pt")])
    image = torch.from_numpy(face.rgb(32)).permute(2, 0, 1)[None]
    torch.testing.assert_close(torch.jit.load(tmp_path / "rgb.pt")(image)[0], found[0][None], atol=1e-3, rtol=1e-3)
