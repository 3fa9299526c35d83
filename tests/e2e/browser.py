"""
A real browser without a window: Chromium, driven by Playwright.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

# Debian has it as a package; elsewhere it is the one that Playwright fetched.
CHROMIUM = Path("/usr/bin/chromium")

OTHER_NAME = "sesame.example"
"""A name of the local machine that a browser does not trust like localhost."""

FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {OTHER_NAME} 127.0.0.1",
)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """
    Run a browser, and end it with all its pages.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM if CHROMIUM.exists() else None, args=FLAGS
        )
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """
    A page in a browser of its own: what it asked for, and what it complained of.

    :ivar requests: as method and URL.
    :ivar complaints: what the browser wrote to its console, such as a breach of
        the content security policy, and uncaught errors.
    """

    def __init__(self, browser: Browser, url: str, **options: object) -> None:
        self.context: BrowserContext = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.requests: list[tuple[str, str]] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda ask: self.requests.append((ask.method, ask.url)))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(url)

    def text(self, name: str) -> str:
        """
        Return the visible text of the element with that id.
        """
        return self.page.locator(f"#{name}").inner_text()

    def value(self, name: str) -> str:
        """
        Return what the control with that id holds.
        """
        return self.page.locator(f"#{name}").input_value()

    def shows(self, name: str) -> bool:
        """
        Say whether the element with that id can be seen.
        """
        return self.page.locator(f"#{name}").is_visible()

    def click(self, name: str) -> None:
        """
        Click the button of that name.
        """
        self.page.get_by_role("button", name=name, exact=True).click()

    def wait_for_news(self, text: str) -> None:
        """
        Wait until the page tells that.
        """
        self.page.locator("#news", has_text=text).wait_for()

    def wait_for_error(self, text: str) -> None:
        """
        Wait until the page complains of that.
        """
        self.page.get_by_role("alert").filter(has_text=text).wait_for()
