"""The page Attention: every kind of module, the switches, and what is shown where there is nothing to open."""

import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from helpers import page_visits
from helpers.attention_networks import noise_faces, write_checkpoint
from helpers.own_networks import file_in, own_folder
from helpers.page_visits import text_of
from streamlit.testing.v1 import AppTest

from models import checkpoints, get_spec, own_networks
from workbench import services
from workbench.faces import load_sample
from workbench.surveys.gates import survey_gates

SVD = "mobilenet_v2_svd_hfc"
opened = partial(page_visits.opened, "attention.py")


@pytest.fixture(autouse=True)
def few_faces(monkeypatch):
    """Gates are measured on 7 drawn faces instead of 21."""
    monkeypatch.setattr("workbench.services.gates._OF_EACH", 1)
    monkeypatch.setattr("workbench.services.gates.DRAWN_FACES", 7)


def test_without_attention_the_best_network_that_has_it_is_shown_and_others_are_offered():
    app = opened()
    best, *others = services.attention.networks_with_attention()
    assert f"**Shown here: {get_spec(best).title},**" in app.info[0].value
    assert "has no attention modules" in app.info[0].value
    assert app.segmented_control(key="module").value == "1 SCA"
    assert app.selectbox(key="network").value == services.networks.DEFAULT_NETWORK
    app.button(key=f"choose-{others[0]}").click().run()
    assert not app.exception
    assert app.selectbox(key="network").value == others[0]
    assert "has no attention modules" not in text_of(app)


def test_vision_transformers_of_ours_and_of_timm_show_their_rollout(tmp_path, monkeypatch):
    assert "Attention through 6 blocks" in text_of(opened(network="vit_tiny"))
    with own_folder(tmp_path, monkeypatch) as folder:
        own_networks.add_file(file_in(folder, VIT))
        app = opened(network="user_vit")
        assert "Attention through 2 blocks" in text_of(app)
        assert "has no attention modules" not in text_of(app)
        assert any("Weights not included" in w.value for w in app.warning)


VIT = """
import timm
from models.registry import register_model

@register_model("user_vit", title="ViT of a user", channels=3, input_size=32, smallest_side=32, imagenet=False)
def user_vit(num_classes: int = 7):
    sizes = {"embed_dim": 12, "depth": 2, "num_heads": 2, "img_size": 32, "patch_size": 16}
    return timm.create_model("vit_tiny_patch16_224", num_classes=num_classes, **sizes)
"""


def test_attention_that_is_built_into_blocks_is_not_called_missing():
    assert "squeeze-and-excitation" in opened(network="senet50").info[0].value


@pytest.mark.parametrize(
    ("network", "module", "words"),
    [
        ("resnet18_bam", "2 BAM", ("**Channel branch**", "**Spatial branch:**", "multiplied by 1 + gate")),
        ("resnet18_svd_hfc", "4 SVD", ("**Projection to one channel:**", "regardless of their content")),
        ("multibranch_dsc_cbam", "3 CBAM", ("**Channel weights**, 512 channels",)),
        ("rarn", "1 angle", ("**Angle with the strongest response:**", "**Response at that angle.**")),
        ("hybrid_efficientnet_lite0", "1 SCA", ("**Channel weights**, 320",)),
        (
            "hybrid_efficientnet_lite0",
            "2 transformer",
            (
                "Attention of the 8 heads",
                "heads have the maximum at the same position, row ",
                "**Rollout of this block**",
            ),
        ),
    ],
)
def test_the_link_opens_a_module_with_what_its_kind_computes(network, module, words):
    app = opened(network=network, module=module)
    assert app.segmented_control(key="module").value == module
    for word in words:
        assert word in text_of(app) + "".join(s.value for s in app.header)
    trained = services.networks.open_network(network).trained
    assert any("Weights not included" in w.value for w in app.warning) == (not trained)


def test_a_module_of_another_network_gives_way_to_the_first():
    app = opened(network="resnet18_bam", module="4 BAM")
    app.selectbox(key="network").set_value("resnet18_svd_hfc").run()
    assert not app.exception
    assert app.segmented_control(key="module").value == "1 SVD"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured") / SVD
    write_checkpoint(folder, SVD, sharp="attention.after0")
    survey_gates(folder, noise_faces(), limit=14)
    return folder


