"""What a function of the product can come to: the names it uses, and those that these use, by the sources."""

import ast
from collections.abc import Iterator
from functools import cache

from tests.architecture.graph import ROOT

Place = tuple[str, str]
"""A module, and a name at its top."""


@cache
def _module(name: str) -> tuple[dict[str, ast.AST], dict[str, Place]]:
    """Return what a module of ours defines at its top, and where what it imports comes from."""
    path = ROOT.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.exists():
        return {}, {}
    defined: dict[str, ast.AST] = {}
    imported: dict[str, Place] = {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported |= {one.asname or one.name: (node.module, one.name) for one in node.names}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign):
            defined |= {name.id: node for name in node.targets if isinstance(name, ast.Name)}
    return defined, imported


def _used(module: str, node: ast.AST) -> Iterator[Place]:
    """Yield the names that a definition uses, where they are defined or imported from."""
    defined, imported = _module(module)
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            if one.id in defined:
                yield module, one.id
            elif one.id in imported:
                yield imported[one.id]
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id in imported:
            package, name = imported[one.value.id]
            yield f"{package}.{name}", one.attr


def reached(*begin: Place) -> set[Place]:
    """Return every definition of ours that the given ones come to, themselves too."""
    seen: set[Place] = set()
    open_ones = list(begin)
    while open_ones:
        place = open_ones.pop()
        if place in seen:
            continue
        seen.add(place)
        defined, imported = _module(place[0])
        if place[1] in defined:
            open_ones += _used(place[0], defined[place[1]])
        elif place[1] in imported:
            open_ones.append(imported[place[1]])
    return seen
