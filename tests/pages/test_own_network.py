"""Every page follows the card of a user's network: RGB, three classes, an output with fields."""

import pytest
from helpers.own_networks import add_rgb, own_folder
from helpers.page_visits import opened, text_of

from models import checkpoints


@pytest.fixture
def own(tmp_path, monkeypatch, quick):
    with own_folder(tmp_path, monkeypatch) as folder:
        (folder / "checkpoints" / "residual_cnn").symlink_to(checkpoints.SHIPPED / "checkpoints" / "residual_cnn")
        yield add_rgb(folder)


def test_every_page_opens_with_an_rgb_network_of_other_classes(own):
    for page in ("explain", "compare", "attention", "frequency", "svd", "robustness", "metrics", "dataset", "train"):
        app = opened(f"{page}.py", network=own, face="astronaut")
        assert app.session_state["network"] == own, page
        if page == "explain":
            assert "32 × 32 RGB pixels" in "\n".join(each.value for each in app.caption) + text_of(app)