@pytest.fixture
def shelf(measured, tmp_path, monkeypatch):
    """One checkpoint whose gates are measured on 14 images, beside the networks that have no weights."""
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    return Path(shutil.copytree(measured, tmp_path / SVD))


def table_of(app) -> list[list[str]]:
    """The rows of the table of gates."""
    text = next(m.value for m in app.markdown if m.value.startswith("| gate"))
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]


def test_gates_are_described_over_a_sample_and_a_constant_one_is_called_constant(shelf, monkeypatch):
    gates = [module.gates[0] for module in services.gates.stored_gates(SVD).modules[:-1]]
    constant, other = (list(map(wanted.__eq__, (gate.constant for gate in gates))).index(True) for wanted in (1, 0))
    app = opened(network=SVD, module=f"{constant + 1} SVD")
    assert "**This gate is nearly the same for every face:** over 14 images of PublicTest" in text_of(app)
    assert "is nearly the same for every face:" not in text_of(opened(network=SVD, module=f"{other + 1} SVD"))
    assert "drawn faces" not in text_of(app)
    app = opened(network=SVD, tab="Input dependence")
    rows = table_of(app)
    assert [row[0].removesuffix("\\*") for row in rows] == [
        *(f"{number} SVD" for number in range(1, 8)),
        "all at once",
    ]
    for row, gate in zip(rows, gates, strict=False):
        assert row[0].endswith("\\*") == gate.constant
        assert row[1] == f"{100 * gate.saturated:.1f}\N{NO-BREAK SPACE}%"
        assert row[2] == f"{gate.deviation:.3f}"
        assert row[4] == f"{100 * gate.changed_mean:.1f}\N{NO-BREAK SPACE}%"
        assert row[5] == f"{100 * gate.changed_off:.1f}\N{NO-BREAK SPACE}%"
    assert "drawn faces" not in text_of(app)


@pytest.mark.usefixtures("quick")
def test_gates_of_other_weights_are_measured_on_drawn_faces_and_the_page_says_so(shelf):
    write_checkpoint(shelf, SVD, seed=1)
    told = text_of(opened(tab="Input dependence", network=SVD))
    assert ":** 7 drawn faces (1 of each of 7 emotions). Measured now on drawn faces" in told
    assert "belongs to other weights" in told


def test_gates_of_a_slow_network_are_measured_only_after_a_click(shelf, monkeypatch):
    write_checkpoint(shelf, SVD, seed=1)
    monkeypatch.setattr("workbench.ui.slow_requests.pace", lambda network: 1.0)
    app = opened(tab="Input dependence", network=SVD)
    assert f"needs {7 * 17} forward passes" in text_of(app)
    assert not any(m.value.startswith("| gate") for m in app.markdown)
    next(button for button in app.button if button.label == "Measure the gates on drawn faces").click().run()
    assert not app.exception
    assert table_of(app)[-1][0] == "all at once"


@pytest.mark.usefixtures("quick")
def test_both_gates_of_a_module_and_self_attention_beside_uniform_weights_are_shown():
    rows = {
        row[0].removesuffix("\\*"): row
        for row in table_of(opened(tab="Input dependence", network="hybrid_mobilenet_v3_small"))
    }
    assert {"1 SCA, channel weights", "1 SCA, spatial map", "1 SCA, both", "2 transformer, whole block"} <= rows.keys()
    assert rows["2 transformer, self-attention"][1] == "–"
    assert rows["2 transformer, self-attention"][5].endswith("(uniform)")
    assert "SE backbone.net.1.block.1" in rows


@pytest.mark.usefixtures("quick")
def test_gates_of_attention_inside_blocks_are_described_too(shelf):
    rows = table_of(opened(network="senet50"))
    assert len(rows) == 17
    assert rows[0][0].removesuffix("\\*") == "SE layer1.0.se"


def test_weights_that_hardly_differ_have_a_scale_of_their_own_and_may_share_one():
    assert "The weights differ little; the colors span only this range." in text_of(opened(network="resnet18_bam"))
    assert "*Map settings* can stretch the colors." in text_of(opened(network="resnet18_bam", whole="true"))


