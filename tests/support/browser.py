"""Chromium, headless and without a network but the loopback, driven by the DevTools protocol.

Source of the protocol: https://chromedevtools.github.io/devtools-protocol/.
"""

import base64
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import orjson
import pytest
from websockets.sync.client import ClientConnection, connect

PATIENCE = 30.0

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-default-browser-check",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
)
_KEYS = {"Tab": 9, "Enter": 13, "ArrowDown": 40, "ArrowUp": 38}

_GONE = ("navigated or closed", "context was destroyed", "Cannot find context")
"""What is said of a script whose page has made room for the next one."""


class PageError(AssertionError):
    """A script in the page failed."""


class Browser:
    """A running browser.

    Args:
        origin: Where its DevTools are.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin

    @contextmanager
    def page(self, width: int = 1280, height: int = 900) -> Iterator["Page"]:
        """A new page of this size; with the storage and the cookies of the others."""
        target = httpx.put(f"{self._origin}/json/new?about:blank", timeout=PATIENCE).json()
        with connect(target["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
            page = Page(socket)
            for domain in ("Page", "Runtime", "Network", "Log"):
                page.call(f"{domain}.enable")
            page.resize(width, height)
            yield page
            page.call("Page.close")


class Page:
    """One page.

    Attributes:
        urls: What it has asked for.
        problems: Errors in its console, and of its scripts.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.urls: list[str] = []
        self.problems: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a method of the protocol; events that come meanwhile are noted."""
        self._number += 1
        self._socket.send(orjson.dumps({"id": self._number, "method": method, "params": params}), text=True)
        until = time.monotonic() + PATIENCE
        while True:
            answer = orjson.loads(self._socket.recv(timeout=max(0.0, until - time.monotonic())))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def goto(self, url: str) -> None:
        """Open `url`, until its document is loaded."""
        failure = self.call("Page.navigate", url=url).get("errorText")
        if failure:
            raise PageError(f"{url}: {failure}")
        self.wait_for(f"location.href !== 'about:blank' && document.readyState === 'complete' && {url!r} !== ''")

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def wait_for(self, condition: str) -> Any:
        """Wait until an expression is true in the page, and give its value."""
        script = (
            "new Promise((found, failed) => { const until = performance.now() + 25000; const look = () => {"
            f" let value; try {{ value = ({condition}); }} catch {{}}"
            " if (value) found(value); else if (performance.now() > until) failed(new Error('never: ' + "
            f"{condition!r} + ' in ' + document.body?.innerText?.slice(0, 2000)));"
            " else setTimeout(look, 20); }; look(); })"
        )
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return self.run(script)
            except PageError as error:
                if not any(each in str(error) for each in _GONE) or time.monotonic() > until:
                    raise

    def text(self, selector: str) -> str:
        """The text of the first element of a selector."""
        found: str = self.run(f"document.querySelector({selector!r}).innerText")
        return found

    def fill(self, selector: str, text: str) -> None:
        """Replace the text of a field, as typing does."""
        self.run(
            f"(() => {{ const field = document.querySelector({selector!r}); field.focus(); "
            f"field.value = {orjson.dumps(text).decode()}; field.dispatchEvent(new Event('input', {{bubbles: true}}));"
            " field.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )

    def press(self, key: str) -> None:
        """Press and release a key, as a keyboard does."""
        code = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
        typed = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **code, **typed)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def resize(self, width: int, height: int) -> None:
        """Show the page on a screen of this size."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def prefer(self, scheme: str) -> None:
        """`dark` or `light`."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, quality: int = 80) -> bytes:
        """The page as it looks, as WebP."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="webp", quality=quality)["data"])

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.urls.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.problems.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning"):
                self.problems.append(str(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.problems.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")


def chromium() -> str:
    """The command; skips the test without one."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own; without one installed the test is skipped."""
    command = chromium()
    with TemporaryDirectory(prefix="gemgate-browser-", ignore_cleanup_errors=True) as directory:
        options = (*_OPTIONS, f"--user-data-dir={directory}", "about:blank")
        environment = os.environ | {"HOME": directory, "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
        process = subprocess.Popen(
            [command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, text=True
        )
        try:
            yield Browser(_devtools_of(process))
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stderr is not None:
                process.stderr.close()


def _devtools_of(process: "subprocess.Popen[str]") -> str:
    """Where DevTools listen, which the browser writes once it does."""
    assert process.stderr is not None
    seen: list[str] = []
    for line in process.stderr:
        seen.append(line)
        if found := re.search(r"DevTools listening on ws://([\d.]+:\d+)/", line):
            return f"http://{found[1]}"
    raise RuntimeError("the browser did not start: " + "".join(seen[-20:]))
