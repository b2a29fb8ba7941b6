"""Render pages in both languages from templates, texts, scripts and styles, which lie together in a folder `pages`.

The page `name` has a template `name.html.j2`, which extends the shared `page.html.j2`, and texts in `name.json`. It may
have a script `name.js`.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from coig.web.languages import OTHER, TAGS, language_of_request, read_texts

SHARED = Path(__file__).parent / "pages"
IMPORT = re.compile(r'from "\./([\w.]+)"')
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class Pages:
    """The templates, texts, scripts and styles of a stage's pages, and those that all stages share."""

    def __init__(self, folder: Path) -> None:
        """Read the scripts, styles and pictures of a stage's folder and the shared one, but not yet the templates."""
        self._folders = folder, SHARED
        files = sorted(file for one in self._folders for file in one.iterdir() if file.suffix in TYPES)
        self._static = {file.name: file.read_bytes() for file in files}
        self.version = hashlib.sha256(b"".join(self._static.values())).hexdigest()[:12]
        self._environment = Environment(
            loader=FileSystemLoader(self._folders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["script"] = to_script

    def texts(self, name: str, lang: str) -> dict[str, str]:
        """Return {name: text} in one language: the texts of a page, and those that all pages share."""
        (file,) = (folder / f"{name}.json" for folder in self._folders if (folder / f"{name}.json").exists())
        return read_texts(SHARED / "page.json", lang) | read_texts(file, lang)

    def render(
        self,
        request: Request,
        name: str,
        /,
        *,
        status: int = 200,
        state: dict[str, Any] | None = None,
        **variables: Any,
    ) -> Response:
        """Return the page `name` as HTML in the language of the request. No cache may keep it.

        Args:
            status: the HTTP status of the answer.
            state: what the page's scripts need; the texts are added to it.
            variables: what the template needs.
        """
        lang = language_of_request(request)
        texts = self.texts(name, lang)
        root = "../" * (request.url.path.count("/") - 1) or "./"  # relative: a proxy may serve us below any path
        page = self._environment.get_template(f"{name}.html.j2").render(
            lang=TAGS[lang],
            other=OTHER[lang],
            texts=texts,
            static=f"{root}static/{self.version}",
            modules=self._find_modules(f"{name}.js"),
            state={"texts": texts} | (state or {}),
            **variables,
        )
        return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})

    def _find_modules(self, name: str) -> list[str]:
        """Return the names of a script and of all that it imports, also indirectly; [] if there is no such script."""
        found = [name] if name in self._static else []
        for module in found:  # which grows
            found += [one for one in IMPORT.findall(self._static[module].decode()) if one not in found]
        return found

    def show_error(self, request: Request, status: int, detail: str) -> Response:
        """Return the answer to a request that is refused: JSON {error: message} to a POST, otherwise the error page.

        The message is `detail` or, if that is "", the text for the HTTP status.
        """
        texts = self.texts("error", language_of_request(request))
        if request.method == "POST":
            return JSONResponse({"error": detail or texts.get(str(status), texts["else"])}, status)
        return self.render(request, "error", status=status, code=str(status), detail=detail)

    def serve_static(self, request: Request) -> Response:
        """Return a script, style or picture; browsers may keep it, as its address holds the version of all of them.

        Raises HTTPException 404 for an unknown name or another version.
        """
        name = request.path_params["name"]
        if name not in self._static or request.path_params["version"] != self.version:
            raise HTTPException(404, "")
        lasting = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self._static[name], media_type=TYPES[Path(name).suffix], headers=lasting)


def render_markdown(text: str, *, plain: bool = False) -> Markup:
    """Return Markdown as HTML. HTML tags in it are shown as text; images are never loaded, only linked.

    With `plain`, links and images stay as they are written.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    if plain:
        parser.disable(["link", "autolink", "reference"])
    return Markup(parser.render(text))


def to_script(value: Any) -> Markup:
    """Return a value as JSON for a <script> element, escaped so that no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character, escape in ESCAPES.items():
        text = text.replace(character, escape)
    return Markup(text)
