"""The papers' claims: consistent data, known numbers, and a verdict for every case."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
import yaml

from models import checkpoints, get_spec, list_models
from models.checkpoints import CheckpointError, read_card
from models.text import thousands
from models.train import parse
from workbench.analysis.robustness import Curve
from workbench.services import papers as claims
from workbench.services.metrics import leaderboard
from workbench.services.papers import VERDICTS, fractions, trained
from workbench.services.papers.definitions import Claim, number
from workbench.services.papers.evaluators import EVALUATORS, Ours
from workbench.services.papers.loading import papers

SHIPPED = checkpoints.ROOT
ALL = [claim for paper in papers() for claim in paper.claims]


@pytest.fixture(scope="module")
def found() -> dict[str, claims.Checked]:
    return {checked.claim.id: checked for paper in papers() for checked in claims.check(paper.letter)}


# ---- the data


def test_every_claim_has_an_id_of_its_own():
    assert [id for id, n in Counter(claim.id for claim in ALL).items() if n > 1] == []


def test_every_claim_names_an_evaluator_and_every_evaluator_is_used():
    assert {claim.by for claim in ALL} == set(EVALUATORS)


def test_claims_are_about_networks_that_exist():
    assert {claim.network for claim in ALL if claim.network} <= set(list_models())


def test_the_data_hold_nothing_of_ours():
    for claim in ALL:
        assert not {"ours", "value", "result", "verdict"} & set(claim.given)


def test_the_figures_in_the_registry_are_claims_of_its_paper():
    printed = {p.letter: {round(c.plain, 6) for c in p.claims if c.plain is not None} for p in papers()}
    for name in list_models():
        spec = get_spec(name)
        for what, value in spec.reported.items():
            if what != "accuracy on FER2013":  # follows from the figures of the classes: see below
                near = min(abs(value - other) for other in printed[spec.paper])
                assert near < 6e-4, f"{name}: {what}"


def test_plain_accuracies_of_the_registry_follow_from_the_figures_of_the_classes():
    table = claims.paper_of("D").table("fer2013")
    for row in table.rows:
        accuracy = fractions.counted(table, row.id).accuracy[0]
        reported = get_spec(row.network).reported["accuracy on FER2013"]
        assert accuracy == pytest.approx(reported, abs=2e-4), "a misprinted figure may be one picture more or less"


def test_ours_is_said_to_have_as_many_epochs_as_it_had():
    name = "residual_cnn-quick-official-s2"
    card = read_card(name)
    assert card.best_epoch < card.epochs
    assert trained._epochs(name, card) == card.epochs


@pytest.mark.parametrize(("pictures", "set_"), [(3589, "FER2013"), (55, "JAFFE"), (112, ""), (20_000, "")])
def test_another_set_of_seven_classes_is_not_taken_for_a_papers(pictures, set_):
    card = read_card("residual_cnn")
    measured = {**card.metrics["PrivateTest"]["plain"], "confusion": [[pictures] + 6 * [0]] + 6 * [7 * [0]]}
    card = dataclasses.replace(card, metrics={"test": {"plain": measured}})
    assert trained.set_of(card) == set_


def test_every_command_is_one_that_the_training_takes():
    for paper in papers():
        for command in claims.commands(paper.letter):
            words = command.line.split()
            assert words[:2] == ["ferscope", "train"]
            config = parse(words[2:])
            assert config.recipe == f"paper-{paper.letter.lower()}"
            assert config.model == command.network
            assert config.folder.parent.name == "checkpoints", "where the page looks for it"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("35 887", 35887),
        ("+23,808", 23808),
        ("~2.5M", 2.5),
        ("-0.02", -0.02),
        ("about 68%", 68),
        ("16% higher", 16),
        ("by the 25th epoch", 25),
        ("24*24*128", None),
        ("a minimal amount of parameters", None),
    ],
)
def test_a_printed_figure_is_read(text, value):
    assert number(text) == value


# ---- numbers that are known


@pytest.mark.parametrize(
    ("id", "value"),
    [
        ("d-added-resnet18-svd", 708),
        ("d-added-mobilenet-svd", 767),
        ("d-added-resnet18-bam", 23_808),
        ("d-added-mobilenet-bam", 11_192),
        ("e-count", 3_790_749),
        ("d-memory", 600.25),
        ("b-test-disgust", 111),
        ("a-gain-inception", 1.04),
        ("b-weight-disgust", 4000 / 547),
        ("d-fer2013-test", 7178),
    ],
)
def test_what_is_known_is_computed(found, id, value):
    assert found[id].value == pytest.approx(value)


def test_the_count_of_paper_e_is_distinguished():
    text = found_text("e-count")
    assert "3772253 trained" in text
    assert "18496 running" in text


def test_the_ablation_adds_what_its_two_and_three_products_need():
    finding = next(f for f in claims.paper_of("D").findings if "ablation" in f.title)
    text = claims.told(finding, "D").replace("\N{NARROW NO-BREAK SPACE}", "")
    assert "904 (HFC, LFC)" in text
    assert "1100 (with" in text


def found_text(id: str) -> str:
    checked = next(c for c in claims.check(id[0].upper()) if c.claim.id == id)
    return checked.ours.replace("\N{NARROW NO-BREAK SPACE}", "")


VERDICTS_KNOWN = {
    "d-added-resnet18-svd": "recomputed",
    "b-parameters-resnet50": "recomputed",
    "b-parameters-mobilenet": "not reproduced",
    "a-gain-inception": "inconsistent in the paper",
    "a-gain-mobilenet": "recomputed",
    "a-lightweight": "not reproduced",
    "b-resnet50-balanced-again": "inconsistent in the paper",
    "b-weight-surprise": "recomputed",
    "b-k-xception-surprise": "not reproduced",
    "c-vanilla-text": "inconsistent in the paper",
    "c-gain": "inconsistent in the paper",
    "c-weights": "not reproduced",
    "c-cube": "not reproduced under our choices",
    "c-residual": "different protocol",
    "c-batch-norm": "different protocol" if leaderboard.convergence() else "not run",
    "d-jaffe-test": "recomputed",
    "d-ckplus-mobilenet-mean": "inconsistent in the paper",
    "d-fer2013-resnet18-k": "not reproduced",
    "d-fer2013-resnet18-happy": "different protocol",
    "d-jaffe-mobilenet-sad": "not run",
    "e-unseen": "not reproduced",
    "e-equation": "inconsistent in the paper",
    "e-size-dsccbam2": "recomputed",
    "e-size-dsccbam3": "inconsistent in the paper",
}


def test_every_verdict_is_the_known_one(found):
    assert {id: found[id].verdict for id in VERDICTS_KNOWN} == VERDICTS_KNOWN


def test_ours_is_read_from_the_card_of_the_trained_network(found):
    of_its_split = read_card("residual_cnn-quick-random-80-20-s0")  # nearer to the paper than what ships
    assert found["c-residual"].value == pytest.approx(of_its_split.metrics["test"]["plain"]["accuracy"])
    by_its_recipe = read_card("vanilla_cnn-paper-c-epochs.6-official-s0")
    accuracy = by_its_recipe.metrics["PrivateTest"]["plain"]["accuracy"]
    assert found["c-vanilla"].value == pytest.approx(accuracy)
    assert "split official, not random-80-20" in found["c-vanilla"].way


def test_what_batch_norm_saves_is_read_from_two_training_curves_without_a_verdict(monkeypatch):
    short = "vanilla_cnn-short-official-s0"
    pair = leaderboard.Convergence(short, "without", (0.6, 0.4), 0.25, (0.3, 0.4), ((1, 2), (6, 8)))
    monkeypatch.setattr(leaderboard, "convergence", lambda: (pair,))
    paper = claims.paper_of("C")
    ours = EVALUATORS["epochs_saved"](paper.claim("batch-norm"), paper)
    assert ours.value == 0.25
    best = "best epoch 60.0 % with, 40.0 % without, largest class 25.0 %"
    told = f"SGD at 0.05: 25 % saved, 6 epochs, not 8, to 40 % ({best})"
    assert ours.text.replace("\N{NO-BREAK SPACE}", " ") == told
    assert claims.judge(paper.claim("batch-norm"), ours) == "different protocol"
    never = dataclasses.replace(pair, best=(0.6, 0.24), levels=(), epochs=())
    monkeypatch.setattr(leaderboard, "convergence", lambda: (never,))
    ours = EVALUATORS["epochs_saved"](paper.claim("batch-norm"), paper)
    assert "one of the two hardly learned anything (best epoch 60.0 %" in ours.text.replace("\N{NO-BREAK SPACE}", " ")
    assert claims.judge(paper.claim("batch-norm"), ours) == "different protocol"


def test_awareness_of_rotation_is_two_curves_without_a_verdict_of_its_own(monkeypatch):
    values = torch.tensor([-30.0, 0.0, 30.0])
    curves = {"rarn": torch.tensor([0.3, 0.5, 0.4]), "resnet18": torch.tensor([0.25, 0.55, 0.35])}
    stored = {
        name: SimpleNamespace(curves={"rotation": Curve(values, found, torch.zeros(3, 2), 1000)})
        for name, found in curves.items()
    }
    monkeypatch.setattr(trained, "read_robustness", stored.get)
    paper = claims.paper_of("A")
    ours = EVALUATORS["rotated"](paper.claim("rotation"), paper)
    text = ours.text.replace("\N{NO-BREAK SPACE}", " ")
    assert text == "`rarn` 50.0 → 35.0 %, `resnet18` 55.0 → 30.0 %"
    assert "1000 images" in ours.way
    assert claims.judge(paper.claim("rotation"), ours) == "different protocol"
    stored["rarn"].curves.clear()
    with pytest.raises(CheckpointError, match="ferscope robustness rarn --corruptions rotation"):
        EVALUATORS["rotated"](paper.claim("rotation"), paper)


def test_a_network_that_is_trained_on_one_set_says_nothing_about_another(found):
    assert found["d-fer2013-resnet18-happy"].value is not None
    assert found["d-ckplus-resnet18-happy"].verdict == "not run"
    assert found["d-ablation-none"].verdict == "not run"


# ---- fractions


def test_a_share_of_whole_images_is_found_and_a_misprint_is_not():
    assert fractions.shares("83.09%", 1774) == [1474]
    assert fractions.shares("47.45", 111) == []
    assert fractions.shares("73%", 1247) == [k for k in range(1248) if fractions.agrees(100 * k / 1247, "73%")]


def test_the_classes_of_a_small_test_set_follow_from_its_figures():
    paper = claims.paper_of("D")
    assert sum(fractions.pictures(paper.table("jaffe"))) == 55
    assert sum(fractions.pictures(paper.table("ckplus"))) == 246
    assert fractions.free(paper.table("ckplus")) == ("contempt",)


def test_a_figure_that_is_missing_follows_from_the_average():
    table = claims.paper_of("D").table("ckplus")
    counted = fractions.counted(table, "resnet18-svd")
    assert (counted.right[-1], counted.of[-1]) == (61, 62)


@pytest.mark.parametrize(
    ("value", "printed", "within", "agrees"),
    [
        (0.9995, "0.99", 0.0, True),  # cut off
        (0.8076, "0.81", 0.0, True),  # rounded
        (0.8176, "0.83", 0.0, False),
        (-0.02, "-0.02", 0.0, True),
        (1.04, "0.54%", 0.0, False),
        (436, "∼400", 0.1, True),
        (1.5, "<5%", 0.0, True),
        (6.0, "<5%", 0.0, False),
    ],
)
def test_a_value_agrees_where_it_is_printed_rounded_or_cut_off(value, printed, within, agrees):
    assert fractions.agrees(value, printed, within) is agrees


# ---- verdicts


def a_claim(**values) -> Claim:
    given = {"id": "x", "paper": "A", "place": "", "what": "", "claimed": "57.0%", "unit": "%", "by": "", "given": {}}
    return Claim(**{**given, **values})


def ours(kind="exact", **values) -> Ours:
    return Ours(kind, "", "", **values)


CASES = {
    "recomputed": (a_claim(), ours(value=0.57)),
    "not reproduced": (a_claim(), ours(value=0.58)),
    "inconsistent in the paper": (a_claim(), ours("own", value=0.58)),
    "reproduced": (a_claim(), ours("measured", value=0.575, interval=(0.56, 0.59))),
    "different protocol": (a_claim(), ours("measured", value=0.575, interval=(0.56, 0.59), differs=("split",))),
}


@pytest.mark.parametrize("verdict", CASES)
def test_each_verdict_is_reached(verdict):
    assert claims.judge(*CASES[verdict]) == verdict


def test_a_measured_figure_outside_of_the_interval_is_not_reproduced():
    assert claims.judge(a_claim(), ours("measured", value=0.5, interval=(0.49, 0.51))) == "not reproduced"


OPEN = "not reproduced under our choices"


def test_a_figure_that_depends_on_unstated_settings_is_not_reproduced_under_ours():
    outside = {"value": 0.5, "interval": (0.49, 0.51)}
    assert claims.judge(a_claim(choice="Not stated."), ours(value=0.58)) == OPEN
    assert claims.judge(a_claim(choice="Not stated."), ours("measured", **outside)) == OPEN
    assert claims.judge(a_claim(), ours("measured", **outside, choices=("momentum 0.9",))) == OPEN
    assert claims.judge(a_claim(), ours("measured", value=0.57, interval=(0.5, 0.6), choices=("x",))) == "reproduced"


def test_a_choice_of_ours_excuses_no_other_protocol():
    measured = ours("measured", value=0.5, interval=(0.49, 0.51), differs=("split",), choices=("momentum 0.9",))
    assert claims.judge(a_claim(), measured) == "different protocol"


def test_there_are_no_other_verdicts(found):
    assert {*CASES, "not run", OPEN} == set(VERDICTS)
    assert {checked.verdict for checked in found.values()} <= set(VERDICTS)
    assert sum(sum(by.values()) for by in claims.summary().values()) == len(ALL)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Checkpoints in a folder of our own."""
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    yield tmp_path
    trained.nearest_run.cache_clear()


