"""Drawn faces: what they promise to whoever shows them or trains with them."""

from dataclasses import asdict, replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from PIL import Image, ImageFilter

from models.datasets.faceset import EMOTIONS, FaceSet
from models.datasets.splits import split
from models.datasets.synthetic.anatomy import Expression, Person
from models.datasets.synthetic.drawing import Pose, Scene
from models.datasets.synthetic.faces import EXPRESSIONS, STICKERS, draw, draw_face, render, vary
from models.datasets.synthetic.sets import drawn_set, save_drawn

EYES = np.s_[80:110, 55:190]  # rows and columns at 240 pixels
MOUTH = np.s_[165:235, 75:165]


@cache
def large(emotion):
    """The default person at 240 pixels."""
    return draw_face(emotion, 240)


def test_the_emotions_are_those_of_fer2013_and_contempt():
    assert set(EXPRESSIONS) == {"angry", "disgust", "fear", "happy", "neutral", "sad", "surprise", "contempt"}


def test_a_drawn_face_has_the_size_that_was_requested_and_uses_the_gray_scale(subtests):
    for emotion, size in product(EXPRESSIONS, [8, 48, 97, 480]):
        with subtests.test(emotion, size=size):
            face = draw_face(emotion, size)
            assert face.shape == (size, size)
            assert face.dtype == np.uint8
            assert int(face.max()) - int(face.min()) > 80


def test_the_default_size_is_that_of_fer2013():
    assert draw_face("happy").shape == (48, 48)


@pytest.mark.parametrize("seed", [None, 0, 12345])
def test_equal_arguments_give_equal_pixels(seed):
    np.testing.assert_array_equal(draw_face("fear", 48, seed), draw_face("fear", 48, seed))


def test_each_seed_draws_another_face():
    faces = {draw_face("sad", 48, seed).tobytes() for seed in [None, *range(10)]}
    assert len(faces) == 11


def test_no_two_emotions_look_alike():
    faces = {emotion: draw_face(emotion, 48).astype(float) for emotion in EXPRESSIONS}
    for first in faces:
        for second in set(faces) - {first}:
            assert np.abs(faces[first] - faces[second]).mean() > 1, (first, second)


def test_one_seed_is_one_person_in_every_emotion():
    corners = {int(draw_face(emotion, 48, seed=3)[-1, 0]) for emotion in EXPRESSIONS}
    assert len(corners) == 1  # the background belongs to the person


def test_a_large_drawing_reduced_equals_a_small_one():
    large = Image.fromarray(draw_face("happy", 480)).resize((48, 48), Image.Resampling.BOX)
    assert np.abs(np.asarray(large, dtype=float) - draw_face("happy", 48)).mean() < 2


def test_fear_and_surprise_show_more_white_of_the_eyes_than_every_other_emotion():
    white = {emotion: int((large(emotion)[EYES] > 235).sum()) for emotion in EXPRESSIONS}
    wide = {"fear", "surprise"}
    assert min(white[e] for e in wide) > 1.3 * max(white[e] for e in set(white) - wide)


def test_the_open_mouth_of_surprise_is_the_darkest():
    dark = {emotion: int((large(emotion)[MOUTH] < 40).sum()) for emotion in EXPRESSIONS}
    assert dark["surprise"] > 2 * max(count for emotion, count in dark.items() if emotion != "surprise")


def test_a_smile_turns_the_line_between_the_lips_the_other_way_than_sadness():
    def sag(emotion):  # how far the dark line is lower in the middle than towards the corners, in pixels
        dark = large(emotion)[MOUTH] < 60
        rows = [np.flatnonzero(dark[:, column])[0] for column in (20, 45, 70)]
        return rows[1] - (rows[0] + rows[2]) / 2

    assert sag("happy") > 3
    assert sag("sad") < -3


