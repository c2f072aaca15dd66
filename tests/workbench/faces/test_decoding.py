"""Damaged image files: each gives an image or a sentence, never a crash, and takes no long time."""

import numpy as np
import pytest
from damaged_images import damaged, read, valid_files

FILES = valid_files()


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_file_gives_an_image_or_a_sentence(kind):
    rng = np.random.default_rng(0)
    found = {read(damaged(FILES[kind], rng)) for _ in range(250)}
    assert found == {"image", "refused"}


@pytest.mark.parametrize("kind", FILES)
def test_an_undamaged_file_is_an_image(kind):
    assert read(FILES[kind]) == "image"
