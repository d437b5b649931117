"""What was stored yesterday can be read today: one stored sample per event and schema version."""

import json
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import mes
from mes.kernel import outbox

SAMPLES = Path(__file__).parents[2] / "data" / "events"


def catalogue() -> dict[str, type[outbox.Event]]:
    """Return every event of the product by name."""
    for package in iter_modules(mes.__path__):
        folder = Path(mes.__path__[0]) / package.name
        if (folder / "events.py").is_file():
            import_module(f"mes.{package.name}.events")
    return {name: cls for name, cls in outbox.REGISTRY.items() if cls.__module__.startswith("mes.")}


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_a_stored_sample_is_still_read(sample: Path) -> None:
    """An event of any version ever released parses into today's dataclass."""
    catalogue()
    name, version = sample.stem.rsplit(".v", 1)
    payload = json.loads(sample.read_text())
    parsed = outbox.parse(name, int(version), payload)
    assert type(parsed).__name__ == name
    if int(version) == parsed.schema_version:
        assert outbox.to_json(parsed) == payload


def test_every_event_has_a_sample_of_its_version() -> None:
    """A new event, or a new version of one, comes with a stored sample."""
    missing = [
        f"{name}.v{cls.schema_version}.json"
        for name, cls in catalogue().items()
        if not (SAMPLES / f"{name}.v{cls.schema_version}.json").is_file()
    ]
    assert missing == [], "write them with: python -m tests.data.events.write_samples"


def test_a_newer_event_is_refused() -> None:
    """An event stored by a newer version is not guessed at."""
    name, cls = next(iter(catalogue().items()))
    with pytest.raises(outbox.UnknownEvent):
        outbox.parse(name, cls.schema_version + 1, {})
