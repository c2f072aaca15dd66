"""About: where the documentation lies."""

import re

from streamlit.testing.v1 import AppTest

from workbench.navigation import FOLDER, PAGES


def test_the_guide_of_every_page_is_where_about_says():
    app = AppTest.from_file(str(FOLDER.parent / "workbench" / "app.py"), default_timeout=300)
    app.switch_page("../pages/about.py").run()
    assert not app.exception
    guides = re.findall(r"`(docs/\S+\.md)`", "".join(m.value for m in app.markdown))
    assert len(guides) == len(PAGES) + 1
    assert all((FOLDER.parent / guide).is_file() for guide in guides)
