"""The page Compare: choice of networks, its sentences, and too few networks."""

import re
from functools import partial

from helpers import page_visits
from helpers.page_visits import text_of

from models.checkpoints import CheckpointError
from workbench import services
from workbench.services.compare import side_by_side
from workbench.ui import compare

opened = partial(page_visits.opened, "compare.py")


def test_the_trained_networks_stand_side_by_side_with_a_verdict():
    app = opened()
    assert app.multiselect(key="networks").value == list(side_by_side())
    assert "**The networks agree:**" in text_of(app)
    assert "Rank correlation of the maps for" in text_of(app)
    assert not app.warning
    for name in side_by_side():
        assert f"**{services.networks.get_spec(name).title}:** happy" in text_of(app)


def test_the_link_names_networks_class_and_the_pair_that_is_compared():
    link = {"networks": ["resnet18", "efficientnet_lite0_svd_hfc"], "class": "sad"}
    app = opened(**link)
    assert app.multiselect(key="networks").value == ["resnet18", "efficientnet_lite0_svd_hfc"]
    assert "**EfficientNet-Lite0 + SVD (HFC) (ours):** sad" in text_of(app)
    app = opened(**link, blue="efficientnet_lite0_svd_hfc")  # a control of the tab opens it
    assert "Red: more in Residual CNN; blue: more in EfficientNet-Lite0 + SVD (HFC) (ours)." in text_of(app)


def test_the_chosen_network_is_the_first_even_where_six_are_chosen():
    app = opened(tab="Difference")
    six = ["resnet18", "vanilla_cnn", "resnet18_svd_hfc", "mobilenet_v1", "resnet18_svd_hfc_lfc", "resnet18_svd_lfc"]
    app.multiselect(key="networks").set_value(six).run()
    assert not app.exception
    assert app.selectbox(key="red").options == [*services.networks.titles(("residual_cnn", *six[:-1])).values()]
    assert "ResNet-18 + SVD (LFC) is left out" in "".join(c.value for c in app.main.caption)
    assert "MobileNet v1 and ResNet-18 + SVD (HFC, LFC)" in app.warning[0].value
    assert "all three trained networks" in text_of(app)


def test_one_network_alone_gets_a_button_that_adds_another():
    app = opened()
    app.multiselect(key="networks").set_value([]).run()
    assert "needs two networks" in app.info[0].value
    app.main.button[0].click().run()
    assert not app.exception
    assert app.multiselect(key="networks").value == ["efficientnet_lite0"]
    assert "both trained networks predict happy" in text_of(app)


def test_random_weights_alone_get_no_verdict():
    app = opened(network="mobilenet_v1", networks=["resnet18_svd_lfc"])
    assert "No agreement to measure" in text_of(app)
    assert "Weights not included:**" in text_of(app)


def test_networks_without_a_map_are_not_offered_for_the_difference():
    app = opened(networks=["ensemble"])
    assert re.search(r"\*\*Ensemble[^*]*\*\* has no layer", text_of(app))
    app = opened(networks=["ensemble"], tab="Difference")
    assert {s.key for s in app.selectbox} == {"network", "sample"}, "of the toolbar"
    assert "needs two networks with maps" in text_of(app)


def test_networks_that_disagree_are_named_with_their_predictions():
    app = opened(sample="drawn_angry", networks=["multibranch_dsc_cbam", "vanilla_cnn"])
    assert "**The networks disagree:**" in text_of(app)


def test_each_scale_is_taken():
    app = opened(networks=["resnet18"])
    scales = {"all networks": "One scale in logits", "this class": "its own scale", "all classes": "from 0 to 1"}
    assert scales.keys() == {*compare.SCALES}
    for scale, said in scales.items():
        app.segmented_control(key="scale").set_value(scale).run()
        assert not app.exception
        assert said in text_of(app)


def test_a_damaged_checkpoint_is_one_sentence(monkeypatch):
    app = opened()

    def damaged(*_, **__):
        raise CheckpointError("Get the checkpoint again.")

    monkeypatch.setattr(services, "compare", damaged)
    app.multiselect(key="networks").set_value(["resnet18"]).run()
    assert not app.exception
    assert app.error[0].value == "Get the checkpoint again."
