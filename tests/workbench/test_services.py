import dataclasses
import shutil
import subprocess
import sys
from collections import OrderedDict

import pytest
import torch

from models import checkpoints, create_model, get_spec, list_models
from models.footprint import weight_bytes
from workbench import faces, services
from workbench.analysis import cam
from workbench.analysis.cam import METHODS
from workbench.services import networks
from workbench.services.explain import TRUST_PASSES, map_by_layer, map_by_method, seconds_by_method
from workbench.services.explain import layers as layers_of
from workbench.services.robustness import occlusion


@pytest.fixture
def face():
    return faces.load_sample("astronaut")


@pytest.mark.parametrize("network", list_models())
def test_every_network_explains_a_face(face, network):
    result = services.explain(face, network)
    k, s = len(result.prediction.classes), services.networks.open_network(network).input_size
    if get_spec(network).cam_layer is None:
        assert result.layer is result.atlas is None
        with pytest.raises(ValueError, match="no layer"):
            result.maps()
    else:
        assert result.atlas.shape == (6, k, *result.extent)
        assert not result.atlas.requires_grad
        for method in METHODS:
            assert result.maps(method).shape == (k, s, s)
            assert result.maps(method).min() >= 0
    model = services.networks.open_network(network).model
    assert result.inner == getattr(model, "side", None)
    assert get_spec(network).class_branches == hasattr(model, "class_branches")
    assert result.pixels.shape == (s, s)
    assert result.class_ == result.prediction.predicted
    assert result.prediction.probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    assert {found.layer for found in result.attention} == set(get_spec(network).attention_layers)
    assert result.frequencies.original.shape == (s, s)
    assert len(result.spectrum.sigma) == s


def test_the_default_network_is_trained_and_calls_the_smiling_astronaut_happy(face):
    prediction = services.predict(face)
    assert prediction.trained
    assert prediction.predicted == "happy"


def test_probabilities_are_calibrated_with_the_temperature_of_the_card(face):
    card = services.networks.open_network(services.networks.DEFAULT_NETWORK).card
    prediction = services.predict(face)
    assert card.temperature != 1
    torch.testing.assert_close(prediction.probabilities, (prediction.logits / card.temperature).softmax(0))


def test_the_app_sees_a_face_as_the_evaluation_does(face):
    net = services.networks.open_network(services.networks.DEFAULT_NETWORK)
    gray = face.gray(net.input_size)
    torch.testing.assert_close(net.prepare(face), net.card.prepare(gray[None]))
    torch.testing.assert_close(net.see(face) * 255, torch.from_numpy(gray).float())


def test_a_class_that_does_not_exist_is_named(face):
    with pytest.raises(ValueError, match='class_="bored"'):
        services.explain(face, class_="bored")


def test_the_map_of_a_class_is_that_of_its_index(face):
    result = services.explain(face, class_="sad")
    assert result.class_ == "sad"
    index = result.prediction.classes.index("sad")
    assert torch.equal(result.map_of("sad", "layercam"), result.maps("layercam")[index])
    net = services.networks.open_network("residual_cnn")
    expected = cam.gradcam(net.model, net.prepare(face), [index], net.spec.cam_layer, (48, 48))
    torch.testing.assert_close(result.map_of("sad"), expected[0, 0])


def test_an_unknown_network_raises_with_the_nearest_names(face):
    with pytest.raises(ValueError, match="residual_cnn"):
        services.predict(face, "residual_net")


@pytest.mark.parametrize("form", ["{}", "./{}", "{}/", "checkpoints/../{}", "file://{}"])
def test_a_name_of_a_network_is_never_a_path(face, form, tmp_path, monkeypatch):
    shutil.copytree(checkpoints.ROOT / services.networks.DEFAULT_NETWORK, tmp_path / "evil")
    monkeypatch.chdir(tmp_path)
    name = form.format(tmp_path / "evil" if form in ("{}", "file://{}") else "evil/.")
    for function in (
        services.networks.get_spec,
        services.networks.is_trained,
        services.networks.open_network,
        services.networks.folder_of,
    ):
        with pytest.raises(ValueError, match="is not a n"):
            function(name)
    with pytest.raises(ValueError, match="is not a network"):
        services.explain(face, name)


def test_results_cannot_be_changed(face):
    with pytest.raises(dataclasses.FrozenInstanceError):
        services.predict(face).logits = None


def test_the_default_network_stands_first():
    assert services.networks.network_names()[0] == services.networks.DEFAULT_NETWORK