def test_without_any_checkpoint_what_has_to_be_trained_is_not_run(elsewhere):
    verdicts = {c.claim.id: c.verdict for c in claims.check("C")}
    assert verdicts["c-residual"] == verdicts["c-residual-train"] == "not run"
    assert verdicts["c-gain"] == "inconsistent in the paper"


def test_a_network_that_has_seen_test_images_is_no_evidence_and_the_page_says_why(elsewhere):
    shutil.copytree(SHIPPED / "residual_cnn", elsewhere / "residual_cnn-x")
    protocol = next(claim for claim in ALL if claim.id == "c-residual").protocol
    assert trained.nearest_run("residual_cnn", protocol).names == ("residual_cnn-x",)
    trained.nearest_run.cache_clear()
    card = read_card("residual_cnn-x")
    checkpoints.write_card(elsewhere / "residual_cnn-x", dataclasses.replace(card, seen={"PrivateTest": 3589}))
    with pytest.raises(CheckpointError, match="`residual_cnn-x` is left out: it has, or may have, seen test images"):
        trained.nearest_run("residual_cnn", protocol)
    assert next(c for c in claims.check("C") if c.claim.id == "c-residual").verdict == "not run"


def test_a_damaged_card_leaves_the_page_whole(elsewhere):
    (elsewhere / "residual_cnn").mkdir()
    (elsewhere / "residual_cnn" / "card.json").write_text("{")
    assert next(c for c in claims.check("C") if c.claim.id == "c-residual").verdict == "not run"


