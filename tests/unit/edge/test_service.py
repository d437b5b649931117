"""The edge of an installation that nobody has configured yet waits, and says for what."""

import asyncio
from pathlib import Path

from edge.services import run_edge
from edge.tags import BadConfig
from mes.kernel.settings import Edge, Settings
from tests.fixtures.edge import until


async def test_an_edge_without_a_configuration_waits_for_it(tmp_path: Path) -> None:
    waiting = asyncio.create_task(run_edge(Settings(home=tmp_path, profile="production")))
    await asyncio.sleep(0)
    assert not waiting.done()
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / "CONFIG.toml").write_text("id = 'NOT A NAME'\n", encoding="utf-8")
    await until(waiting.done, told="the file is read")
    assert isinstance(waiting.exception(), BadConfig)


async def test_a_configuration_that_was_named_and_is_missing_is_told_at_once(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, profile="production", edge=Edge(config=tmp_path / "missing.toml"))
    waiting = asyncio.create_task(run_edge(settings))
    await until(waiting.done, told="it is refused")
    assert isinstance(waiting.exception(), BadConfig)
