"""Pages in two languages, and what a refused request gets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from coig.web.app import make_app
from coig.web.links import BadLinkError
from coig.web.pages import Pages, to_script

TEMPLATE = '{% extends "page.html.j2" %}{% block body %}<p>{{ texts.hello }} {{ name }}</p>{% endblock %}'


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """Return a client of an app with one page, and with addresses that fail in each way."""
    (tmp_path / "hello.html.j2").write_text(TEMPLATE, encoding="utf-8")
    texts = {"hello": {"zh": "您好", "en": "Hello"}, "title": {"zh": "一", "en": "One"}}
    (tmp_path / "hello.json").write_text(json.dumps(texts))
    (tmp_path / "hello.js").write_text('import { el } from "./own.js";')
    (tmp_path / "own.js").write_text('import { say } from "./web.js";\nimport { hello } from "./hello.js";')
    pages = Pages(tmp_path)

    def hello(request: Request) -> Response:
        return pages.render(request, "hello", name="<b>Ann</b>", state={"said": "</script>"})

    def fail(request: Request) -> Response:
        failures = {"gone": HTTPException(410, "no place"), "link": BadLinkError(), "bug": ZeroDivisionError()}
        raise failures[request.path_params["how"]]

    routes = [Route("/a/{name}", hello), Route("/fail/{how}", fail, methods=["GET", "POST"])]
    return TestClient(make_app(routes, pages), raise_server_exceptions=False)


def test_a_page_is_in_the_language_of_the_browser_or_of_its_address(client: TestClient) -> None:
    chinese = client.get("/a/b", headers={"Accept-Language": "fr, zh-CN;q=0.9"}).text
    assert '<html lang="zh-Hans">' in chinese
    assert "您好 &lt;b&gt;Ann&lt;/b&gt;" in chinese
    assert "Hello" in client.get("/a/b?lang=en", headers={"Accept-Language": "zh"}).text
    assert "Hello" in client.get("/a/b?lang=fr", headers={"Accept-Language": "fr"}).text


def test_a_page_s_files_are_relative_and_last(client: TestClient) -> None:
    page = client.get("/a/b").text
    style = re.search(r'href="\.\.(/static/\w+)/base.css"', page)[1]  # type: ignore[index]
    assert client.get(f"{style}/own.js").headers["cache-control"].endswith("immutable")
    assert re.findall(r'modulepreload" href="[./]+/static/\w+/(\w+)\.js"', page) == ["hello", "own", "web"]
    assert client.get(f"{style}/web.js").status_code == 200
    for missing in (f"{style}/hello.json", f"{style}/hello.html.j2", "/static/0/own.js"):
        assert client.get(missing).status_code == 404


def test_no_text_ends_the_script_element(client: TestClient) -> None:
    page = client.get("/a/b").text
    assert page.count("</script>") == 2
    state = json.loads(re.search(r'id="state"[^>]*>(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    assert state["said"] == "</script>"
    assert state["texts"]["theme"] == "Theme"
    assert json.loads(to_script("\u2028&<!--")) == "\u2028&<!--"
    assert not re.search("[\u2028&<]", to_script("\u2028&<!--"))


@pytest.mark.parametrize(
    ("path", "status", "zh", "en"),
    [
        ("/fail/gone", 410, "名额已满", "All places are taken"),
        ("/fail/link", 403, "此链接无效", "This link is not valid"),
        ("/fail/bug", 500, "服务器出错了", "The server has failed"),
        ("/nothing/at/all", 404, "这里什么也没有", "There is nothing here"),
    ],
)
def test_a_failure_is_a_page_for_people_and_json_for_scripts(
    client: TestClient, path: str, status: int, zh: str, en: str
) -> None:
    for lang, text in (("zh", zh), ("en", en)):
        reply = client.get(path, headers={"Accept-Language": lang})
        assert (reply.status_code, text in reply.text) == (status, True)
        assert reply.headers["content-security-policy"].startswith("default-src 'none'")
        assert "Traceback" not in reply.text
    if "fail" in path:
        sent = client.post(path, headers={"Accept-Language": "zh"})
        assert sent.status_code == status
        assert sent.json()["error"].startswith("no place" if status == 410 else zh)
