"""The build of the pages: which Node.js will do, and when there is nothing to do."""

import json
from pathlib import Path

import pytest

from dashboards import build, identifiers

LOCK = build.WEB / "package-lock.json"
PERMISSIVE = {
    "MIT",
    "ISC",
    "0BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Apache-2.0",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "Python-2.0",
    "MIT AND Apache-2.0",
    "(MIT OR CC0-1.0)",
}
BUILD_ONLY = {"axe-core": "MPL-2.0", "lightningcss": "MPL-2.0"}
"""Tools of the build and of the tests; nothing of them reaches a user."""


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("v20.19.0", True),
        ("v20.18.3", False),
        ("v21.7.0", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.1.0", True),
        ("v18.20.4", False),
        ("", False),
    ],
)
def test_node_is_taken_when_it_is_new_enough(version: str, enough: bool) -> None:
    assert build.is_new_enough(version) is enough


def test_the_stamp_follows_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/page.ts").write_text("one")
    monkeypatch.setattr(build, "WEB", tmp_path)
    first = build.source_stamp()
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/x.js").write_text("not ours")
    assert build.source_stamp() == first
    (tmp_path / "src/page.ts").write_text("two")
    assert build.source_stamp() != first


def test_nothing_is_done_when_the_pages_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "STATIC", tmp_path)
    (tmp_path / ".stamp").write_text(build.source_stamp())
    assert build.build() is False


def packages() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(LOCK.read_text())["packages"]
    return {name.rpartition("node_modules/")[2]: entry for name, entry in found.items() if name}


def test_at_most_two_hundred_packages_are_locked() -> None:
    assert len(packages()) <= 200


def test_every_package_is_permissively_licensed() -> None:
    def allowed(name: str, licence: object) -> bool:
        kept = next(
            (lic for tool, lic in BUILD_ONLY.items() if name == tool or name.startswith(f"{tool}-")), None
        )
        return licence == kept or licence in PERMISSIVE

    wrong = {name: entry.get("license") for name, entry in packages().items()}
    assert {name: licence for name, licence in wrong.items() if not allowed(name, licence)} == {}


def test_no_registry_is_named_in_the_lock() -> None:
    text = LOCK.read_text()
    assert '"resolved"' not in text
    assert "registry" not in text


def test_the_browser_knows_the_servers_application_identifiers() -> None:
    assert identifiers.TARGET.read_text(encoding="utf-8") == identifiers.table()