def test_switching_modules_off_tells_the_prediction_without_them():
    app = opened(tab="Ablation", network="multibranch_dsc_cbam")
    assert "**Prediction with all modules: happy" in text_of(app)
    for number in range(1, 4):
        app.toggle(key=f"module{number}").set_value(False).run()
    assert not app.exception
    face, layers = app.session_state["face"], get_spec("multibranch_dsc_cbam").attention_layers
    without = services.attention.ablation(face, "multibranch_dsc_cbam", layers)
    assert f"**Prediction without them: {without.predicted_without}" in text_of(app)
    app.segmented_control(key="by").set_value("its input, unchanged").run()
    without = services.attention.ablation(face, "multibranch_dsc_cbam", layers, "identity")
    assert f"**Prediction without them: {without.predicted_without}" in text_of(app)


def test_class_branches_stand_beside_the_ablation_of_modules():
    app = opened(network="hybrid_efficientnet_lite0", tab="Ablation")
    assert "Class branches" in [header.value for header in app.header]


def test_the_table_has_a_row_for_each_module_and_one_for_all():
    table = next(
        m.value for m in opened(tab="Ablation", network="resnet18_bam").markdown if m.value.startswith("| replaced")
    )
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == [
        *(f"module {number} BAM" for number in range(1, 5)),
        "all of them",
    ]


def test_attention_is_reported_beside_the_maps_and_not_called_an_explanation():
    app = opened(tab="Versus Grad-CAM", network="resnet18_bam")
    assert "**Attention is not explanation**" in text_of(app)
    low, high = services.attention.cam_correlation(app.session_state["face"], "resnet18_bam").extent
    assert f"run from {low:.2f} to {high:.2f}".replace("-", "−") in text_of(app)
    assert "positions in the coarsest map" in text_of(app)
    assert "positions in the coarsest map" not in text_of(opened(tab="Versus Grad-CAM", network="rarn"))


def test_a_map_without_order_has_its_dash_explained(monkeypatch):
    found = services.attention.cam_correlation(load_sample("astronaut"), "resnet18_bam")
    monkeypatch.setattr(services.attention, "cam_correlation", lambda *_: found)
    told = "A dash: one of the two maps is blank or constant."
    found.correlation.nan_to_num_(0.0)
    assert told not in text_of(opened(tab="Versus Grad-CAM", network="resnet18_bam"))
    found.correlation[0, 0] = torch.nan
    assert told in text_of(opened(tab="Versus Grad-CAM", network="resnet18_bam"))


def test_a_network_without_weights_names_its_stored_predictions():
    warnings = [w.value for w in opened(network="resnet18_bam").warning]
    assert any(
        "page Metrics has stored predictions of earlier training runs: resnet18_bam-scratch-official-s0" in text
        for text in warnings
    )
    assert not any("page Metrics" in w.value for w in opened(network="hybrid_efficientnet_b3").warning)


def test_attention_of_one_query_position_can_be_shown():
    app = opened(network="hybrid_efficientnet_lite0", module="2 transformer")
    assert "averaged over all query positions" in text_of(app)
    app.toggle(key="mean").set_value(False).run()
    app.slider(key="row").set_value(3).run()
    app.slider(key="column").set_value(1).run()
    assert not app.exception
    assert "of the query position with the cross" in text_of(app)


def test_every_equation_that_is_used_is_named_with_its_source():
    text = explained(opened(network="resnet18_bam"))
    for number in (3, 4):
        assert f"Park et al. 2018, eq. {number}" in text
    assert text.count("$$") == 2 * 3


def explained(app: AppTest) -> str:
    app.session_state["how-it-is-computed"] = True
    return next(e for e in app.run().expander if e.label == "How it is computed").markdown[0].value


def test_each_tab_says_how_what_it_shows_is_computed():
    words = {"Maps": "Park et al.", "Input dependence": "eta^2", "Ablation": "unchanged", "Versus Grad-CAM": "Spearman"}
    for tab, word in words.items():
        text = explained(opened(network="resnet18_bam", tab=tab))
        assert [other for other in words.values() if other in text] == [word], tab