def test_only_contempt_pulls_up_one_corner_of_the_mouth():
    def lopsided(emotion):
        mouth = large(emotion)[MOUTH].astype(float)
        mouth -= mouth.mean(axis=0)  # the light falls from one side
        return np.abs(mouth - mouth[:, ::-1]).mean()

    others = [lopsided(emotion) for emotion in EXPRESSIONS if emotion != "contempt"]
    assert lopsided("contempt") > 1.5 * max(others)


def test_an_unknown_emotion_is_refused_with_the_possible_ones():
    with pytest.raises(ValueError, match=r'emotion="joy".*angry.*happy.*surprise'):
        draw_face("joy")


def test_a_size_that_holds_no_face_is_refused():
    with pytest.raises(ValueError, match="size=7"):
        draw_face("happy", 7)


# ------------------------------------------------------------------------------------------------ pose and scene


def difference(first, second):
    return np.abs(first.astype(float) - second.astype(float))


def test_without_a_seed_the_head_stands_upright_before_a_plain_background():
    made = vary(EXPRESSIONS["fear"], None)
    assert (made.expression, made.person, made.pose, made.scene) == (EXPRESSIONS["fear"], Person(), Pose(), Scene())
    np.testing.assert_array_equal(render("fear").image, draw_face("fear"))


def test_a_seed_decides_person_pose_and_scene_and_varies_movements_a_little():
    happy, sad = vary(EXPRESSIONS["happy"], 7), vary(EXPRESSIONS["sad"], 7)
    assert (happy.person, happy.pose, happy.scene) == (sad.person, sad.pose, sad.scene)
    for name, strength in asdict(EXPRESSIONS["happy"]).items():
        assert 0.75 * abs(strength) <= abs(getattr(happy.expression, name)) <= 1.15 * abs(strength)


def test_seeds_keep_the_head_within_the_poses_that_are_promised():
    poses = [vary(EXPRESSIONS["neutral"], seed).pose for seed in range(50)]
    assert max(abs(p.turn) for p in poses) <= 12
    assert max(abs(p.yaw) for p in poses) <= 14
    assert max(abs(p.right) + abs(p.down) for p in poses) <= 0.08
    assert all(0.92 <= p.zoom <= 1.08 for p in poses)
    assert len({p.mirrored for p in poses}) == 2


def test_a_rotated_head_is_the_upright_one_rotated():
    upright = Image.fromarray(render("happy", size=240).image)
    turned = render("happy", pose=Pose(turn=10), size=240).image
    expected = np.asarray(upright.rotate(-10, Image.Resampling.BICUBIC))  # PIL counts the other way round
    middle = np.s_[50:190, 50:190]
    assert difference(turned, expected)[middle].mean() < 2
    assert difference(turned, np.asarray(upright))[middle].mean() > 8


def test_a_mirrored_head_is_the_mirror_image():
    mirrored = render("contempt", pose=Pose(mirrored=True), size=96).image
    assert difference(mirrored, render("contempt", size=96).image[:, ::-1]).mean() < 1.5


def test_looking_to_the_right_moves_the_nose_further_than_the_edge_of_the_face():
    straight, turned = (render("neutral", pose=Pose(yaw=yaw), size=96, sticker="left cheek") for yaw in (0, 14))

    def moved(before, after):  # columns from the middle of one mask to that of the other
        return np.nonzero(after)[1].mean() - np.nonzero(before)[1].mean()

    nostrils = [drawn.image[58:66, 38:62] < 60 for drawn in (straight, turned)]
    assert moved(*nostrils) > moved(straight.sticker, turned.sticker) > 0


def test_the_background_can_slope_and_have_blobs_and_the_image_grain():
    plain = render("neutral").image
    sloped = render("neutral", scene=Scene(slope=0.4)).image.astype(int)
    assert sloped[-1, -1] - sloped[-1, 0] > 80
    for scene in (Scene(blobs=0.15), Scene(grain=0.02), Scene(light=1.0), Scene(shading=0.2)):
        assert difference(render("neutral", scene=scene).image, plain).mean() > 0.5, scene
    np.testing.assert_array_equal(
        *(render("neutral", scene=Scene(blobs=0.1, grain=0.02, seed=3)).image for _ in range(2))
    )


