from workbench.analysis.colors import EMOTION_COLORS, class_colors


def test_classes_that_are_no_emotions_have_colors_of_their_own():
    colors = class_colors(("happy", "engaged", "bored", "neutral"))
    assert (colors[0], colors[3]) == (EMOTION_COLORS["happy"], EMOTION_COLORS["neutral"])
    assert len({*EMOTION_COLORS.values(), *colors}) == len(EMOTION_COLORS) + 2
