"""Beginning anew: what `lineside up --fresh` deletes, and what it keeps."""

from pathlib import Path

from mes.supervisor.paths import Paths
from mes.supervisor.up import _clean

DATA = ("postgres", "broker", "erp", "secrets", "spool")


def test_a_fresh_start_deletes_the_data_and_keeps_settings_and_cache(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "home")
    paths.make()
    for name in (*DATA, "cache"):
        (paths.home / name).mkdir()
        (paths.home / name / "file").write_text("kept")
    for name in ("lineside.toml", "ports.json"):
        (paths.home / name).write_text("kept")
    _clean(paths, fresh=False)
    assert all((paths.home / name / "file").exists() for name in DATA)
    _clean(paths, fresh=True)
    assert {entry.name for entry in paths.home.iterdir()} == {"cache", "lineside.toml", "logs", "run"}
    assert (paths.home / "cache" / "file").read_text() == "kept"