def test_a_network_is_opened_once_and_again_when_its_checkpoint_changes(tmp_path, monkeypatch):
    card = services.networks.open_network("residual_cnn").card
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    untrained = services.networks.open_network("residual_cnn")
    assert not untrained.trained
    assert services.networks.open_network("residual_cnn") is untrained
    before = services.networks.weights_changed()
    checkpoints.save_checkpoint(tmp_path / "residual_cnn", create_model("residual_cnn"), card)
    networks._opened.clear()  # as where many others were opened meanwhile
    assert services.networks.open_network("residual_cnn").trained
    assert services.networks.weights_changed() == before + 1


def test_random_weights_are_the_same_each_time_and_leave_the_generator_alone(tmp_path, monkeypatch, face):
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    services.networks._opened.clear()
    first = services.predict(face, "vanilla_cnn").logits
    assert torch.equal(torch.rand(1), expected)
    services.networks._opened.clear()
    assert torch.equal(services.predict(face, "vanilla_cnn").logits, first)


def test_high_and_low_make_up_what_the_network_sees(face):
    parts = services.frequency.frequencies(face, cutoff=0.1)
    pixels = services.networks.open_network(services.networks.DEFAULT_NETWORK).see(face)
    torch.testing.assert_close(parts.original, pixels, atol=1e-6, rtol=0)


def test_all_components_give_the_image_back(face):
    result = services.svd.spectrum(face, k=48)
    torch.testing.assert_close(result.approximation, result.pixels, atol=1e-4, rtol=0)
    assert result.energy[-1] == pytest.approx(1)
    assert (result.sigma.diff() <= 0).all()


# ---- frequencies and singular values


def test_the_prediction_for_all_low_frequencies_is_nearly_that_for_the_whole_face(face):
    response = services.frequency.frequency_response(face, steps=8)
    assert response.low.shape == response.high.shape == (8, 7)
    torch.testing.assert_close(response.whole, services.predict(face).probabilities, atol=1e-5, rtol=1e-4)
    # Beyond 0.5 only the corners of the spectrum are missing.
    assert (response.low[-1] - response.whole).abs().max() < 0.1
    assert (response.low[0] - response.whole).abs().max() > 0.2
    torch.testing.assert_close(response.low.sum(1), torch.ones(8))


def test_high_frequencies_of_color_channels_are_similar_and_of_gray_equal(face):
    colors = services.frequency.channels(face, 0.1)
    assert colors.high.shape == (3, 96, 96)
    assert colors.correlation.min() > 0.9
    gray = dataclasses.replace(face, picture=face.picture.convert("L").convert("RGB"))
    torch.testing.assert_close(services.frequency.channels(gray, 0.1).correlation, torch.ones(3, 3))


def test_the_last_term_is_what_the_rank_gains(face):
    fewer, more = services.svd.spectrum(face, k=5), services.svd.spectrum(face, k=6)
    inside = (more.approximation > 0) & (more.approximation < 1) & (fewer.approximation > 0) & (fewer.approximation < 1)
    gained = (more.approximation - fewer.approximation)[inside]
    torch.testing.assert_close(gained, more.term[inside], atol=1e-4, rtol=1e-3)


def test_networks_with_svd_attention_are_found_by_what_they_are_made_of():
    assert set(services.svd.svd_networks()) == {name for name in list_models() if "svd" in name}
    assert services.networks.open_network("residual_cnn").svd_layers == ()
    assert services.networks.open_network("resnet18_svd_hfc").svd_layers == tuple(f"attention.{i}" for i in range(4))


def test_svd_attention_hands_out_the_steps_of_one_module(face):
    steps = services.svd.svd_attention(face, "efficientnet_lite0_svd_hfc", "attention.3")
    assert steps.a.shape == (1, 1, 12, 12)
    assert steps.sigma_h.shape == (1, 12)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda face: services.frequency.frequencies(face, cutoff=1.5), "cutoff"),
        (lambda face: services.frequency.frequencies(face, cutoff=-0.1), "cutoff"),
        (lambda face: services.frequency.frequencies(face, mask="square"), "mask"),
        (lambda face: services.frequency.channels(face, cutoff=2.0), "cutoff"),
        (lambda face: services.frequency.frequency_response(face, mask="box"), "mask"),
        (lambda face: services.svd.spectrum(face, k=49), "k"),
        (lambda face: services.svd.spectrum(face, k=0), "k"),
        (lambda face: services.svd.svd_attention(face, "residual_cnn", "stage1"), "layer"),
    ],
)
def test_a_wrong_argument_is_named(face, call, name, unchecked):
    with pytest.raises(ValueError, match=f"{name}="):
        call(face)


