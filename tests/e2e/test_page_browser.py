"""
The page in a real browser, from a real daemon, with and without JavaScript.
"""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route

from tests.e2e.browser import OTHER_NAME, Visit, running_browser
from tests.e2e.daemon import CLUSTERS, Daemon

MASTER = """\
[ucernvm-begin]
cvm_cluster_master=yes
cvm_cluster_pin={pin}
cvm_service_url={url}
[ucernvm-end]"""

WORKER = """\
[example]
master_ip=###MASTER_IP_PLACEHOLDER###

[ucernvm-begin]
cvm_cluster_pin={pin}
cvm_service_url={url}
[ucernvm-end]"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("page") / "state") as daemon:
        yield daemon


def assert_complete(visit: Visit, daemon: Daemon, url: str) -> None:
    """
    Check that the page shows a PIN that the service knows, and all about it.
    """
    pin = visit.page.locator("#pin").text_content()
    answer = daemon.request("GET", f"{CLUSTERS}/{pin}")
    assert answer.status == 200
    exact = visit.text("exact")
    assert exact[:-1] == answer.json["expiration_time"].partition(".")[0]
    assert visit.page.locator("#expires").get_attribute("datetime") == exact
    assert visit.value("master") == MASTER.format(pin=pin, url=url)
    assert visit.value("worker") == WORKER.format(pin=pin, url=url)
    assert {url.rpartition("/")[0] for _, url in visit.requests} <= {
        url,
        f"{url}/assets",
        f"{url}/api/v1",
    }
    assert visit.complaints == []


def test_with_javascript_nothing_is_loaded_anew(
    browser: Browser, daemon: Daemon
) -> None:
    visit = Visit(browser, daemon.url)
    visit.click("Create a PIN")
    visit.wait_for_news("Your PIN is ready.")
    assert_complete(visit, daemon, daemon.url)
    first = visit.text("pin")
    visit.click("Create another PIN")
    visit.page.locator("#pin").filter(has_not_text=first).wait_for()
    assert_complete(visit, daemon, daemon.url)
    posts = [url for method, url in visit.requests if method == "POST"]
    assert posts == [daemon.url + CLUSTERS] * 2


def test_without_javascript_the_form_does_it(browser: Browser, daemon: Daemon) -> None:
    visit = Visit(browser, daemon.url, java_script_enabled=False)
    visit.click("Create a PIN")
    visit.wait_for_news("Your PIN is ready.")
    assert_complete(visit, daemon, daemon.url)
    assert ("POST", f"{daemon.url}/") in visit.requests
    buttons = visit.page.get_by_role("button")
    assert buttons.all_inner_texts() == ["Create another PIN"]


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}])
def test_without_tls_the_browser_says_only_the_origin(
    browser: Browser, daemon: Daemon, options: Mapping[str, bool]
) -> None:
    """
    By another name than localhost, where it sends no Sec-Fetch-Site.
    """
    url = daemon.url.replace("127.0.0.1", OTHER_NAME)
    visit = Visit(browser, url, **options)
    with visit.page.expect_request_finished(lambda ask: ask.method == "POST") as asked:
        visit.click("Create a PIN")
    visit.page.locator("#pin").wait_for()
    posted = asked.value.all_headers()
    assert posted["origin"] == url
    assert "sec-fetch-site" not in posted
    assert_complete(visit, daemon, url)


def test_the_form_of_another_site_makes_nothing(
    browser: Browser, daemon: Daemon
) -> None:
    visit = Visit(browser, daemon.url.replace("127.0.0.1", OTHER_NAME))
    # A page without an origin of its own.
    visit.page.goto(
        "data:text/html,<form method=post action="
        f"http://{OTHER_NAME}:{daemon.port}/><button>Create a PIN</button></form>"
    )
    with visit.page.expect_navigation() as done:
        visit.click("Create a PIN")
    assert done.value.status == 403


def test_the_script_may_come_late(browser: Browser, daemon: Daemon) -> None:
    # So the service made the snippets, and it does not see what the browser sees:
    # here a proxy is between them.
    def proxy(route: Route) -> None:
        # The form below is on no page of the daemon's.
        named = {"host": "sesame.inside", "origin": "http://sesame.inside"}
        headers = route.request.headers | named
        route.fulfill(response=route.fetch(headers=headers))

    visit = Visit(browser, "about:blank")
    visit.page.route(f"{daemon.url}/", proxy)
    visit.page.set_content(
        f"<form method=post action={daemon.url}><button>Go</button></form>"
    )
    visit.click("Go")
    visit.wait_for_news("Your PIN is ready.")
    visit.page.locator("[data-copies=pin]").wait_for()
    assert "sesame.inside" in visit.page.locator("#master").inner_html()
    assert_complete(visit, daemon, daemon.url)


def test_with_the_keyboard_alone(browser: Browser, daemon: Daemon) -> None:
    visit = Visit(browser, daemon.url)
    names = []
    for _ in range(3):
        visit.page.keyboard.press("Tab")
        names.append(visit.page.evaluate("document.activeElement.innerText.trim()"))
    # The second is the box.
    assert names == ["cvmpair", "", "Create a PIN"]
    visit.page.keyboard.press("Enter")
    visit.wait_for_news("Your PIN is ready.")
    for _ in range(5):
        visit.page.keyboard.press("Tab")
        names.append(visit.page.evaluate("document.activeElement.id"))
    assert names[3:] == ["", "master", "", "worker", ""]
    visit.page.keyboard.press("Enter")
    visit.wait_for_news("Copied the worker context.")


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}])
def test_a_protected_cluster(
    browser: Browser, daemon: Daemon, options: dict[str, object]
) -> None:
    visit = Visit(browser, daemon.url, **options)
    visit.page.get_by_label("Protect with tokens").check()
    visit.click("Create a PIN")
    visit.wait_for_news("Your PIN is ready.")
    assert visit.complaints == []
    pin = visit.page.locator("#pin").text_content()
    tokens = {scope: visit.text(scope) for scope in ("read", "write", "admin")}
    for scope, token in tokens.items():
        headers = {"Authorization": f"Bearer {token}"}
        answer = daemon.request("GET", f"{CLUSTERS}/{pin}/tokens", None, headers)
        assert answer.status == (200 if scope == "admin" else 403)
    for name, form, scope in ("master", MASTER, "write"), ("worker", WORKER, "read"):
        line = f"{pin}\ncvm_cluster_token={tokens[scope]}"
        assert visit.value(name) == form.format(pin=line, url=daemon.url)
    command = visit.text("curl")
    # What is in the first line is for all to see.
    assert command.partition("\n")[0] == "curl --config - <<'END'"
    shown = subprocess.check_output(["sh"], input=command.encode())
    assert shown == b"[]"
    assert not visit.shows("open")
    # The next one needs none.
    first = visit.text("pin")
    visit.page.get_by_label("Protect with tokens").uncheck()
    visit.click("Create another PIN")
    visit.page.locator("#pin").filter(has_not_text=first).wait_for()
    assert not visit.shows("tokens")
    assert visit.shows("open")
    pin = visit.page.locator("#pin").text_content()
    assert visit.value("master") == MASTER.format(pin=pin, url=daemon.url)
    assert visit.value("worker") == WORKER.format(pin=pin, url=daemon.url)


@pytest.mark.parametrize("host", ["127.0.0.1", OTHER_NAME])
def test_what_is_copied(browser: Browser, daemon: Daemon, host: str) -> None:
    # Without https a browser has its clipboard for local pages only, so by another
    # name the page has to do it in the old way.
    url = f"http://{host}:{daemon.port}"
    visit = Visit(browser, url)
    assert visit.page.evaluate("isSecureContext") == (host == "127.0.0.1")
    visit.click("Create a PIN")
    visit.wait_for_news("Your PIN is ready.")
    assert_complete(visit, daemon, url)
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    reader = visit.context.new_page()
    reader.goto(daemon.url)
    pin = visit.page.locator("#pin").text_content()
    for name, text in [
        ("PIN", pin),
        ("master context", MASTER.format(pin=pin, url=url)),
        ("worker context", WORKER.format(pin=pin, url=url)),
    ]:
        visit.page.bring_to_front()
        visit.click(f"Copy the {name}")
        visit.wait_for_news(f"Copied the {name}.")
        reader.bring_to_front()
        assert reader.evaluate("navigator.clipboard.readText()") == text


def test_a_refusal_is_told_and_the_pin_stays(browser: Browser, tmp_path: Path) -> None:
    with Daemon(tmp_path / "state", ["--max-clusters", "1"]) as daemon:
        visit = Visit(browser, daemon.url)
        visit.click("Create a PIN")
        visit.wait_for_news("Your PIN is ready.")
        pin = visit.text("pin")
        visit.click("Create another PIN")
        visit.wait_for_error("limit of 1 clusters")
        assert visit.text("pin") == pin
        assert visit.value("master").count(pin) == 1

        plain = Visit(browser, daemon.url, java_script_enabled=False)
        plain.click("Create a PIN")
        plain.wait_for_error("limit of 1 clusters")
        assert not plain.shows("result")

        daemon.kill()
        visit.click("Create another PIN")
        visit.wait_for_error("The service does not answer.")
        assert visit.text("pin") == pin


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}])
def test_it_can_be_read_at_400_percent(
    browser: Browser, daemon: Daemon, options: dict[str, object]
) -> None:
    # 1280 pixels at 400 % (WCAG 2.2, 1.4.10): nothing to scroll sideways.
    small = {"width": 320, "height": 256}
    visit = Visit(browser, daemon.url, viewport=small, **options)
    visit.click("Create a PIN")
    visit.wait_for_news("Your PIN is ready.")
    for element in visit.page.locator("body, body *:visible").all():
        box = element.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_day_and_by_night(
    browser: Browser, daemon: Daemon, scheme: str
) -> None:
    visit = Visit(browser, daemon.url, color_scheme=scheme)
    colours = visit.page.evaluate(
        "(({color, backgroundColor}) => [color, backgroundColor])"
        "(getComputedStyle(document.body))"
    )
    text, paper = (
        sum(int(part) for part in colour[4:-1].split(",")) for colour in colours
    )
    assert (text < paper) == (scheme == "light")
    assert abs(text - paper) > 3 * 128
