"""Whatever the plant refuses, the pages can say in the reader's language."""

import json
import re
from fnmatch import fnmatch

import pytest
from fastapi.routing import APIRoute

from mes.app import installed_routers
from tests.architecture.graph import ROOT
from tests.architecture.reach import reached
from tests.architecture.test_source import import_everything, refusals

I18N = ROOT / "dashboards" / "web" / "src" / "i18n"

NEVER_SHOWN = {
    "UnitMismatch",
    "CurrencyMismatch",
    "UnknownEvent",
}
"""Faults of a program that never reach a page as themselves."""


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_refusal_has_words(language: str) -> None:
    import_everything()
    words = json.loads((I18N / f"{language}.json").read_text(encoding="utf-8"))["errors"]
    wordless = sorted(
        cls.__name__
        for cls in refusals()
        if cls.__name__ not in NEVER_SHOWN
        and not (words.get(cls.__name__, {}).get("title") and words[cls.__name__].get("remedy"))
    )
    assert wordless == []


TEXTS = ROOT / "dashboards" / "web" / "plugins" / "texts.ts"
PAGES_OF_A_TERMINAL = ROOT / "dashboards" / "web" / "src" / "terminal"


def handlers_of_a_terminal() -> set[tuple[str, str]]:
    """Return the functions behind the routes whose addresses are in the sources of a terminal's page."""
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in PAGES_OF_A_TERMINAL.rglob("*")
        if path.suffix in {".vue", ".ts"} and ".test." not in path.name
    )
    # `/api/v1/job-orders/${encodeURIComponent(job.id)}/${verb}` is each verb of a job.
    called = {re.sub(r"\$?\{[^}]*\}", "*", path) for path in re.findall(r"['`](/api/v1/[^'`]+)['`]", source)}
    return {
        (route.endpoint.__module__, route.endpoint.__name__)
        for router in installed_routers()
        for route in router.routes
        if isinstance(route, APIRoute)
        and any(fnmatch(re.sub(r"\{[^}]*\}", "*", route.path), path) for path in called)
    }


def test_every_refusal_that_a_terminal_can_meet_has_words_there() -> None:
    import_everything()
    handlers = handlers_of_a_terminal()
    assert {name for _, name in handlers} >= {
        "start",
        "report",
        "sign_on",
        "clock_in",
        "help_wanted",
        "note_scan",
    }
    desk = TEXTS.read_text(encoding="utf-8").partition("DESK_ERRORS = new Set([")[2].partition("])")[0]
    met = {name for _, name in reached(*handlers, ("mes.access.guard", "authenticate"))}
    met &= {cls.__name__ for cls in refusals()}
    assert met >= {"PersonClockedInAlready", "TerminalTakenOver", "LotTooSmall", "PinLocked", "NotSignedIn"}
    assert sorted(met & set(re.findall(r"'(\w+)'", desk))) == []
