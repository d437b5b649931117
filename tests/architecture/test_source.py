"""Rules that no linter has, each where a mistake is dear."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

import pytest

from mes.kernel.errors import PlantError
from tests.architecture.graph import ROOT, sources

LONGEST_AT_P95 = 30
AMOUNT = re.compile(
    r"(^|_)(quantity|qty|amount|price|cost|money|good|scrap|debit|credit|balance|consumed|required)($|_)"
)
"""Names that hold quantities or money, which are exact decimals."""

SECONDS_OR_COUNTS = re.compile(r"_(s|min|h|count|ratio|share|weight)$")

HOSTS = re.compile(
    "|".join(
        (
            r"pythonhosted\." + "org",
            r"pypi\." + r"org/simple",
            r"registry\.npmjs\." + "org",
            r"--(extra-)?index-" + "url",
            r"index-" + r"url\s*=",
        )
    )
)
MACHINE_PATHS = re.compile("|".join(("/work" + "/", "/root" + "/", r"/home" + r"/(?!user\b)\w+/")))
BINARY = {".png", ".jpg", ".ico", ".woff2", ".gz", ".zip", ".wav", ".mp3", ".sqlite", ".pdf"}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, the docstring left out."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def committed() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_functions_stay_short() -> None:
    """95 of 100 functions have at most 30 lines."""
    lengths = [length(function) for path in sources() for function in functions(path)]
    assert quantiles(lengths, n=20)[-1] <= LONGEST_AT_P95


def annotated(path: Path) -> Iterator[tuple[str, ast.expr, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.annotation, node.lineno
        elif isinstance(node, ast.arg) and node.annotation is not None:
            yield node.arg, node.annotation, node.lineno


def test_quantities_and_money_are_never_floats() -> None:
    """A cent that a float loses is a difference that finance must explain."""
    floats = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in sources()
        for name, annotation, line in annotated(path)
        if AMOUNT.search(name)
        and not SECONDS_OR_COUNTS.search(name)
        and any(isinstance(part, ast.Name) and part.id == "float" for part in ast.walk(annotation))
    ]
    assert floats == []


def naive(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return name in {"utcnow", "utcfromtimestamp"} or (
        name in {"now", "fromtimestamp"}
        and ast.unparse(call.func).startswith("datetime")
        and len(call.args) + len(call.keywords) < (1 if name == "now" else 2)
    )


def test_times_know_their_zone() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and naive(node)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("pattern", "what"), [(HOSTS, "package registry"), (MACHINE_PATHS, "path of one machine")]
)
def test_committed_files_name_no_machine_and_no_registry(pattern: re.Pattern[str], what: str) -> None:
    """Whoever clones this has other mirrors and other folders."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in committed()
        if path.suffix not in BINARY
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == [], f"each names a {what}"


def test_the_pages_check_their_calls_against_the_description() -> None:
    """A cast to `never` takes path, headers and body of a call away from the compiler."""
    pages = ROOT / "dashboards" / "web" / "src"
    cast = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in committed()
        if path.is_relative_to(pages) and not path.name.endswith(".test.ts")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "as never" in line
    ]
    assert cast == []


def refusals(root: type[PlantError] = PlantError) -> Iterator[type[PlantError]]:
    for found in root.__subclasses__():
        if found.__module__.partition(".")[0] != "tests":
            yield found
        yield from refusals(found)


def test_every_refusal_says_what_to_do() -> None:
    """Its message is a sentence, and its remedy too: an operator reads both."""
    import_everything()
    wrong = [
        cls.__name__
        for cls in refusals()
        if not (cls.__doc__ or "").strip().split("\n")[0].endswith((".", "?", "!"))
        or not cls.remedy.strip().endswith((".", "?", "!"))
    ]
    assert wrong == []


def import_everything() -> None:
    """Import every module that may define an error."""
    from importlib import import_module

    for path in sources():
        if "class " in (text := path.read_text(encoding="utf-8")) and "PlantError" in text:
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def test_no_two_refusals_share_a_code() -> None:
    import_everything()
    names = [cls.__name__ for cls in refusals()]
    assert sorted(names) == sorted(set(names))