def test_what_a_module_brought_is_measured_on_the_same_images():
    for gain in services.svd.gains():
        found = {gain.network: gain.accuracy, gain.plain: gain.plain_accuracy}
        recipe = {"efficientnet_lite0": "transfer", "resnet18": "scratch"}.get(gain.plain, "short")
        runs = [
            name if checkpoints.checkpoint_folder(name).is_dir() else f"{name}-{recipe}-official-s0" for name in found
        ]
        if gain.normalize:
            runs[0] = f"{gain.network}-normalize.True-{recipe}-official-s0"
        there = [(checkpoints.checkpoint_folder(name) / "predictions.npz").is_file() for name in runs]
        assert there == [accuracy is not None for accuracy in found.values()], "no figure without a run"
        if not all(there):
            assert gain.difference is None
            continue
        a, b = (checkpoints.read_predictions(name, "PrivateTest") for name in runs)
        assert torch.equal(a.labels, b.labels)
        right = [(p.logits.argmax(1) == p.labels).double().mean() for p in (a, b)]
        difference = right[0] - right[1]
        assert [value for value, _, _ in found.values()] == pytest.approx([float(share) for share in right])
        assert gain.difference[0] == pytest.approx(float(difference), abs=1e-8)
        assert gain.difference[1] <= gain.difference[0] <= gain.difference[2]
        assert gain.reported is None or -0.01 < gain.reported < 0.01


def test_only_the_networks_requested_last_stay_open(monkeypatch):
    monkeypatch.setattr(services.networks, "_KEPT_OPEN", 2)
    first = services.networks.open_network("residual_cnn")
    services.networks.open_network("vanilla_cnn")
    assert services.networks.open_network("residual_cnn") is first
    services.networks.open_network("five_layer_cnn")
    assert set(services.networks._opened) == {"residual_cnn", "five_layer_cnn"}


def test_networks_are_closed_when_their_weights_fill_the_memory_given_to_them(monkeypatch):
    monkeypatch.setattr(services.networks, "_opened", OrderedDict())
    first = services.networks.open_network("residual_cnn")
    monkeypatch.setattr(services.networks, "_KEPT_BYTES", weight_bytes(first.model) + 10)
    services.networks.open_network("five_layer_cnn")
    assert set(services.networks._opened) == {"five_layer_cnn"}, "one that is too large alone stays while it is used"


# ---- compare, trust, robustness, uncertainty


def test_networks_are_compared_by_the_maps_of_one_class_at_one_size(face):
    found = services.compare(face, ["residual_cnn", "inception_v3", "ensemble"], "sad")
    assert found.networks == ("residual_cnn", "inception_v3", "ensemble")
    assert {e.class_ for e in found.explanations} == {"sad"}
    side = max(services.networks.open_network(n).input_size for n in found.networks)
    assert found.maps.shape == (3, side, side)
    assert found.maps[2].max() == 0, "the ensemble has no layer for maps"
    assert torch.equal(found.maps[0], services.explain(face, "residual_cnn").map_of("sad"))
    assert found.correlation[0, 0] == pytest.approx(1)
    assert torch.equal(found.correlation[0, 1], found.correlation[1, 0])
    assert found.correlation[2].isnan().all()


def test_without_a_class_the_first_networks_prediction_is_compared(face):
    found = services.compare(face, ["residual_cnn", "residual_cnn"])
    assert found.class_ == "happy"
    assert found.agree
    assert found.correlation.min() == pytest.approx(1)


def test_one_network_is_not_a_comparison(face):
    with pytest.raises(ValueError, match="two networks or more"):
        services.compare(face, ["residual_cnn"])