def test_a_saved_configuration_beside_the_card_is_read(elsewhere):
    (elsewhere / "mine").mkdir()
    (elsewhere / "mine" / "config.json").write_text(json.dumps({"batch_size": 32}))
    assert trained._config("mine")["batch_size"] == 32
    assert trained._config("another") is None


# ---- findings and citation


@pytest.mark.parametrize("letter", "ABCDE")
def test_every_finding_is_reported_with_every_figure_in_its_place(letter):
    for finding in claims.paper_of(letter).findings:
        text = claims.told(finding, letter)
        assert "{" not in text
        assert text
        for id in finding.claims:
            claims.paper_of(letter).claim(id)


def test_the_citation_names_the_papers_whose_titles_are_known():
    root = checkpoints.Path(__file__).resolve().parents[3]
    cited = yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert cited["authors"] == [{"name": "The FERScope developers"}]
    titles = {reference["title"] for reference in cited["references"]}
    assert {paper.title for paper in papers() if paper.title} <= titles


def test_counts_are_written_with_thin_spaces():
    assert thousands(3772253).split("\N{NARROW NO-BREAK SPACE}") == ["3", "772", "253"]


# ---- several random seeds


def test_the_interval_over_seeds_covers_test_images_and_seeds():
    assert trained.combined([(0.5, 0.48, 0.53)]) == (0.5, 0.48, 0.53)
    value, low, high = trained.combined([(0.5, 0.48, 0.53), (0.52, 0.50, 0.55), (0.54, 0.52, 0.57)])
    half = 4.302653 * 0.02 / 3**0.5  # Student's t of two degrees of freedom, and a standard deviation of .02
    assert value == pytest.approx(0.52)
    assert low == pytest.approx(0.52 - (half**2 + 0.02**2) ** 0.5)
    assert high == pytest.approx(0.52 + (half**2 + 0.03**2) ** 0.5)


