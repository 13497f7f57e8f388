"""A browser without a window, driven as its developer tools drive it.

Chromium reads commands from descriptor 3 and writes answers and events to descriptor 4
(--remote-debugging-pipe): objects of JSON, each followed by a NUL. It has a folder of its own and
no network. What a page complains about and what it fetches is collected as it happens.
"""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
ANSWER_S = 20  # what a busy machine may need
OPTIONS = [
    "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
    "--disable-extensions", "--disable-sync", "--mute-audio", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--force-color-profile=srgb",
]


class BrowserError(Exception):
    """The browser does not answer, or says that it cannot."""


def find():
    """The path of a browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of one browser; a context manager."""

    def __init__(self, path):
        self.folder = tempfile.mkdtemp(prefix="browser-", dir="/tmp")
        self.input, self.output = self._start(path)
        self.received = b""
        self.number = 0
        self.session = None
        self.complaints = []  # exceptions, and errors and warnings of the console
        self.requests = []    # what was fetched
        self.events = []      # names
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def _start(self, path):
        """Starts it, its descriptors 3 and 4 pipes of ours."""
        ends = []
        for here, there in ((1, 0), (0, 1)):  # which end of the pipe is ours, and its
            pipe = os.pipe()
            ends.append((fcntl.fcntl(pipe[here], fcntl.F_DUPFD_CLOEXEC, 10),
                         fcntl.fcntl(pipe[there], fcntl.F_DUPFD_CLOEXEC, 10)))
            os.close(pipe[0])
            os.close(pipe[1])
        for number, (_, its) in enumerate(ends, 3):
            os.dup2(its, number)
            os.close(its)
        environment = dict(os.environ, HOME=self.folder)
        self.process = subprocess.Popen(
            [path, *OPTIONS, "--user-data-dir=" + self.folder, "about:blank"], pass_fds=(3, 4),
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(3)
        os.close(4)
        return ends[0][0], ends[1][0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.session = None
            self.call("Browser.close")
            self.process.wait(5)
        except (BrowserError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.input)
        os.close(self.output)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- commands and events -----------------------------------------------------------------

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.input, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_S
        while True:
            answer = self._receive(deadline, method)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def wait(self, event):
        """Until the event has come; one that has come since the last wait for it does."""
        deadline = time.monotonic() + ANSWER_S
        while event not in self.events:
            self._receive(deadline, event)
        self.events.clear()

    def _receive(self, deadline, what):
        while b"\0" not in self.received:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.output], [], [], left)[0]:
                raise BrowserError(f"no answer to {what}")
            data = os.read(self.output, 1 << 20)
            if not data:
                raise BrowserError(f"the browser ended at {what}")
            self.received += data
        text, self.received = self.received.split(b"\0", 1)
        message = json.loads(text)
        if "method" in message:
            self._take(message["method"], message["params"])
        return message

    def _take(self, event, parameters):
        self.events.append(event)
        if event == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif event == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning",
                                                                           "assert"):
            self.complaints.append(str(parameters["args"]))
        elif event == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    # ---- what a reader does ------------------------------------------------------------------

    def open(self, path):
        self.events.clear()
        self.call("Page.navigate", url="file://" + path)
        self.wait("Page.loadEventFired")

    def ask(self, expression):
        """The value of an expression in the page; of a promise, what it comes to."""
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                        awaitPromise=True)
        if "exceptionDetails" in got:
            details = got["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return got["result"].get("value")

    def settle(self):
        """Until what was asked for is drawn."""
        self.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x, y):
        self.drag((x, y))

    def drag(self, *places):
        """Press at the first place and let go at the last."""
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        self.mouse("mouseMoved", *places[0])
        self.mouse("mousePressed", *places[0], **held)
        for place in places[1:]:
            self.mouse("mouseMoved", *place, **held)
        self.mouse("mouseReleased", *places[-1], button="left", clickCount=1)
        self.settle()

    def key(self, name, text=""):
        code = {"Tab": 9, "Enter": 13, "ArrowRight": 39, "ArrowDown": 40}.get(name, 0)
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, text=text,
                  windowsVirtualKeyCode=code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code)
        self.settle()

    def size(self, width, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.settle()

    def media(self, kind="screen", scheme="light"):
        self.call("Emulation.setEmulatedMedia", media=kind,
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.settle()

    def picture(self, path):
        """The whole page, not only what is in the window."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        got = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                        clip={**size, "scale": 1})
        with open(path, "wb") as f:
            f.write(base64.b64decode(got["data"]))

    def printed(self):
        got = self.call("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(got["data"])
