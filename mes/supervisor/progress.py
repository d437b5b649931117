"""The page that is there before anything else: what is done, what comes next.

Standard library only: the bootstrap serves it before a single package is installed.
"""

from __future__ import annotations

import contextlib
import html
import json
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TEXTS = HERE.parent.parent / "dashboards" / "web" / "src" / "i18n" / "start.json"
DONE = frozenset({"ready", "done"})


@dataclass
class Stage:
    """One line of the page."""

    name: str
    state: str = "waiting"
    detail: str = ""
    began: float = field(default_factory=time.monotonic)
    seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the line; seconds run until the stage is done."""
        elapsed = 0.0 if self.state == "waiting" else time.monotonic() - self.began
        seconds = elapsed if self.seconds is None else self.seconds
        return {"name": self.name, "state": self.state, "detail": self.detail, "seconds": round(seconds, 1)}


class Progress:
    """The stages of one start; safe to change while the page is served."""

    def __init__(self, names: Sequence[str]) -> None:
        """Begin with every stage waiting."""
        self._lock = threading.Lock()
        self._stages = {name: Stage(name) for name in names}

    def enter(self, name: str, state: str, detail: str = "") -> None:
        """Set the state of a stage; an unknown one is added at the end."""
        with self._lock:
            stage = self._stages.setdefault(name, Stage(name))
            if stage.state == "waiting" and state != "waiting":
                stage.began = time.monotonic()
            if state in DONE and stage.seconds is None:
                stage.seconds = time.monotonic() - stage.began
            stage.state, stage.detail = state, detail

    def as_json(self) -> list[dict[str, Any]]:
        """Return every stage in order."""
        with self._lock:
            return [stage.as_json() for stage in self._stages.values()]


class ProgressServer:
    """Serves the page on a listening socket until the real server takes it over."""

    def __init__(self, listener: socket.socket, progress: Progress) -> None:
        """Start to answer in a thread; `listener` stays open when it ends."""
        self._server = _Server(listener.dup(), progress)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting: from now on connections wait for the next server."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


class _Server(socketserver.ThreadingMixIn, socketserver.BaseServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, progress: Progress) -> None:
        super().__init__(listener.getsockname(), _Handler)
        self.socket = listener
        self.progress = progress

    def fileno(self) -> int:
        return self.socket.fileno()

    def get_request(self) -> tuple[socket.socket, Any]:
        return self.socket.accept()

    def server_close(self) -> None:
        self.socket.close()

    def close_request(self, request: Any) -> None:
        request.close()

    def shutdown_request(self, request: Any) -> None:
        with contextlib.suppress(OSError):  # the browser went away first
            request.shutdown(socket.SHUT_WR)
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that left in the middle of a reply."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10
    server_version = "Lineside"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.split("?", 1)[0]
        if path in {"/progress.json", "/healthz", "/readyz"} or path.startswith("/api/"):
            body = json.dumps({"ready": False, "stages": self.server.progress.as_json()})
            self._send(200 if path in {"/progress.json", "/healthz"} else 503, "application/json", body)
            return
        nonce = secrets.token_urlsafe(12)
        policy = (
            f"default-src 'none'; connect-src 'self'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'"
        )
        page = render(self.headers.get("Accept-Language", ""), nonce, self.server.progress.as_json())
        self._send(200, "text/html; charset=utf-8", page, policy)

    def do_POST(self) -> None:
        self._send(503, "application/json", json.dumps({"error": "Starting"}))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Keep quiet: the page polls."""

    def _send(self, status: int, kind: str, body: str, policy: str = "default-src 'none'") -> None:
        data = body.encode()
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        if status == 503:
            headers["Retry-After"] = "1"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _language(accepted: str) -> str:
    """Return the first language that the browser asks for and the page has."""
    for entry in accepted.lower().split(","):
        tag = entry.partition(";")[0].strip()
        if tag.startswith(("zh-tw", "zh-hk", "zh-mo", "zh-hant")):
            return "zh-TW"
        if tag.startswith("zh"):
            return "zh-CN"
        if tag.startswith("en"):
            break
    return "en"


def render(accept_language: str, nonce: str, stages: Sequence[dict[str, Any]]) -> str:
    """Return the page in the browser's language."""
    language = _language(accept_language)
    texts = json.loads(TEXTS.read_text(encoding="utf-8"))[language]
    rows = "".join(
        f'<li data-state="{html.escape(stage["state"])}">'
        f"<b>{html.escape(texts['stages'].get(stage['name'], stage['name']))}</b>"
        f"<span>{html.escape(texts['states'].get(stage['state'], stage['state']))}</span></li>"
        for stage in stages
    )
    return (
        (HERE / "progress.html")
        .read_text(encoding="utf-8")
        .format(
            lang=language,
            title=html.escape(texts["title"]),
            lead=html.escape(texts["lead"]),
            nonce=nonce,
            stages=rows,
            texts=json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c"),
        )
    )
