"""Opening a page of the app by a link, without a browser; for the tests of pages."""

from streamlit.testing.v1 import AppTest

from workbench.navigation import FOLDER

APP = FOLDER.parent / "workbench" / "app.py"


def opened(page: str, **link: str | list[str]) -> AppTest:
    """A page such as "svd.py", by a link with these parameters; it stands without an error."""
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.query_params.update(link)
    app.switch_page(f"../pages/{page}").run()
    assert not app.exception
    assert not app.error
    return app


def text_of(app: AppTest) -> str:
    """The words of the page and of its toolbar, captions left out."""
    main = app.main
    return "\n".join(element.value for element in [*main.markdown, *main.info, *main.warning])
