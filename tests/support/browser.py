"""A real browser, without a window, for pages that are served from this machine."""

import functools
import json
import os
import shutil
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
BUILT = os.environ.get("FASTNN_PAGES")  # the site, already built: then pages must be tested
WAIT = 20  # seconds, for what a page does by itself


def need(there, what):
    """Go on if it is there; else skip, or fail where pages must be tested."""
    if not there and BUILT:
        pytest.fail(f"{what} is missing")
    if not there:
        pytest.skip(f"needs {what}")


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """The address of a server of this folder."""
    handler = functools.partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class Browser:
    """Opens pages, asks them questions in JavaScript, and remembers what they asked for."""

    def __init__(self, driver):
        self.driver = driver
        self.asked = []
        self.wrong = []

    def size(self, width, height, phone=False):
        """Look through a window of this size."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, address):
        """Go there; what the page asks for and complains about is added to `asked` and `wrong`."""
        self.driver.get(address)
        self.listen()

    def listen(self):
        """Read what happened since the last time."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
        for entry in self.driver.get_log("browser"):
            if entry["level"] == "SEVERE":
                self.wrong.append(entry["message"])

    def ask(self, script, *arguments):
        """What a script returns."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def wait(self, script, *arguments):
        """What it returns once that is true."""
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, WAIT, 0.05).until(lambda _: self.ask(script, *arguments))

    def picture(self, path):
        """A picture of the window."""
        self.driver.save_screenshot(str(path))

    def strangers(self):
        """What was asked of other machines."""
        return [url for url in self.asked if not url.startswith(("http://127.0.0.1:", "data:"))]


@contextmanager
def chromium(folder):
    """A browser with its profile in this folder; skips, or fails, where there is none."""
    try:
        from selenium import webdriver
    except ImportError:
        webdriver = None
    need(webdriver, "selenium")
    need(CHROMIUM and DRIVER, "Chromium and its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
        "disable-dev-shm-usage", "hide-scrollbars", "window-size=1280,900",
        f"user-data-dir={folder}", "homepage=about:blank",
        # nothing else can be found, even where there is a network
        "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        driver.get("about:blank")
        driver.get_log("performance")  # of the browser's own first page
        yield Browser(driver)
    finally:
        driver.quit()
