"""The table of networks is current, and one network can be looked at in detail."""

import json
import re

import pytest

from models import get_spec, list_models, model_table
from models.checkpoints import read_card


def without_what_was_timed(text: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in text.splitlines() if "`" in line]
    return [[*row[:5], *row[7:]] for row in rows]


def test_the_table_in_the_readme_is_current():
    text = model_table.README.read_text(encoding="utf-8")
    inside = text.split(model_table.MARKS[0])[1].split(model_table.MARKS[1])[0]
    fresh = model_table.table([model_table.measure(name) for name in list_models()])
    assert without_what_was_timed(inside) == without_what_was_timed(fresh), "run: ferscope models --write"


def test_operations_are_counted_as_by_hand():
    # residual_cnn at 48 px: nine multiplications for each pair of channels at each place.
    convolutions = 48**2 * 32 + 24**2 * (32 * 64 + 2 * 64**2)
    convolutions += 12**2 * (64 * 128 + 2 * 128**2) + 6**2 * (128 * 256 + 2 * 256**2)
    assert model_table.measure("residual_cnn").macs == 9 * convolutions + 256 * 7


@pytest.mark.parametrize("name", ["residual_cnn", "rarn", "ensemble", "resnet18_svd_hfc", "hybrid_resnet50"])
def test_a_network_in_detail_says_what_differs_from_the_paper(name, capsys):
    model_table.main([name])
    printed = capsys.readouterr().out
    assert "Differences from" in printed
    assert get_spec(name).title in printed
    assert re.search(r"[\d,]+ parameters", printed)


def test_a_network_whose_weights_are_of_a_variant_says_so():
    card = read_card("rarn")
    assert f"its weights in checkpoints/ are of backbone=resnet18: {card.parameters:,} param" in model_table.detail(
        "rarn"
    )
    assert "its weights in" not in model_table.detail("residual_cnn")
    assert not read_card("hybrid_efficientnet_lite0").overrides
    assert "its weights in" not in model_table.detail("hybrid_efficientnet_lite0")


def test_an_unknown_network_ends_with_the_nearest_names():
    with pytest.raises(SystemExit, match="rarn"):
        model_table.main(["rran"])


def test_the_verdict_on_compiling_comes_from_the_benchmarks_file(tmp_path, monkeypatch):
    monkeypatch.setattr(model_table, "COMPILED", tmp_path / "compile_cpu.json")
    assert "| not run |" in model_table.table([model_table.measure("vanilla_cnn")])
    found = {"networks": {"vanilla_cnn": {"speedup": 1.26}, "residual_cnn": {"fails": "RuntimeError: no compiler"}}}
    (tmp_path / "compile_cpu.json").write_text(json.dumps(found))
    assert "| 1.3 × |" in model_table.table([model_table.measure("vanilla_cnn")])
    assert "| fails |" in model_table.table([model_table.measure("residual_cnn")])
