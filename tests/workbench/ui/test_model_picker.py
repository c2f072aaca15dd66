"""The list of networks."""

from dataclasses import replace
from pathlib import Path

from helpers.checkpoint_folders import knows, put
from streamlit.testing.v1 import AppTest

from models import checkpoints, list_models
from models.checkpoints import read_card
from workbench import services
from workbench.ui import model_picker

APP = Path(__file__).resolve().parents[3] / "workbench" / "app.py"


def test_networks_stand_by_paper_and_trained_ones_first():
    names = model_picker.grouped()
    assert sorted(names) == sorted((*list_models(), *services.networks.checkpoint_names()))
    papers = [services.networks.get_spec(name).paper for name in names]
    assert papers == sorted(papers)
    of_d = [model_picker.accuracy(name) is not None for name in names if services.networks.get_spec(name).paper == "D"]
    assert of_d == sorted(of_d, reverse=True)
    assert any(of_d)


def test_other_checkpoints_of_a_network_follow_it_and_experiments_are_not_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    put("vanilla_cnn", knows(range(3)))
    put("mine", knows(range(4)))
    put(f"{checkpoints.EXPERIMENTS}/vanilla_cnn-quick-official-s1", knows(range(4)), seed=1)
    names = model_picker.grouped()
    at = names.index("vanilla_cnn")
    assert names[at + 1] == "mine"
    assert model_picker.label("mine") == "C · Vanilla CNN (mine)"
    assert [name for name in names if name not in list_models()] == ["mine"]


def test_the_cached_list_notices_a_new_a_changed_and_a_removed_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    put("vanilla_cnn", knows(range(3)))

    def listed() -> dict[str, str]:
        return model_picker._listed(services.networks.stamps(), False)[0]

    assert listed() is listed(), "nothing has changed"
    before = listed()["vanilla_cnn"]
    put("mine", knows(range(4)))
    assert "mine" in listed()
    put("vanilla_cnn", knows(range(6)), seen={"PrivateTest": 3})
    assert listed()["vanilla_cnn"] != before
    (tmp_path / "mine" / "model.safetensors").unlink()
    assert "mine" not in listed()
    (tmp_path / "vanilla_cnn" / "card.json").write_text("{}")
    assert "damaged" in listed()["vanilla_cnn"]
    assert "vanilla_cnn" in model_picker._listed(services.networks.stamps(), False)[1]


def test_a_label_says_paper_title_accuracy_and_size():
    share = read_card("residual_cnn").metrics["PrivateTest"]["flip"]["accuracy"]
    label = model_picker.label("residual_cnn").replace("\N{NO-BREAK SPACE}", " ")
    assert label == f"C · Residual CNN · {100 * share:.1f} % accuracy · 1.94 M parameters"
    assert (
        model_picker.label("mobilenet_v1")
        == "A · MobileNet v1 · weights not included · 3.21\N{NO-BREAK SPACE}M parameters"
    )


def test_a_network_whose_ancestors_have_seen_test_images_is_called_so(monkeypatch):
    card = replace(read_card("residual_cnn"), seen={"PrivateTest": 123})
    monkeypatch.setattr(model_picker, "_card", lambda name: card)
    assert "\N{NO-BREAK SPACE}% accuracy · saw test images · " in model_picker.label("residual_cnn")
    assert card.caveat in model_picker.described("residual_cnn")


def test_every_network_is_described_by_its_name():
    assert [name for name in list_models() if f"`{name}`" not in model_picker.described(name)] == []


def test_an_untrained_network_is_called_so():
    assert "Weights not included" in model_picker.described("mobilenet_v1")
    assert "(FER2013 PrivateTest, flip averaging)" in model_picker.described("residual_cnn")


def test_a_network_that_is_no_better_than_one_class_named_always_is_called_so(monkeypatch):
    card = read_card("residual_cnn")
    flip = card.metrics["PrivateTest"]["flip"]
    always = max(row["support"] for row in flip["per_class"].values()) / 3589
    monkeypatch.setattr(model_picker, "_card", lambda name: card)
    for low, told in ((always, True), (always + 0.001, False)):
        monkeypatch.setitem(flip, "accuracy_interval", [low, 0.3])
        text = model_picker.described("residual_cnn").replace("\N{NO-BREAK SPACE}", " ")
        assert ("gives 24.5 %: it has hardly learned" in text) == told


def test_a_class_that_a_network_never_recognizes_is_reported():
    assert "It never predicts disgust correctly." in model_picker.described("multibranch_dsc_cbam")
    assert "never predicts" not in model_picker.described("residual_cnn")


def test_sizes_are_counted_as_open_networks_count_them():
    for name in ("vanilla_cnn", "rarn", "ensemble"):
        model = services.networks.open_network(name).model
        count = sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert model_picker.millions(name).startswith(f"{count / 1e6:.2f}")


def test_a_network_that_has_gone_gives_way_to_the_default_one():
    app = AppTest.from_file(str(APP), default_timeout=300).switch_page("../pages/about.py")
    app.session_state["network"] = "20261122-000000-gone"
    app.run()
    assert not app.exception
    assert app.selectbox(key="network").value == services.networks.DEFAULT_NETWORK
    assert "no longer exists" in app.warning[0].value


def test_a_single_view_is_reported_and_another_sets_test_part_is_not_fer2013s(monkeypatch):
    card = read_card("residual_cnn")
    plain = card.metrics["PrivateTest"]["plain"]
    monkeypatch.setattr(model_picker, "_card", lambda name: card)
    monkeypatch.setitem(card.metrics, "PrivateTest", {"plain": plain})
    assert "single view)" in model_picker.described("residual_cnn")
    monkeypatch.setitem(plain, "per_class", {"happy": {"support": 112}})
    assert "Not evaluated on FER2013" in model_picker.described("residual_cnn")
    assert model_picker.accuracy("residual_cnn") is None