def test_training_runs_that_differ_in_the_seed_alone_are_one_figure(found):
    protocol = claims.paper_of("D").claim("fer2013-resnet18-happy").protocol
    run = trained.nearest_run("resnet18", protocol)
    assert run.names == ("resnet18-short-official-s0", "resnet18-short-official-s1")
    assert run.seeds == (0, 1)
    checked = found["d-fer2013-resnet18-happy"]
    recalls = [read_card(name).metrics["PrivateTest"]["plain"]["per_class"]["happy"]["recall"] for name in run.names]
    assert checked.value == pytest.approx(50 * sum(recalls))
    assert "2 seeds" in checked.ours
    assert "1 seed)" in found["c-vanilla"].ours


def test_a_gain_is_measured_between_training_runs_of_one_seed(found):
    way = found["d-trained-gain-svd"].way
    assert "`resnet18_svd_hfc-short-official-s0` minus `resnet18-short-official-s0`" in way
    assert "`resnet18_svd_hfc-short-official-s1` minus `resnet18-short-official-s1`" in way
    assert "2 seeds" in found["d-trained-gain-svd"].ours


def test_an_interval_of_shares_stays_between_0_and_100_percent(found):
    shares = [c for c in found.values() if c.claim.unit == "%" and c.interval and c.claim.by in ("measure", "recall")]
    assert shares
    assert all(0 <= c.interval[0] <= c.value + 1e-9 and c.value - 1e-9 <= c.interval[1] <= 100 for c in shares)


