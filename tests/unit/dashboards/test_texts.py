"""What people read: every refusal has its words in every language, and nothing is left over."""

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from dashboards.build import WEB
from erp_bridge.documents import Document, MaterialUse
from mes.costing.model import Account
from mes.kernel.errors import PlantError
from mes.performance.iso22400 import NoValue

TEXTS = WEB / "src/i18n"
PACKAGES = ("mes", "planner", "erp_bridge", "edge", "dashboards")


def texts(language: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8"))
    return found


def flat(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def refusals() -> set[str]:
    """Every error that a plant's user can meet."""
    for package in PACKAGES:
        module = importlib.import_module(package)
        for found in pkgutil.walk_packages(module.__path__, f"{package}."):
            if not re.search(r"__main__|migrations|\.embedded\.|plant_sim", found.name):
                importlib.import_module(found.name)

    def below(cls: type[PlantError]) -> Iterator[str]:
        yield cls.__name__
        for child in cls.__subclasses__():
            yield from below(child)

    ours = set(below(PlantError))
    return {name for name in ours if any(_defines(package, name) for package in PACKAGES)}


def _defines(package: str, name: str) -> bool:
    root = Path(str(importlib.import_module(package).__file__)).parent
    return any(f"class {name}(" in file.read_text(encoding="utf-8") for file in root.rglob("*.py"))


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_refusal_has_its_words(language: str) -> None:
    assert refusals() - set(texts(language)["errors"]) == set()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_figure_without_a_value_says_why(language: str) -> None:
    assert {reason.value for reason in NoValue} - set(texts(language)["kpiReason"]) == set()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_account_and_document_has_its_name(language: str) -> None:
    nouns = {get_args(get_type_hints(cls)["noun"])[0] for cls in get_args(get_args(Document)[0])}
    kinds = {f"MaterialActual-{use.value}" for use in MaterialUse} | nouns - {"MaterialActual"}
    assert set(texts(language)["account"]) == {account.value for account in Account}
    assert set(texts(language)["documentKind"]) == kinds


def test_both_written_languages_say_the_same_things() -> None:
    assert {key for key, _ in flat(texts("en"))} == {key for key, _ in flat(texts("zh-CN"))}


def test_both_written_languages_use_the_same_figures() -> None:
    def holes(language: str) -> dict[str, set[str]]:
        return {key: set(re.findall(r"{(\w+)}", text)) for key, text in flat(texts(language))}

    english, chinese = holes("en"), holes("zh-CN")
    assert {key: (english[key], chinese[key]) for key in english if english[key] != chinese[key]} == {}


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_no_text_has_a_sign_that_the_pages_read_as_a_command(language: str) -> None:
    assert [key for key, text in flat(texts(language)) if re.search(r"[|@]|^$", text)] == []


def test_reasons_of_the_plant_have_their_words() -> None:
    from mes.resources.service import load_plant

    groups = {"scrap": "scrapReason", "stop": "stopReason", "hold": "holdReason", "reversal": "undoReason"}
    for reason in load_plant().reasons:
        if reason.kind.value in groups:
            for language in ("en", "zh-CN"):
                assert reason.code in texts(language)[groups[reason.kind.value]]