# ------------------------------------------------------------------------------------------------ evidence


def widened(mask):
    """One pixel more on every side."""
    image = Image.fromarray((255 * mask).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.MaxFilter(3))) / 255


def without_twitches(expression):
    """What moves less than 0.2 alone: it counts as rest."""
    return Expression(**{name: strength if abs(strength) < 0.2 else 0 for name, strength in asdict(expression).items()})


@pytest.mark.parametrize("emotion", [e for e in EXPRESSIONS if e != "neutral"])
def test_what_an_expression_changes_lies_in_its_evidence(emotion):
    shares = []
    for seed in (None, 0, 1):
        made = vary(EXPRESSIONS[emotion], seed)
        drawn = render(made.expression, made.person, made.pose, made.scene)
        rest = render(without_twitches(made.expression), made.person, made.pose, made.scene)
        changed = difference(drawn.image, rest.image)
        shares.append((changed * widened(drawn.evidence)).sum() / changed.sum())
    assert min(shares) > 0.9


@pytest.mark.parametrize("emotion", EXPRESSIONS)
def test_the_evidence_is_a_smaller_part_of_the_image(emotion):
    for seed in (None, 1):
        drawn = draw(emotion, seed=seed)
        assert drawn.emotion == emotion
        assert drawn.evidence.shape == drawn.image.shape
        assert drawn.evidence.dtype == np.float32
        assert drawn.evidence.min() == 0
        assert drawn.evidence.max() == 1
        assert 0.08 < drawn.evidence.mean() < 0.4


def test_the_marked_parts_are_those_whose_action_units_move():
    assert render(Expression(brow_lower=1)).parts == ("frown", "brows")
    assert render(Expression(jaw=0.8)).parts == ("mouth",)
    assert render(Expression(lid=-0.5)).parts == ("eyes",)
    assert render(Expression(nose_wrinkle=1)).parts == ("nose", "folds")
    assert "brows" not in draw("happy", seed=3).parts
    assert draw("surprise").parts == ("forehead", "brows", "eyes", "mouth")


def test_a_face_at_rest_is_marked_where_nothing_moved():
    assert draw("neutral", seed=4).parts == ("brows", "eyes", "mouth")
    assert render(Expression(corners=0.1)).parts == ("brows", "eyes", "mouth")


def test_the_evidence_turns_with_the_head():
    upright, turned = (render("sad", pose=Pose(turn=turn), size=96).evidence for turn in (0, 12))
    expected = np.asarray(Image.fromarray(upright).rotate(-12, Image.Resampling.BILINEAR))
    assert difference(turned, expected).mean() < 0.01


def test_an_expression_of_ones_own_can_be_drawn():
    wink = replace(EXPRESSIONS["happy"], brow_lower=0.8)
    drawn = render(wink, person=Person(skin=0.6), pose=Pose(turn=-8), scene=Scene(background=0.7), size=64)
    assert drawn.image.shape == (64, 64)
    assert drawn.emotion is None
    assert "brows" in drawn.parts


# ------------------------------------------------------------------------------------------------ sticker and sets


@pytest.mark.parametrize("place", STICKERS)
def test_a_sticker_changes_only_what_its_mask_marks_and_covers_the_evidence_there(place):
    bare, stuck = draw("happy", seed=2), draw("happy", seed=2, sticker=place)
    assert bare.sticker is None
    assert 3 < stuck.sticker.sum() < 40  # pixels of 48 × 48
    np.testing.assert_array_equal(stuck.image[stuck.sticker == 0], bare.image[stuck.sticker == 0])
    assert difference(stuck.image, bare.image)[stuck.sticker == 1].mean() > 20
    assert not stuck.evidence[stuck.sticker == 1].any()


@pytest.fixture(scope="module")
def plain():
    return drawn_set(3, size=24, seed=1)


