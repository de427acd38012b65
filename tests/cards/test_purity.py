"""The source of the library itself: no weak randomness, no clock, no database, no web."""

import ast
from pathlib import Path

import pytest

import cards

FORBIDDEN = {
    "random",
    "time",
    "datetime",
    "flask",
    "sqlalchemy",
    "psycopg",
    "redis",
    "app",
    "admin",
    "config",
}
SOURCES = sorted(Path(cards.__file__).parent.glob("*.py"))


def imported(source: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("name", ["codes.py", "serials.py", "challenges.py", "lots.py", "errors.py"])
def test_the_pure_modules_import_no_clock_database_or_web(name: str) -> None:
    source = next(path for path in SOURCES if path.name == name)
    assert not imported(source) & FORBIDDEN


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_module_of_the_library_imports_random(source: Path) -> None:
    assert "random" not in imported(source)
