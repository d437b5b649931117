"""What the documentation says is so."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import catalogue, planner_form
from tests.architecture.graph import PACKAGES, ROOT

PAGES = sorted(
    [
        *(ROOT / "docs").rglob("*.md"),
        *(path for path in ROOT.glob("*.md")),
    ]
)
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE_PATH = re.compile(rf"`((?:{'|'.join(PACKAGES)}|tests|docs)/[\w./-]+)`")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_event_catalogue_is_that_of_the_code() -> None:
    assert catalogue.EVENTS.read_text() == catalogue.events_page(), (
        "write it with: python -m tests.architecture.catalogue"
    )


def test_the_table_of_rights_is_that_of_the_code() -> None:
    assert catalogue.PERMISSIONS.read_text() == catalogue.permissions_page(), (
        "write it with: python -m tests.architecture.catalogue"
    )


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert catalogue.SETTINGS.read_text() == catalogue.settings_page(), (
        "write it with: python -m tests.architecture.catalogue"
    )


def test_the_json_form_of_the_planner_is_that_of_the_code() -> None:
    assert catalogue.PLANNER.read_text() == planner_form.form_page(), (
        "write it with: python -m tests.architecture.catalogue"
    )


def test_the_description_that_the_pages_are_built_on_is_that_of_the_api() -> None:
    assert catalogue.OPENAPI.read_text() == catalogue.openapi_text(), (
        "write it with: python -m tests.architecture.catalogue"
    )


@pytest.mark.parametrize("folder", ["adr", "how-to"])
def test_every_page_is_in_its_index(folder: str) -> None:
    index = ROOT / "docs" / folder / "index.md"
    listed = set(LINK.findall(index.read_text()))
    assert {page.name for page in index.parent.glob("*.md")} - {"index.md"} == listed


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_spoken_of_exist(page: Path) -> None:
    """A path in backquotes that begins with one of our packages is a real file or folder."""
    missing = [path for path in CODE_PATH.findall(page.read_text()) if not (ROOT / path).exists()]
    assert missing == []


def test_a_new_report_touches_at_most_seven_files_in_three_folders() -> None:
    """The example in CONTRIBUTING, whose added lines are in the code."""
    diff = (ROOT / "CONTRIBUTING.md").read_text().partition("```diff\n")[2].partition("```")[0]
    touched: dict[str, list[str]] = {}
    for line in diff.splitlines():
        if line.startswith("--- "):
            touched[line.removeprefix("--- ")] = []
        elif line.startswith("+"):
            next(reversed(touched.values())).append(line.removeprefix("+").strip())
    assert len(touched) <= 7
    assert len({Path(path).parent for path in touched}) <= 3
    for path, added in touched.items():
        code = (ROOT / path).read_text()
        assert [line for line in added if line and line not in code] == [], path


def examples() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, block in enumerate(PYTHON.findall(page.read_text()), 1):
            yield f"{name(page)}#{number}", block


EXAMPLES = dict(examples())


@pytest.mark.parametrize("example", EXAMPLES)
def test_python_examples_run(example: str) -> None:
    exec(compile(EXAMPLES[example], example, "exec"), {"__name__": "example"})  # noqa: S102 - our own docs
