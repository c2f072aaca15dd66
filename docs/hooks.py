"""Hooks of mkdocs: pages that are made from the repository, and a check that the site needs no other host.

Pages of the site that lie elsewhere in the repository are listed in `ELSEWHERE`. A line `<!-- made: NAME -->` in a page
is replaced by what the function of that name in `made.py` returns.
"""

import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))
from made import MADE  # noqa: E402

ELSEWHERE = {
    "models/README.md": "networks/code.md",
    "checkpoints/README.md": "networks/trained.md",
    "CHANGELOG.md": "project/changelog.md",
    "CODE_OF_CONDUCT.md": "project/code-of-conduct.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}
"""File of the repository → page of the site."""

_MARK = re.compile(r"<!-- made: (\w+) -->")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
# What a browser fetches by itself; an <a> is followed only by a reader.
_FETCHED = re.compile(
    r"<(?:script|img|iframe|source|video|link(?![^>]*rel=.?canonical))\b[^>]*\b(?:src|href)=.?(?:https?:)?//"
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of `ELSEWHERE`."""
    for source, page in ELSEWHERE.items():
        text = _LINK.sub(lambda link, page=page: f"]({_from(page, link[1])}", (ROOT / source).read_text("utf-8"))
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, **_) -> str:
    """Fill in what is made."""
    return _MARK.sub(lambda mark: MADE[mark[1]](), markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Fail where a page of the site would make a browser ask another host."""
    for page in Path(config.site_dir).rglob("*.html"):
        if found := _FETCHED.search(page.read_text("utf-8")):
            raise PluginError(f"{page} fetches from another host: {found[0]}")


def _from(page: str, target: str) -> str:
    """A link of a file in the repository, as seen from its page of the site."""
    return "../" * page.count("/") + ELSEWHERE.get(target, target.removeprefix("docs/"))
