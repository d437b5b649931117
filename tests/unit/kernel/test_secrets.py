"""Secrets: random, private, the same for everybody who asks."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mes.kernel import secrets


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = secrets.ensure(tmp_path, "broker-ingest")
    assert secrets.ensure(tmp_path, "broker-ingest") == first
    assert len(first) >= 43
    file = tmp_path / "secrets" / "broker-ingest"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_all_who_ask_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        values = set(pool.map(lambda _: secrets.ensure(tmp_path, "one"), range(64)))
    assert len(values) == 1
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["one"]


def test_a_secret_can_be_replaced(tmp_path: Path) -> None:
    secrets.ensure(tmp_path, "erp")
    secrets.replace(tmp_path, "erp", "given")
    assert secrets.ensure(tmp_path, "erp") == "given"


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b"])
def test_a_name_with_a_path_in_it_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        secrets.ensure(tmp_path, name)
