"""Headless Chromium for the tests of pages, through its own debugging protocol: no driver to install.

A page is opened from a file; every request, console message and uncaught error is collected.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0", "--hide-scrollbars",
)  # fmt: skip


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """A browser with one tab. ``requests``, ``messages`` and ``errors`` grow as events come in.

    What the page's own policy stopped is in ``blocked``: Chromium announces such a request and never sends it.
    """

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.blocked: list[str] = []
        self._urls: dict[str, str] = {}
        self.messages: list[str] = []
        self.errors: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._number = 0
        command = [str(chromium()), *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._loop.run_until_complete(self._connect(folder / "DevToolsActivePort"))

    def close(self) -> None:
        with suppress(Exception):  # the socket closes before the answer comes
            self.call("Browser.close")
        self._loop.run_until_complete(self._session.close())
        self._loop.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def open(self, path: Path | str) -> None:
        """Load a file, or an address, and wait until it is loaded."""
        self.requests.clear()
        self.blocked.clear()
        self.messages.clear()
        self.errors.clear()
        self.call("Page.navigate", url=path.as_uri() if isinstance(path, Path) else path)
        self._loop.run_until_complete(asyncio.wait_for(self._until("Page.loadEventFired"), 60))

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are awaited."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise AssertionError(result["exceptionDetails"])
        return result["result"].get("value")

    def size(self, width: int, height: int, *, dark: bool = False, media: str = "") -> None:
        device = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **device)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def press(self, key: str, code: int) -> None:
        text = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """A PNG of the page."""
        result = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(result["data"]))

    def pdf(self, path: Path) -> None:
        result = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=False)
        path.write_bytes(base64.b64decode(result["data"]))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._loop.run_until_complete(asyncio.wait_for(self._call(method, params), 60))

    async def _connect(self, port_file: Path) -> None:
        deadline = time.monotonic() + 30
        while not port_file.exists() or not port_file.read_text().strip():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("Chromium did not start")
            await asyncio.sleep(0.05)
        port = port_file.read_text().split()[0]
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json") as answer:
            pages = [entry for entry in await answer.json() if entry["type"] == "page"]
        self._socket = await self._session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self._call(f"{domain}.enable", {})

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        number = self._number
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            event = await self._event()
            if event.get("id") == number:
                if "error" in event:
                    raise RuntimeError(f"{method}: {event['error']}")
                return dict(event["result"])

    async def _until(self, method: str) -> None:
        while (await self._event()).get("method") != method:
            pass

    async def _event(self) -> dict[str, Any]:
        event = json.loads((await self._socket.receive()).data)
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self._urls[params["requestId"]] = params["request"]["url"]
                self.requests.append(params["request"]["url"])
            case "Network.loadingFailed" if params.get("blockedReason") == "csp":
                self.requests.remove(self._urls[params["requestId"]])
                self.blocked.append(self._urls[params["requestId"]])
            case "Runtime.consoleAPICalled":
                self.messages.append(f"{params['type']}: {[arg.get('value') for arg in params['args']]}")
            case "Runtime.exceptionThrown":
                self.errors.append(str(params["exceptionDetails"]))
            case "Log.entryAdded":
                self.errors.append(f"{params['entry']['level']}: {params['entry']['text']}")
        return dict(event)
