"""
The page on which a person creates a PIN, as a browser without JavaScript sees it.
"""

import re

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.errors import StoreUnavailable
from cvmpair.core.model import Limits
from cvmpair.core.names import is_pin
from tests.conftest import LogEvents
from tests.web.wire import Answer, Disk, Wire, read_answer

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def ucontext(text: str) -> dict[str, str]:
    """
    Read a context as parse_user_data of CernVM's boot loader does.

    It knows no white space around a marker, and no other line end.
    """
    found = {}
    inside = False
    for line in text.split("\n"):
        if line == "[ucernvm-end]":
            break
        if inside and "=" in line:
            key, _, value = line.partition("=")
            if value.lower() in ("yes", "on", "true"):
                value = "1"
            found["_UCONTEXT_" + key.upper()] = value
        inside = inside or line == "[ucernvm-begin]"
    return found


def button(answer: Answer) -> str | None:
    """
    Return what the button of the form says.
    """
    return answer.by_id("create").findtext("button")


@pytest.fixture
def wire(clock: Clock) -> Wire:
    return Wire(clock)


@pytest.fixture
def made(wire: Wire) -> Answer:
    """
    The answer to the form.
    """
    return wire.ask("POST", "/", BROWSER)


def test_the_form_is_there_and_shows_no_pin(wire: Wire) -> None:
    answer = wire.ask("GET", "/", BROWSER)
    assert answer.status == 200
    form = answer.by_id("create")
    assert form.attrib["method"] == "post"
    assert form.attrib["action"] == "/"
    assert button(answer) == "Create a PIN"
    assert "hidden" in answer.by_id("result").attrib
    assert answer.text("pin") == ""
    assert len(wire.book) == 0


def test_the_form_creates_a_pin(wire: Wire, made: Answer) -> None:
    assert made.status == 201
    pin = made.text("pin")
    assert is_pin(pin)
    assert wire.book.cluster(pin).keys == ()
    assert made.headers["Location"] == f"/api/v1/clusters/{pin}"
    assert "hidden" not in made.by_id("result").attrib
    assert made.text("news") == "Your PIN is ready."
    assert made.text("error") == ""


def test_the_pin_is_grouped_without_a_character_in_between(made: Answer) -> None:
    assert [len(group.text or "") for group in made.by_id("pin")] == [4, 4, 4]


def test_the_expiry_is_told_twice(made: Answer) -> None:
    # 1_800_000_000 and a day.
    assert made.by_id("expires").attrib["datetime"] == "2027-01-16T08:00:00Z"
    assert made.text("exact") == "2027-01-16T08:00:00Z"
    assert made.text("expires") == "16 January 2027, 08:00 UTC"


def test_the_expiry_is_that_of_the_api(clock: Clock, wire: Wire) -> None:
    clock.advance(1000)
    made = wire.ask("POST", "/", BROWSER)
    answer = wire.ask("GET", made.headers["Location"])
    expected = made.text("exact").replace("Z", ".000000Z")
    assert f'"expiration_time":"{expected}"'.encode() in answer.body


def test_the_master_is_told_all(made: Answer) -> None:
    assert ucontext(made.text("master")) == {
        "_UCONTEXT_CVM_CLUSTER_MASTER": "1",
        "_UCONTEXT_CVM_CLUSTER_PIN": made.text("pin"),
        "_UCONTEXT_CVM_SERVICE_URL": "http://sesame.example:8080",
    }


def test_the_worker_is_told_all(made: Answer) -> None:
    text = made.text("worker")
    assert ucontext(text) == {
        "_UCONTEXT_CVM_CLUSTER_PIN": made.text("pin"),
        "_UCONTEXT_CVM_SERVICE_URL": "http://sesame.example:8080",
    }
    before, _, _ = text.partition("[ucernvm-begin]")
    assert before == "[example]\nmaster_ip=###MASTER_IP_PLACEHOLDER###\n\n"


@pytest.mark.parametrize("name", ["master", "worker"])
def test_a_shell_may_source_what_the_original_reads(made: Answer, name: str) -> None:
    for value in ucontext(made.text(name)).values():
        assert re.fullmatch(r"[A-Za-z0-9.:/\[\]_-]+", value)


@pytest.mark.parametrize("name", ["master", "worker"])
def test_a_snippet_is_a_labelled_control(made: Answer, name: str) -> None:
    assert "readonly" in made.by_id(name).attrib
    labels = ["".join(label.itertext()) for label in made.document().iter("label")]
    assert labels == [" Protect with tokens", "Master", "Worker"]
    assert made.document().find(f".//label[@for='{name}']") is not None
    made.by_id(made.by_id(name).attrib["aria-describedby"])


PROTECTED = b"protected=true"


def submit(wire: Wire, form: bytes) -> Answer:
    """
    Send the form as a browser does.
    """
    head = (
        "POST / HTTP/1.1\r\nHost: sesame.example:8080\r\nConnection: close\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Sec-Fetch-Site: same-origin\r\nContent-Length: {len(form)}\r\n\r\n"
    )
    return read_answer(wire.send(head.encode() + form).value())


def assert_protected(wire: Wire, made: Answer) -> None:
    """
    See that the page shows tokens that open the cluster, each in its place.
    """
    path = made.headers["Location"]
    assert wire.ask("GET", path).status == 401
    for scope in ("read", "write", "admin"):
        shown = {"Authorization": f"Bearer {made.text(scope)}"}
        answer = wire.ask("GET", f"{path}/tokens", shown)
        assert answer.status == (200 if scope == "admin" else 403)
        assert wire.ask("GET", path, shown).status == 200
    for name, scope in ("master", "write"), ("worker", "read"):
        context = ucontext(made.text(name))
        assert context["_UCONTEXT_CVM_CLUSTER_TOKEN"] == made.text(scope)
    assert made.text("curl") == (
        f"curl --config - <<'END'\nurl = \"http://sesame.example:8080{path}/keys\"\n"
        f'header = "Authorization: Bearer {made.text("read")}"\nEND'
    )
    assert "hidden" not in made.by_id("tokens").attrib
    assert "hidden" in made.by_id("open").attrib


