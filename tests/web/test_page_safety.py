"""
What the pages let a browser do, and the files that they consist of.
"""

import re
from importlib.resources import files
from inspect import getdoc

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.tokens import SCOPES
from cvmpair.web.documents import CreatePin, NewPin, html
from cvmpair.web.problems import PROBLEM_TYPES
from tests.web.wire import Answer, Disk, Wire

PAGES = [("GET", "/"), ("POST", "/"), ("GET", "/problems")]
ASSETS = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}
REFERENCES = ("href", "src", "action", "srcset", "data", "poster", "formaction")
NAMESPACES = {"http://www.w3.org/2000/svg"}


@pytest.fixture
def wire(clock: Clock) -> Wire:
    return Wire(clock)


def assert_safe(answer: Answer) -> None:
    headers = answer.headers
    assert set(headers["Content-Security-Policy"].split("; ")) == POLICY
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert not any(name.startswith("Access-Control-") for name in headers)


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_the_headers_of_a_page(wire: Wire, method: str, path: str) -> None:
    answer = wire.ask(method, path)
    assert_safe(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path"), [*PAGES, *[("GET", f"/assets/{name}") for name in ASSETS]]
)
def test_what_a_browser_heeds_over_tls_only(wire: Wire, method: str, path: str) -> None:
    expected = {
        "Strict-Transport-Security": "max-age=86400",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    answer = wire.ask(method, path, secure=True)
    assert_safe(answer)
    assert expected.items() <= answer.headers.items()
    assert expected.keys().isdisjoint(wire.ask(method, path).headers)


def test_the_headers_of_a_page_with_an_error(clock: Clock) -> None:
    answer = Wire(clock, disk=Disk(writable=False)).ask("POST", "/")
    assert answer.status == 503
    assert_safe(answer)


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_a_page_has_no_script_or_style_of_its_own(
    wire: Wire, method: str, path: str
) -> None:
    for element in wire.ask(method, path).document().iter():
        assert element.tag != "style"
        assert not any(name.startswith("on") for name in element.attrib)
        assert "style" not in element.attrib
        if element.tag == "script":
            assert not "".join(element.itertext()).strip()
            assert element.attrib["src"].startswith("/assets/")


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_a_page_refers_only_to_what_is_there(
    wire: Wire, method: str, path: str
) -> None:
    page = wire.ask(method, path)
    targets = {
        element.attrib[name]
        for element in page.document().iter()
        for name in REFERENCES
        if name in element.attrib
    }
    assert {"/assets/page.css", "/assets/icon.svg"} <= targets
    for target in targets:
        if target.startswith("#"):
            page.by_id(target[1:])
        else:
            assert re.fullmatch(r"/([a-z].*)?", target)
            assert wire.ask("GET", target).status == 200


@pytest.mark.parametrize("name", ASSETS)
def test_no_file_refers_to_another_origin(name: str) -> None:
    text = files("cvmpair.web").joinpath("assets", name).read_text()
    assert set(re.findall(r"\w+://[^\s\"')]+", text)) <= NAMESPACES
    assert "@import" not in text
    assert "url(" not in text


@pytest.mark.parametrize("name", ASSETS)
def test_a_file(wire: Wire, name: str) -> None:
    answer = wire.ask("GET", f"/assets/{name}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == ASSETS[name]
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.body == files("cvmpair.web").joinpath("assets", name).read_bytes()
    assert_safe(answer)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"sesame", {}', '{}, "sesame"', "*"])
def test_a_file_that_the_browser_has(wire: Wire, form: str) -> None:
    tag = wire.ask("GET", "/assets/page.css").headers["ETag"]
    assert re.fullmatch(r'"[0-9a-f]{16}"', tag)
    headers = {"If-None-Match": form.format(tag)}
    for method in ("GET", "HEAD"):
        answer = wire.ask(method, "/assets/page.css", headers)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == tag


@pytest.mark.parametrize("form", ['"sesame"', 'W/"sesame"', "sesame", "", '"'])
def test_a_file_of_another_version(wire: Wire, form: str) -> None:
    answer = wire.ask("GET", "/assets/page.css", {"If-None-Match": form})
    assert answer.status == 200


def test_each_file_has_its_own_tag(wire: Wire) -> None:
    tags = {wire.ask("GET", f"/assets/{name}").headers["ETag"] for name in ASSETS}
    assert len(tags) == len(ASSETS)


@pytest.mark.parametrize("name", ["create.xml", "layout.xml", "sesame", "..", "%2e%2e"])
def test_nothing_else_is_served(wire: Wire, name: str) -> None:
    answer = wire.ask("GET", f"/assets/{name}")
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_all_of_it_is_small(wire: Wire) -> None:
    answers = [wire.ask("GET", f"/assets/{name}") for name in ASSETS]
    page = wire.ask("POST", "/")
    assert sum(len(answer.body) for answer in [page, *answers]) < 20_000


def test_what_is_put_into_a_page_is_escaped() -> None:
    hostile = """</textarea></title><script>'"&sesame;"""
    tokens = dict.fromkeys(SCOPES, hostile)
    new = NewPin(pin=hostile, url=hostile, deadline=0.0, tokens=tokens)
    page = html(hostile, CreatePin(new, error=hostile), secure=False)
    response = Deferred.fromCoroutine(page).result
    answer = Answer(200, {"Content-Type": "text/html; charset=utf-8"}, response.body)
    assert answer.text("error") == hostile
    assert answer.text("pin") == hostile
    assert answer.text("worker").count(hostile) == 3
    assert answer.text("tokens").count(hostile) == 6
    assert answer.document().findtext(".//title").startswith(hostile)
    assert len(answer.document().findall(".//script")) == 1


def test_every_problem_is_explained(wire: Wire) -> None:
    page = wire.ask("GET", "/problems")
    sections = page.document().findall(".//section")
    assert [section.attrib["id"] for section in sections] == [
        kind.name for kind in PROBLEM_TYPES.values()
    ]
    for error, kind in PROBLEM_TYPES.items():
        text = " ".join(page.text(kind.name).split())
        assert text.startswith(f"{kind.title} {kind.status} {kind.name} ")
        for words in (getdoc(error), kind.remedy):
            assert " ".join(words.replace("``", "").split()) in text
            assert words.endswith(".")


def test_a_problem_points_to_its_explanation(wire: Wire) -> None:
    problem = wire.ask("GET", "/api/v1/clusters/sesame")
    (name,) = re.findall(rb'"type": "/problems#([a-z-]+)"', problem.body)
    assert "No such cluster" in wire.ask("GET", "/problems").text(name.decode())
