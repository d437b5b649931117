"""The resolved settings survive their file."""

import stat
import tomllib
from pathlib import Path

import pytest

from mes.kernel.settings import Broker, Settings, load
from mes.supervisor.resolve import toml_lines, write_endpoints


def test_a_child_reads_exactly_what_the_supervisor_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    resolved = Settings(
        home=tmp_path,
        profile="demo",
        database_url="postgresql://u:p%40@127.0.0.1:5/x",
        broker=Broker(url="mqtt://127.0.0.1:9", edge_user="e", edge_password='a"b\\c'),
    )
    write_endpoints(run / "endpoints.toml", resolved)
    monkeypatch.setenv("LINESIDE_HOME", str(tmp_path))
    assert load() == resolved
    assert stat.S_IMODE((run / "endpoints.toml").stat().st_mode) == 0o600


def test_nested_tables_and_odd_texts_are_toml() -> None:
    tables = {"a": {"b": {"c": 'x"\n\\ é 电'}, "n": 1.5}, "t": True, "z": 0}
    assert tomllib.loads("".join(toml_lines(tables))) == tables