def test_the_trust_in_a_map_is_reported_with_reasons_and_progress(face):
    told = []
    found = services.trust(face, progress=lambda done, total: told.append((done, total)))
    assert found.badge.level in ("faithful", "weak", "not faithful")
    assert len(found.badge.reasons) == 3
    net = services.networks.open_network("residual_cnn")
    own = cam.gradcam(net.model, net.prepare(face), [net.classes.index("happy")], net.spec.cam_layer)[0, 0]
    torch.testing.assert_close(found.map, own)
    shares = [done / total for done, total in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.parametrize("network", ["residual_cnn", "resnet18_bam", "rarn"])
def test_the_map_by_layer_is_that_of_the_page_at_the_layer_of_the_page(face, network):
    layers, page = layers_of(network), services.explain(face, network)
    assert page.layer in [layer.name for layer in layers]
    assert next(layer for layer in layers if layer.name == page.layer).extent == page.extent
    assert len({layer.extent for layer in layers}) == len(layers) > 2
    for layer in layers:
        found = map_by_layer(face, network, page.class_, layer.name)
        assert found.shape == page.pixels.shape
        assert found.min() >= 0
        if layer.name == page.layer:
            torch.testing.assert_close(found, page.map_of(page.class_), atol=1e-4, rtol=1e-4)


def test_a_network_without_maps_has_no_layers(face):
    assert layers_of("ensemble") == ()


def test_the_map_by_method_is_that_of_the_page_for_a_method_of_the_page(face):
    page = services.explain(face)
    torch.testing.assert_close(
        map_by_method(face, "residual_cnn", "happy", "layercam"), page.map_of("happy", "layercam")
    )
    told = []
    signed = map_by_method(face, "residual_cnn", "happy", "occlusion", lambda *done: told.append(done))
    assert signed.shape == page.pixels.shape
    assert signed.min() < 0 < signed.max()
    assert told[-1][0] == told[-1][1]
    assert 0 < seconds_by_method(face, "residual_cnn", "eigencam") < 10


def test_what_trust_asks_is_known_beforehand(face, monkeypatch):
    asked, kind = [], type(services.networks.open_network("vanilla_cnn").model)
    forward = kind.forward
    monkeypatch.setattr(kind, "forward", lambda self, x: asked.append(len(x)) or forward(self, x))
    services.trust(face, "vanilla_cnn", "happy")
    assert 0.8 * TRUST_PASSES < sum(asked) <= TRUST_PASSES


def test_what_uncertainty_asks_is_known_beforehand(face, monkeypatch):
    for name in ("resnet18", "residual_cnn"):
        asked, kind = [], type(services.networks.open_network(name).model)
        forward = kind.forward
        with monkeypatch.context() as patched:
            patched.setattr(kind, "forward", lambda self, x, f=forward, a=asked: a.append(len(x)) or f(self, x))
            services.prediction.uncertainty(face, name, samples=6)
        assert sum(asked) == services.prediction.uncertainty_count(name, samples=6)


@pytest.mark.parametrize(
    ("network", "class_", "message"),
    [("residual_cnn", "bored", 'class_="bored"'), ("ensemble", "happy", "has no layer")],
)
def test_trust_in_what_does_not_exist_is_refused(face, network, class_, message):
    with pytest.raises(ValueError, match=message):
        services.trust(face, network, class_)


def test_rotating_a_face_changes_the_prediction_and_the_neutral_value_does_not(face):
    found = services.robustness(face, "residual_cnn", "rotation")
    upright = found.probabilities[found.values == 0][0]
    torch.testing.assert_close(upright, services.predict(face).probabilities, atol=1e-5, rtol=1e-4)
    assert found.probabilities.sum(1) == pytest.approx(torch.ones(len(found.values)), abs=1e-4)
    assert (found.probabilities[:, 3] - upright[3]).abs().max() > 0.2
    with pytest.raises(ValueError, match=r'corruption="rain".*rotation'):
        services.robustness(face, "residual_cnn", "rain")


def test_hiding_a_region_shows_whether_the_class_needs_it(face):
    drop = occlusion(face, "vanilla_cnn")  # less sure of this face than the default network
    assert drop.shape == (48, 48)
    assert drop.max() > 0.01
    assert -1 <= drop.min() <= drop.max() <= 1


def test_uncertainty_has_views_for_every_network_and_passes_where_there_is_dropout(face):
    with_dropout, without = (
        services.prediction.uncertainty(face, name, samples=4) for name in ("vulpe_cnn", "resnet18")
    )
    assert with_dropout.dropout.draws.shape == (4, 1, 7)
    assert without.dropout is None
    views = services.prediction.uncertainty(face, samples=4).views
    torch.testing.assert_close(views.probabilities[0, 0], services.predict(face).probabilities)


def test_neither_import_nor_first_map_loads_a_library_that_few_calls_need():
    rare = (
        "torchvision",
        "timm",
        "kornia",
        "lightning",
        "scipy.sparse",
        "scipy.stats",
        "sklearn",
        "matplotlib",
        "captum",
        "torchmetrics",
    )
    at_start = (*rare, "torch._dynamo", "pandas")  # also when the app has explained its first face
    code = (
        "import sys; from workbench.services.explain import warm\n"
        f"print([name for name in {rare} if name in sys.modules])\n"
        f"warm(); print([name for name in {at_start} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_titles_of_checkpoints_tell_them_apart_without_their_folder_names():
    run = "efficientnet_lite0_svd_hfc-normalize.True-transfer-official-s0"
    title = "EfficientNet-Lite0 + SVD (HFC) (ours), recipe transfer, normalize = True, seed 0"
    assert networks.get_spec(run).title == title
    known = networks.titles(services.metrics.evaluation.checkpoints())
    assert len(set(known.values())) == len(known)
    assert not any(name in title for name, title in known.items())
