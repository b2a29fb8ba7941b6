"""Add to the site what lies outside of docs/: the README and its like, files of code that pages link to, the reference.

mkdocs.yml names this file as a hook. Nothing that it makes is written to docs/.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from recipes.site.rendering import write_pages

ROOT = Path(__file__).parents[2]
OUTSIDE = {  # path in the repository: path in the site
    "README.md": "index.md",
    "benchmarks/README.md": "benchmarks.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "coig/sample/tiny/README.md": "embedded_model.md",
}
LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)\s#]+)")  # the path of a relative link, without its #heading


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside of docs/, the reference, and a page for each file of code that is linked to."""
    made = {place: (ROOT / path).read_text(encoding="utf-8") for path, place in OUTSIDE.items()} | write_pages()
    linked = {target for path in _pages() for target in _targets(path, (ROOT / path).read_text(encoding="utf-8"))}
    made |= {_place(path): _show_code(path) for path in sorted(linked) if _place(path).startswith("source/")}
    made["index.md"] = "---\nhide: [navigation]\n---\n" + made["index.md"]  # which would name this page alone
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page's Markdown with its relative links, which lead through the repository, leading through the site."""
    place = page.file.src_uri
    path = next((path for path, there in OUTSIDE.items() if there == place), f"docs/{place}")
    here = posixpath.dirname(place)
    return LINK.sub(lambda link: posixpath.relpath(_place(_resolve(path, link[0])), here or "."), markdown)


def _pages() -> list[str]:
    """Return the paths in the repository of all pages that people wrote."""
    return [*OUTSIDE, *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").rglob("*.md")))]


def _targets(path: str, text: str) -> set[str]:
    """Return the paths in the repository to which a page links."""
    return {_resolve(path, link) for link in LINK.findall(text)}


def _resolve(path: str, link: str) -> str:
    """Return the path in the repository to which a relative link on a page leads."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), link))


def _place(path: str) -> str:
    """Return where the site has a file of the repository."""
    return path.removeprefix("docs/") if path.startswith("docs/") else OUTSIDE.get(path, f"source/{path}.md")


def _show_code(path: str) -> str:
    """Return a page that shows a file of code, which the search leaves out."""
    language, text = Path(path).suffix.removeprefix("."), (ROOT / path).read_text(encoding="utf-8")
    return f"---\nsearch:\n  exclude: true\n---\n# {path}\n\n````{language}\n{text}````\n"
