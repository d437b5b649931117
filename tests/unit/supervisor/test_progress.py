"""The page of the first seconds: it answers at once, and leaves the port to the next server."""

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from mes.supervisor import ports
from mes.supervisor.progress import Progress, ProgressServer, render


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with ports.listen("127.0.0.1", 0) as bound:
        yield bound


def _get(listener: socket.socket, path: str, **headers: str) -> tuple[int, str, str]:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as reply:
            return reply.status, reply.read().decode(), reply.headers["Content-Security-Policy"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers["Content-Security-Policy"]


def test_any_address_shows_the_stages_and_nothing_says_ready(listener: socket.socket) -> None:
    progress = Progress(["packages", "pages"])
    progress.enter("packages", "done")
    progress.enter("postgres", "starting")
    server = ProgressServer(listener, progress)
    try:
        status, page, policy = _get(listener, "/sign-in?token=abc")
        stages = json.loads(_get(listener, "/progress.json")[1])["stages"]
        assert status == 200
        assert "Lineside is starting" in page
        assert "default-src 'none'" in policy
        assert [(stage["name"], stage["state"]) for stage in stages] == [
            ("packages", "done"),
            ("pages", "waiting"),
            ("postgres", "starting"),
        ]
        assert _get(listener, "/readyz")[0] == 503
        assert _get(listener, "/api/v1/me")[0] == 503
    finally:
        server.stop()


def test_a_request_after_the_page_waits_for_the_next_server(listener: socket.socket) -> None:
    ProgressServer(listener, Progress([])).stop()
    answer: list[int] = []
    asking = threading.Thread(target=lambda: answer.append(_get(listener, "/progress.json")[0]))
    asking.start()
    server = ProgressServer(listener, Progress([]))
    asking.join(timeout=30)
    server.stop()
    assert answer == [200]


@pytest.mark.parametrize(
    ("accepted", "title"),
    [
        ("zh-CN,zh;q=0.9", "Lineside 正在启动"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "Lineside 正在啟動"),
        ("zh-Hant-HK", "Lineside 正在啟動"),
        ("fr,zh-CN;q=0.8", "Lineside 正在启动"),
        ("de,en;q=0.8", "Lineside is starting"),
        ("", "Lineside is starting"),
    ],
)
def test_the_page_speaks_the_browsers_language(accepted: str, title: str) -> None:
    assert title in render(accepted, "n", [])


def test_a_detail_is_text_and_never_markup() -> None:
    page = render("en", "n", [{"name": "<b>x", "state": "<i>", "detail": "", "seconds": 0.0}])
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page
