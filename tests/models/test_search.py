"""A grid of two settings on drawn patterns: what is trained, ranked, skipped, resumed and refused."""

from __future__ import annotations

import json
import time

import pytest

from models import search as searching
from models.search import Tried, alone, combinations, configure, main, read_grid, search, table
from models.training import resume
from models.training.errors import TrainingError

SOON = 3600.0


@pytest.fixture
def base(make_config, tmp_path):
    return make_config(tmp_path / "base", epochs=4, growing_sizes=(), batch_size=8)


def tries(base, folder, grid):
    return [(configure(base, settings, folder), settings) for settings in combinations(read_grid([grid]))]


def test_a_grid_is_every_combination_of_its_values():
    grid = read_grid(["learning_rate=3e-4,1e-3", "ema=none,0.998", "overrides.batch_norm=true"])
    assert grid == {"learning_rate": [3e-4, 1e-3], "ema": [None, 0.998], "overrides.batch_norm": [True]}
    assert combinations(grid) == [
        {"learning_rate": rate, "ema": ema, "overrides.batch_norm": True}
        for rate in (3e-4, 1e-3)
        for ema in (None, 0.998)
    ]
    assert combinations({}) == [{}], "without a grid, the recipe as it is"


def test_one_at_a_time_is_the_recipe_and_each_value_alone():
    grid = read_grid(["learning_rate=3e-4,1e-3", "ema=0.998"])
    assert alone(grid) == [{}, {"learning_rate": 3e-4}, {"learning_rate": 1e-3}, {"ema": 0.998}]


@pytest.mark.parametrize(
    ("text", "says"), [("learning_rate", "is not a list"), ("ema=0.9,", "is not a list"), ("rate=1", "not a setting")]
)
def test_what_is_no_grid_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        read_grid([text])


def test_options_of_the_network_are_varied_and_checked(base, tmp_path):
    config = configure(base, {"overrides.dropout": 0.5, "learning_rate": 0.02}, tmp_path)
    assert (config.overrides["dropout"], config.learning_rate) == (0.5, 0.02)
    assert config.folder == tmp_path / "overrides.dropout.0.5-learning_rate.0.02"
    with pytest.raises(ValueError, match="dropot"):
        configure(base, {"overrides.dropot": 0.5}, tmp_path)
    with pytest.raises(ValueError, match="learning_rate"):
        configure(base, {"learning_rate": -1}, tmp_path)


def test_combinations_are_ranked_by_validation_and_not_trained_again(base, tmp_path, monkeypatch):
    grid = "learning_rate=1e-9,0.05"
    found = search(tries(base, tmp_path, grid), time.monotonic() + SOON, lambda sentence: None)
    assert [tried.settings["learning_rate"] for tried in found] == [0.05, 1e-9]
    assert found[0].best > found[1].best
    for config, _ in tries(base, tmp_path, grid):
        history = json.loads((config.folder / "history.json").read_text())
        assert len(history) == 4
        assert not (config.folder / resume.FILE).exists(), "what only a resumed run would need"
    monkeypatch.setattr("models.training.engine.train", lambda config: pytest.fail("trained again"))
    assert search(tries(base, tmp_path, grid), time.monotonic() + SOON, lambda sentence: None) == found
    other = base.model_copy(update={"seed": 7})
    with pytest.raises(TrainingError, match="other settings"):
        search(tries(other, tmp_path, grid), time.monotonic() + SOON)


def test_a_training_that_fails_is_named_and_the_others_go_on(base, tmp_path, monkeypatch):
    from models.training import engine

    train = engine.train

    def failing(config):
        if config.learning_rate > 1:
            raise TrainingError("The loss is no longer a number.")
        return train(config)

    monkeypatch.setattr(engine, "train", failing)
    found = search(tries(base, tmp_path, "learning_rate=100.0,0.05"), time.monotonic() + SOON, lambda sentence: None)
    assert [bool(tried.error) for tried in found] == [False, True]
    assert "no longer a number" in table(found, "two rates")


def test_the_search_stops_in_time(base, tmp_path):
    said = []
    assert search(tries(base, tmp_path, "learning_rate=0.05"), time.monotonic() - 1, said.append) is None
    assert said[-1] == "The time is used up; 0 of 1 combinations are finished."


def test_the_table_has_a_row_for_each_combination():
    found = [Tried({"ema": None}, (0.25, 0.5), 3.0), Tried({"ema": 0.9}, (0.125,), 4.0)]
    assert table(found, "resnet18").splitlines()[4:] == [
        "| settings | epoch 1 | epoch 2 | best ↑ | seconds an epoch |",
        "|---|---|---|---|---|",
        "| ema none | 25.0 | 50.0 | 50.0 | 3 |",
        "| ema 0.9 | 12.5 |  | 12.5 | 4 |",
    ]


def test_the_command_writes_the_ranking(base, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(searching, "from_recipe", lambda recipe, **values: base)
    monkeypatch.setattr(searching, "RUNS", tmp_path)
    main(["--model", base.model, "--grid", "learning_rate=0.05"])
    folder = tmp_path / f"search-{base.model}-quick"
    assert "learning_rate" in capsys.readouterr().out
    assert (folder / "results.md").read_text().count("| learning_rate 0.05 |") == 1
    (kept,) = json.loads((folder / "results.json").read_text())
    assert kept["settings"] == {"learning_rate": 0.05}
    assert len(kept["validation"]) == 4


@pytest.mark.parametrize("wrong", ["learning_rate", "schedule=falling", "overrides.dropot=0.5"])
def test_a_mistake_ends_with_a_sentence(wrong, base, monkeypatch):
    monkeypatch.setattr(searching, "from_recipe", lambda recipe, **values: base)
    with pytest.raises(SystemExit) as end:
        main(["--model", base.model, "--grid", wrong])
    assert wrong.partition("=")[0].removeprefix("overrides.") in str(end.value)