def test_a_drawn_set_is_balanced_and_has_the_parts_of_the_official_split(plain):
    assert plain.faces.counts() == {"Training": [3] * 7, "PublicTest": [1] * 7, "PrivateTest": [1] * 7}
    assert plain.faces.classes == EMOTIONS
    assert plain.evidence.shape == plain.faces.images.shape == (35, 24, 24)
    assert plain.evidence.dtype == plain.faces.images.dtype == np.uint8
    assert plain.stickers is None
    assert len(split(plain.faces, "official").test) == 7
    assert len(set(plain.faces.names)) == 35


def test_no_image_is_drawn_twice(plain):
    other = drawn_set(1, size=24, seed=2, classes=EMOTIONS[:3]).faces.images
    assert len({image.tobytes() for image in (*plain.faces.images, *other)}) == len(plain.faces) + len(other)


def test_one_seed_draws_the_same_set_again():
    first, second = (drawn_set(2, size=24, seed=1, classes=("fear", "sad")) for _ in range(2))
    assert first.faces.fingerprint == second.faces.fingerprint
    np.testing.assert_array_equal(first.evidence, second.evidence)


def test_a_planted_sticker_marks_one_class_in_training_and_nothing_in_the_tests():
    drawn = drawn_set(8, 16, classes=("angry", "happy"), sticker_class="happy", test_share=1)
    has = drawn.stickers.any(axis=(1, 2))
    training, happy = drawn.faces.splits == "Training", drawn.faces.labels == 1
    assert has[training & happy].mean() > 0.8
    assert not has[training & ~happy].any()
    for label in (happy, ~happy):
        assert 0.2 < has[~training & label].mean() < 0.8


def test_the_same_test_faces_can_be_had_without_and_with_the_sticker():
    bare, stuck = (
        drawn_set(1, 24, classes=("sad", "happy"), sticker_class="happy", sticker_test_share=share) for share in (0, 1)
    )
    tests = bare.faces.splits != "Training"
    assert not bare.stickers[tests].any()
    assert stuck.stickers[tests].any(axis=(1, 2)).all()
    outside = (stuck.stickers == 0) & tests[:, None, None]
    np.testing.assert_array_equal(bare.faces.images[outside], stuck.faces.images[outside])


def test_a_saved_set_is_read_as_any_other_and_holds_its_masks(tmp_path):
    calls = []
    path = tmp_path / "sets" / "drawn.npz"
    saved = save_drawn(path, count=1, size=16, sticker="sad", progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (21, 21)
    assert FaceSet.load(path).fingerprint == saved.faces.fingerprint
    with np.load(path) as file:
        np.testing.assert_array_equal(file["evidence"], saved.evidence)
        np.testing.assert_array_equal(file["stickers"], saved.stickers)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"n_per_class": 0}, "n_per_class=0.*at least one"),
        ({"size": 7}, "size=7"),
        ({"seed": -1}, "seed=-1.*from 0 up"),
        ({"classes": ("happy", "joy")}, 'emotion="joy".*choose one of'),
        ({"classes": ("happy",)}, "two classes"),
        ({"classes": ("happy", "happy")}, "each once"),
        ({"sticker_class": "contempt"}, 'sticker_class="contempt" is not in the set.*happy'),
        ({"sticker_class": "happy", "sticker_place": "nose"}, 'sticker="nose".*forehead'),
        ({"sticker_share": 1.5}, "sticker_share=1.5.*0 to 1"),
        ({"test_share": -0.1}, "test_share=-0.1"),
    ],
)
def test_a_set_that_cannot_be_drawn_is_refused_with_what_to_do(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        drawn_set(**{"n_per_class": 1, **values})


def test_a_count_of_nothing_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="count=0"):
        save_drawn(tmp_path / "drawn.npz", count=0)
    assert not list(tmp_path.iterdir())


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match=r"seed=-2.*from 0 up"):
        draw_face("happy", seed=-2)


def test_a_sticker_without_a_place_is_refused():
    with pytest.raises(ValueError, match=r'sticker="nose".*left cheek'):
        draw("happy", sticker="nose")