def test_the_box_makes_a_protected_cluster(wire: Wire) -> None:
    assert "checked" not in wire.ask("GET", "/").by_id("protected").attrib
    made = submit(wire, PROTECTED)
    assert made.status == 201
    assert made.headers["Cache-Control"] == "no-store"
    assert "checked" in made.by_id("protected").attrib
    assert_protected(wire, made)


def test_without_the_box_there_is_no_token(wire: Wire, made: Answer) -> None:
    assert "hidden" in made.by_id("tokens").attrib
    assert "hidden" not in made.by_id("open").attrib
    assert wire.ask("GET", made.headers["Location"]).status == 200
    assert b"cvm_cluster_token=" not in made.body


@pytest.mark.parametrize("form", [b"", PROTECTED])
def test_the_operator_may_want_all_protected(clock: Clock, form: bytes) -> None:
    wire = Wire(clock, require_protected=True)
    box = wire.ask("GET", "/").by_id("protected")
    assert {"checked", "disabled"} <= box.attrib.keys()
    assert "The operator" in wire.ask("GET", "/").text("protected-hint")
    assert_protected(wire, submit(wire, form))


@pytest.mark.parametrize(
    "form", [b"protected=sesame", b"protected=%ff", b"protect=true"]
)
def test_a_form_that_is_not_ours_makes_nothing(wire: Wire, form: bytes) -> None:
    answer = submit(wire, form)
    assert answer.status == 400
    assert answer.text("error")
    assert len(wire.book) == 0


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_the_page_of_another_site_makes_nothing(wire: Wire, site: str) -> None:
    answer = wire.ask("POST", "/", BROWSER | {"Sec-Fetch-Site": site})
    assert answer.status == 403
    assert len(wire.book) == 0
    # A link from there may be followed.
    assert wire.ask("GET", "/", BROWSER | {"Sec-Fetch-Site": site}).status == 200


def test_two_clicks_make_two_pins(wire: Wire, made: Answer) -> None:
    again = wire.ask("POST", "/", BROWSER)
    assert again.text("pin") != made.text("pin")
    assert len(wire.book) == 2


def test_no_pin_is_shown_before_it_is_durable(clock: Clock) -> None:
    flushed: Deferred[None] = Deferred()
    wire = Wire(clock, disk=Disk(flushed=flushed))
    request = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    sent = wire.send(request)
    assert len(wire.book) == 1
    assert sent.value() == b""
    flushed.callback(None)
    assert read_answer(sent.value()).status == 201


def test_no_pin_is_shown_that_could_not_be_saved(clock: Clock) -> None:
    flushed: Deferred[None] = Deferred()
    wire = Wire(clock, disk=Disk(flushed=flushed))
    request = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    sent = wire.send(request)
    flushed.errback(StoreUnavailable(retry_after=30))
    answer = read_answer(sent.value())
    assert answer.status == 503
    (pin,) = wire.book.take_changes().clusters
    assert pin.encode() not in sent.value()


def test_a_service_that_cannot_save_says_so_on_the_page(clock: Clock) -> None:
    wire = Wire(clock, disk=Disk(writable=False))
    answer = wire.ask("POST", "/", BROWSER)
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "30"
    assert answer.text("error").startswith("The service cannot save changes")
    assert "hidden" in answer.by_id("result").attrib
    assert button(answer) == "Create a PIN"
    assert len(wire.book) == 0


def test_a_full_service_says_so_on_the_page(clock: Clock) -> None:
    wire = Wire(clock, limits=Limits(clusters=1))
    wire.ask("POST", "/", BROWSER)
    clock.advance(400)
    answer = wire.ask("POST", "/", BROWSER)
    assert answer.status == 507
    assert answer.headers["Retry-After"] == "86000"
    assert "limit of 1 clusters" in answer.text("error")
    assert "hidden" in answer.by_id("result").attrib


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_there_is_only_html(wire: Wire, method: str) -> None:
    answer = wire.ask(method, "/", {"Accept": "application/json"})
    assert answer.status == 406
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert len(wire.book) == 0


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, HEAD, OPTIONS, POST"),
        ("/problems", "GET, HEAD, OPTIONS"),
        ("/assets/page.css", "GET, HEAD, OPTIONS"),
    ],
)
def test_methods(wire: Wire, path: str, allowed: str) -> None:
    head, get = wire.ask("HEAD", path), wire.ask("GET", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers == get.headers
    assert get.headers["Content-Length"] == str(len(get.body))
    options = wire.ask("OPTIONS", path)
    assert (options.status, options.headers["Allow"]) == (204, allowed)
    answer = wire.ask("DELETE", path, BROWSER)
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [
        "/sesame",
        "/problems/",
        "/assets",
        "/assets/",
        "//",
        "//problems",
        "/api",
        "/api/v1//clusters",
    ],
)
def test_any_other_path_is_a_problem(wire: Wire, path: str) -> None:
    answer = wire.ask("GET", path, BROWSER)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_log_names_the_route_and_not_the_pin(wire: Wire, logged: LogEvents) -> None:
    pin = wire.ask("POST", "/", BROWSER).text("pin")
    (line,) = logged.texts()
    assert "method=POST route=/ status=201" in line
    assert pin not in line