def test_choices_of_ours_are_named_where_the_protocol_is_the_papers(monkeypatch):
    claim = claims.paper_of("D").claim("fer2013-resnet18-happy")
    run = trained.Trained(("resnet18",), (0,), "PrivateTest", (), ("optimizer adam", "weight decay 0.0"))
    monkeypatch.setattr(trained, "nearest_run", lambda network, protocol: run)
    checked = claims._checked(claim, claims.paper_of("D"))
    assert checked.verdict in ("reproduced", OPEN)
    assert "our choice: optimizer adam; weight decay 0.0." in checked.way
    assert claim.protocol.lacks in checked.way
    low = dataclasses.replace(claim, claimed="12.00")
    assert claims._checked(low, claims.paper_of("D")).verdict == OPEN


def test_batch_norm_is_judged_by_the_pair_of_the_papers_own_recipe(monkeypatch):
    cards = {
        "quick": read_card("vanilla_cnn-short-official-s0"),
        "own": dataclasses.replace(read_card("vanilla_cnn"), recipe="paper-c", epochs=6, best_epoch=6),
    }
    monkeypatch.setattr(trained, "read_card", cards.get)
    monkeypatch.setattr(trained, "_epochs", lambda name, card: card.epochs)
    sgd = leaderboard.Convergence("quick", "without", (0.6, 0.2), 0.25, (), ())
    adam = leaderboard.Convergence("own", "without", (0.5, 0.45), 0.25, (0.4,), ((3, 4),))
    monkeypatch.setattr(leaderboard, "convergence", lambda: (adam, sgd))
    paper = claims.paper_of("C")
    ours = EVALUATORS["epochs_saved"](paper.claim("batch-norm"), paper)
    text = ours.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Adam at 0.0001: 25 % saved, 3 epochs, not 4, to 40 %" in text
    assert "SGD at 0.05: one of the two hardly learned anything" in text
    assert ours.value == 0.25
    assert {"split official, not random-80-20", "epochs 6, not 60"} <= set(ours.differs)
    assert not any(told.startswith(("optimizer", "learning rate", "batch size")) for told in ours.differs)
