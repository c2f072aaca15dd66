"""Networks of a user: a file, foreign weights and a folder of timm, in services, and what is refused."""

import json
from dataclasses import replace

import pytest
import torch
from helpers.own_networks import FILE, add_rgb, file_in, own_folder, timm_folder

from models import checkpoints, get_spec, list_models, load_checkpoint, own_networks
from models.own_networks import OwnNetworkError
from workbench import faces, services
from workbench.demo import responses
from workbench.services import own_networks as adding
from workbench.services.adversarial import adversarial
from workbench.services.compare import comparable


@pytest.fixture
def own(tmp_path, monkeypatch):
    with own_folder(tmp_path, monkeypatch) as folder:
        yield folder


def test_an_rgb_network_for_three_classes_works_in_every_service(own):
    name, face = add_rgb(own), faces.load_sample("astronaut")
    found = services.explain(face, name)
    assert found.prediction.classes == ("calm", "tense", "other")
    assert found.layer == "body"
    assert found.atlas.shape[1:] == (3, 8, 8)
    model, card = load_checkpoint(name)
    wanted = model(card.prepare(face.rgb(32)[None])).softmax(-1)[0]
    assert torch.allclose(services.predict(face, name).probabilities, wanted.detach(), atol=1e-6)
    assert not torch.allclose(model(card.prepare(face.gray(32)[None])).softmax(-1)[0], wanted, atol=1e-6)
    assert comparable(name, ["residual_cnn", name]) == (name,)
    assert services.robustness(face, name, "rotation").probabilities.shape[1] == 3
    assert services.frequency.frequency_response(face, name)
    attacked = adversarial(face, name, "fgsm")
    assert attacked.original.shape == attacked.change.pixels.shape == (3, 32, 32)
    assert torch.equal(attacked.original, services.networks.open_network(name).pixels(face))
    assert torch.allclose(attacked.before.prediction.logits, services.predict(face, name).logits, atol=1e-5)
    assert float(attacked.difference.abs().max()) <= (attacked.change.level or 8) + 1e-3


def test_the_demo_follows_the_card_of_an_rgb_network_for_three_classes(own):
    name, found = add_rgb(own), responses.sample("astronaut")
    assert name in [value for _, value in responses.networks()]
    result = responses.explained(found.face(0), name, "tense")
    assert result.class_ == "tense"
    assert responses.overlaid(result, "gradcam").startswith(b"\x89PNG")
    assert "blank" in responses.note(result, "gradcam") or "evidence for tense" in responses.note(result, "gradcam")
    assert set(responses.probabilities(result.prediction)) == {"calm", "tense", "other"}
    assert len(responses.explain_tab(found, 0, name, responses.PREDICTED, "gradcam")) > 1
    with pytest.raises(ValueError, match="happy"):
        responses.explained(found.face(0), name, "happy")


def test_an_installed_package_registers_its_networks_by_an_entry_point(own, monkeypatch):
    package = own / "site"
    facts = package / "their_networks-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: their-networks\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[ferscope.networks]\ngood = their_networks\nbad = their_missing\n")
    (package / "their_networks.py").write_text(FILE)
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.setattr(own_networks, "_loaded", False)
    assert "user_rgb" in list_models()
    assert own_networks.networks_by_source()["good (package their-networks)"] == ["user_rgb"]
    assert "uninstall the package their-networks" in own_networks.failed()["bad (package their-networks)"]


def test_a_file_is_remembered_and_a_broken_one_closes_no_other(own):
    assert own_networks.add_file(file_in(own)) == ["user_rgb"]
    assert json.loads(own_networks.STORE.read_text())["files"] == [str(own / "my_networks.py")]
    assert "user_rgb" in list_models()
    assert get_spec("user_rgb").paper == ""
    for text, reason in (
        ("1 / 0", "ZeroDivisionError"),
        (FILE, "already registered"),
        ("x = 1", "registers no network"),
    ):
        with pytest.raises(OwnNetworkError, match=reason):
            own_networks.add_file(file_in(own, text, "other.py"))
    with pytest.raises(OwnNetworkError, match=r"it is not there.*add it again"):
        own_networks.add_file(own / "missing.py")
    assert own_networks.remembered().files == (str(own / "my_networks.py"),)
    adding.remove(str(own / "my_networks.py"))
    assert own_networks.remembered().files == ()


def test_a_folder_of_timm_is_added_without_a_network_connection(own):
    source = replace(adding.source_of(str(timm_folder(own / "tiny"))), classes=("a", "b", "c"))
    made = adding.add("tiny", source)
    assert made.match.complete
    assert made.card.channels == 3
    assert made.card.input_size == 64
    assert made.card.mean == (0.485, 0.456, 0.406)
    assert checkpoints.read_card("tiny").overrides["architecture"] == "resnet10t"
    assert services.explain(faces.load_sample("astronaut"), "tiny").extent >= (4, 4)
    adding.remove("tiny")
    assert not (checkpoints.ROOT / "tiny").exists()


def test_what_cannot_be_added_is_refused_with_the_next_step(own):
    for name, reason in (("residual_cnn", "already"), ("../x", "letters"), ("runs", "letters")):
        with pytest.raises(OwnNetworkError, match=reason):
            adding.check_name(name)
    with pytest.raises(OwnNetworkError, match="was not added here"):
        adding.remove("residual_cnn")
    with pytest.raises(OwnNetworkError, match="could not be downloaded"):
        adding.source_of("hf-hub:nobody/nothing")
    with pytest.raises(OwnNetworkError, match="no weights of"):
        adding.source_of("timm:nonsense")
    (own / "empty").mkdir()
    with pytest.raises(ValueError, match=r"config\.json is not there"):
        adding.source_of(str(own / "empty"))
