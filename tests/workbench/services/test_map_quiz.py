import itertools

import pytest
import torch

from workbench import faces, services
from workbench.services import map_quiz

N = map_quiz.GRID


def one_cell(cell: int, side: int = 48) -> torch.Tensor:
    """A map with everything in one cell."""
    values, step = torch.zeros(side, side), side // N
    row, column = divmod(cell, N)
    values[row * step : (row + 1) * step, column * step : (column + 1) * step] = 2.5
    return values


def test_the_cell_that_holds_everything_scores_one_and_its_neighbor_nothing():
    right, wrong = (map_quiz.score(one_cell(8), [cell]) for cell in (8, 9))
    assert (right.mass, right.overlap, right.most, right.strongest) == (1, 1, 1, (8,))
    assert (wrong.mass, wrong.overlap) == (0, 0)
    assert right.area == pytest.approx(1 / 36)


def test_all_cells_together_hold_the_whole_map_as_a_random_guess_of_that_size():
    found = map_quiz.score(torch.rand(48, 48, generator=torch.Generator().manual_seed(0)), range(36))
    for value in (found.mass, found.area, found.most, found.overlap, found.random_overlap):
        assert value == pytest.approx(1)


@pytest.mark.parametrize("side", [44, 48, 50, 224])
def test_each_pixel_counts_for_one_cell_at_every_size(side):
    values = torch.rand(side, side, generator=torch.Generator().manual_seed(1))
    cells = map_quiz.in_cells(values)
    assert cells.shape == (36,)
    assert cells.sum() == pytest.approx(float(values.sum()), rel=1e-4)
    by_hand = sum(
        float(values[y, x]) for y in range(side) for x in range(side) if (y * N // side, x * N // side) == (2, 3)
    )
    assert cells[2 * N + 3] == pytest.approx(by_hand, rel=1e-4)


def test_what_a_random_guess_gets_is_the_mean_over_all_guesses():
    values = torch.rand(N, N, generator=torch.Generator().manual_seed(2))
    scores = [map_quiz.score(values, cells) for cells in itertools.combinations(range(36), 2)]
    mass = sum(s.mass for s in scores) / len(scores)
    overlap = sum(s.overlap for s in scores) / len(scores)
    assert mass == pytest.approx(scores[0].area, abs=1e-6)
    assert overlap == pytest.approx(scores[0].random_overlap, abs=1e-9)
    assert max(s.mass for s in scores) == pytest.approx(scores[0].most)
    assert max(s.reached for s in scores) == pytest.approx(1)


def test_cells_that_hold_nothing_are_not_among_the_strongest():
    found = map_quiz.score(one_cell(0), [0, 1, 2])
    assert found.strongest == (0,)
    assert found.overlap == pytest.approx(1 / 3)
    assert found.mass == 1


def test_a_blank_map_has_no_score():
    assert map_quiz.score(torch.zeros(48, 48), [3]) is None


@pytest.mark.parametrize("cells", [[], [-1], [36], [0, 99]])
def test_cells_outside_of_the_grid_are_refused(cells):
    with pytest.raises(ValueError, match="cells="):
        map_quiz.score(torch.ones(48, 48), cells)


def test_cells_are_named_as_on_a_chessboard():
    assert [services.map_quiz.cell_name(cell) for cell in (0, 5, 6, 35)] == ["A1", "F1", "A2", "F6"]


def test_the_truth_of_a_drawn_face_is_known_and_that_of_a_photograph_is_not():
    drawn, photograph = faces.load_sample("drawn_surprise"), faces.load_sample("astronaut")
    assert services.map_quiz.drawn_as(drawn) == "surprise"
    assert services.map_quiz.drawn_as(photograph) is None
    assert services.map_quiz.evidence(photograph, 48) is None
    mask = services.map_quiz.evidence(drawn, 48)
    assert mask.shape == (48, 48)
    assert 0 <= mask.min() < mask.max() <= 1


def test_a_guess_is_scored_against_the_map_and_against_the_features_of_a_drawn_face():
    face = faces.load_sample("drawn_surprise")
    explanation = services.explain(face)
    heat = explanation.map_of("surprise")
    best = map_quiz.score(heat, [0, 1, 2, 3]).strongest
    found = services.map_quiz.guess(explanation, face, "surprise", best)
    assert found.map.overlap == 1
    assert found.map.mass == pytest.approx(found.map.most) == pytest.approx(float(found.map.cells[list(best)].sum()))
    assert found.truth.mass == pytest.approx(found.map_truth.mass)
    assert found.truth.strongest == map_quiz.score(services.map_quiz.evidence(face, 48), best).strongest
    assert found.picked == tuple(sorted(best))


def test_what_was_drawn_is_evidence_for_its_own_expression_alone():
    face = faces.load_sample("drawn_surprise")
    found = services.map_quiz.guess(services.explain(face), face, "sad", [0])
    assert found.truth is found.evidence is found.map_truth is None
