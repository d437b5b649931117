"""What is turned away before any route sees it."""

import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from mes.access.model import BodyTooLarge
from mes.access.wall import BODY_LIMIT, SECURITY_POLICY, Wall, limited

HOST = {"host": "127.0.0.1:8080"}


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Be an application that never answers."""


WALL = Wall(nothing, ("127.0.0.1", "::1", "mes.example"))


def refusal(method: str = "POST", **headers: str) -> str | None:
    given = {name.replace("_", "-"): value for name, value in {**HOST, **headers}.items()}
    found = WALL.refusal(method, Headers(given))
    return None if found is None else found.code


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "[::1]:8080", "MES.example"])
def test_known_hosts_are_let_in(host: str) -> None:
    assert refusal("GET", host=host) is None


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1.evil.example"])
def test_a_name_that_is_not_ours_is_refused(host: str) -> None:
    assert refusal("GET", host=host) == "HostRefused"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin"},
        {"origin": "http://127.0.0.1:8080"},
        {"authorization": "Bearer cli.x", "cookie": "lineside_session=1"},
        {"cookie": "theme=dark"},
    ],
)
def test_our_own_pages_and_programs_may_change_things(headers: dict[str, str]) -> None:
    assert refusal(**headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9090"},
        {"origin": "null"},
        {"cookie": "lineside_session=1"},
        {"cookie": "__Host-lineside_session=1"},
    ],
)
def test_other_sites_may_not(headers: dict[str, str]) -> None:
    assert refusal(**headers) == "OriginRefused"


def test_other_sites_may_link_to_us() -> None:
    assert refusal("GET", sec_fetch_site="cross-site") is None


@pytest.mark.parametrize("length", [str(BODY_LIMIT + 1), "-1", "1e3"])
def test_a_large_or_odd_body_is_refused(length: str) -> None:
    assert refusal(sec_fetch_site="same-origin", content_length=length) == "BodyTooLarge"


async def test_a_body_of_no_announced_length_is_cut() -> None:
    async def endless() -> Message:
        return {"type": "http.request", "body": bytes(BODY_LIMIT // 2), "more_body": True}

    receive = limited(endless)
    await receive()
    await receive()
    with pytest.raises(BodyTooLarge):
        await receive()


def test_no_page_may_run_foreign_or_inline_code() -> None:
    assert "unsafe" not in SECURITY_POLICY
    assert "frame-ancestors 'none'" in SECURITY_POLICY
