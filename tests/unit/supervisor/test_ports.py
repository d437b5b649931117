"""Ports: the wished one when it is free, the same again, another when it is taken."""

import json
import socket
from pathlib import Path

from mes.supervisor import ports


def _taken() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


def test_a_taken_port_is_replaced_and_the_choice_is_kept(tmp_path: Path) -> None:
    with _taken() as taken:
        wished = taken.getsockname()[1]
        chosen = ports.choose(tmp_path / "ports.json", {"broker": wished})
        assert chosen["broker"] != wished
    assert ports.choose(tmp_path / "ports.json", {"broker": wished}) == chosen


def test_the_last_port_of_all_may_be_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 65535))
        taken.listen()
        with ports.listen("127.0.0.1", 65535) as listener:
            assert listener.getsockname()[1] != 65535


def test_two_names_never_get_the_same_port(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    file.write_text(json.dumps({"a": 0, "b": 0}))
    chosen = ports.choose(file, {"a": 0, "b": 0})
    assert chosen["a"] != chosen["b"]


def test_the_pages_listen_beside_a_taken_port() -> None:
    with _taken() as taken:
        wished = taken.getsockname()[1]
        with ports.listen("127.0.0.1", wished) as listener:
            assert listener.getsockname()[1] != wished
