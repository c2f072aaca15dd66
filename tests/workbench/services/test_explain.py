import sys
from collections import Counter
from dataclasses import replace

import pytest
import torch
from PIL import Image

from workbench import faces, services
from workbench.analysis import attention, cam
from workbench.services import networks
from workbench.services.attention import attention_modules, cam_correlation
from workbench.services.explain import explained, layer_tree
from workbench.services.framing import framed
from workbench.services.prediction import infer
from workbench.services.robustness import occlusion

BAM = "resnet18_bam"


@pytest.fixture
def face():
    return faces.load_sample("astronaut")


@pytest.fixture
def work(face, monkeypatch):
    """How often the face is resized, a network is opened, and the open network runs."""
    counts = Counter()

    def counting(key, function):
        def counted(*args, **kwargs):
            counts[key] += 1
            return function(*args, **kwargs)

        return counted

    model = networks.open_network(BAM).model
    original = networks.open_network
    for name, module in list(sys.modules.items()):
        if name.startswith("workbench.services") and vars(module).get("open_network") is original:
            monkeypatch.setattr(module, "open_network", counting("opened", original))
    monkeypatch.setattr(Image.Image, "resize", counting("resized", Image.Image.resize))
    hook = model.register_forward_hook(lambda *_: counts.update(["passes"]))
    yield counts
    hook.remove()


@pytest.mark.parametrize(
    "call",
    [
        lambda face: services.explain(face, BAM),
        lambda face: services.explain(face, BAM, "sad"),
        lambda face: services.predict(face, BAM),
        lambda face: attention_modules(face, BAM),
        lambda face: cam_correlation(face, BAM),
        lambda face: framed(faces.sample_picture("astronaut"), face.box, BAM),
    ],
    ids=["explain", "explain a class", "predict", "attention", "attention beside CAM", "framed"],
)
def test_one_call_resizes_opens_and_runs_the_network_once(face, work, call):
    call(face)
    assert work == {"resized": 1, "opened": 1, "passes": 1}


def test_trust_and_occlusion_resize_the_face_and_open_the_network_once(face, work):
    services.trust(face, BAM)
    assert (work.pop("resized"), work.pop("opened")) == (1, 1)
    occlusion(face, BAM)
    assert (work["resized"], work["opened"]) == (1, 1)


@pytest.mark.parametrize("network", ["residual_cnn", BAM])
def test_one_pass_gives_what_separate_passes_give(face, network):
    net = networks.open_network(network)
    x = net.prepare(face)
    found = infer(net, x, net.spec.cam_layer)
    torch.testing.assert_close(found.prediction.logits, net.logits(x)[0])
    torch.testing.assert_close(cam.atlas_of(found.activations), cam.atlas(net.model, x, net.spec.cam_layer))
    separate = attention.attention_of(net.model, x, net.spec.attention_layers)
    assert [m.title for m in found.attention] == [m.title for m in separate]
    for ours, theirs in zip(found.attention, separate, strict=True):
        torch.testing.assert_close(ours.values, theirs.values)


def test_anything_but_a_face_is_refused_with_the_way_to_one():
    with pytest.raises(TypeError, match=r"takes a face, not str\. From an image: face = faces\.find"):
        services.explain("photo.jpg")


def test_the_tree_of_layers_has_each_layer_with_maps_below_the_module_around_it():
    tree = {layer.name: (depth, layer) for depth, layer in layer_tree("residual_cnn")}
    net = services.networks.open_network("residual_cnn")
    assert list(tree) == [name for name, _ in net.model.named_modules() if name in tree]
    for name, (depth, layer) in tree.items():
        assert depth == sum(name.startswith(f"{other}.") for other in tree)
        assert min(layer.extent) > 1
    assert tree["stage3"][1].extent == (6, 6)
    assert any(depth > 0 for depth, _ in tree.values())
    assert "classifier" not in tree


def test_of_a_thousand_classes_the_likely_ones_and_the_chosen_one_have_maps(face):
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 1000)
    )
    names = tuple(f"class {i}" for i in range(1000))
    shipped = networks.open_network("residual_cnn")
    net = replace(shipped, model=model.eval(), card=replace(shipped.card, classes=names, metrics={}, temperature=None))
    pixels, x = net.shown_and_input(face)
    order = explained(net, pixels, x, "0").prediction.probabilities.argsort(descending=True)
    found = explained(net, pixels, x, "0", names[order[-1]])
    assert found.mapped == (*(names[i] for i in order[:20]), names[order[-1]])
    assert found.maps().shape == (21, 48, 48)
    right = cam.gradcam(model, x, [int(order[-1])], "0", (48, 48))[0, 0]
    torch.testing.assert_close(found.map_of(names[order[-1]]), right)
