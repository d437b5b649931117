"""Whatever the plant refuses, the pages can say in the reader's language."""

import json

import pytest

from tests.architecture.graph import ROOT
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
