"""Rules of the house that the sources themselves must show."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PARTS = ("app", "admin", "cards", "config")
SOURCES = [*(path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))), ROOT / "wsgi.py"]
TEMPLATES = [path for part in ("app", "admin") for path in sorted((ROOT / part).rglob("templates/**/*.html"))]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _in(*parts: str) -> list[Path]:
    return [path for path in SOURCES if _name(path).startswith(parts)]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Every call, with the last name of what is called: `session.commit()` is "commit"."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(attr=name) | ast.Name(id=name):
                    yield node, name


def _imports(path: Path) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or ""


def _places(found: Iterator[tuple[Path, int]]) -> list[str]:
    return [f"{_name(path)}:{line}" for path, line in found]


def test_transactions_end_in_one_module() -> None:
    found = (
        (path, call.lineno)
        for path in _in("app/", "admin/", "wsgi.py")
        if _name(path) != "app/db.py"
        for call, name in _calls(path)
        if name in {"commit", "rollback"} and isinstance(call.func, ast.Attribute)
    )
    assert _places(found) == []


def test_every_time_is_aware() -> None:
    def naive(call: ast.Call, name: str) -> bool:
        given = len(call.args) + len(call.keywords)
        return name in {"utcnow", "utcfromtimestamp"} or (
            (name in {"now", "fromtimestamp"} and given < (1 if name == "now" else 2))
            and isinstance(call.func, ast.Attribute)
            and ast.unparse(call.func.value).endswith("datetime")
        )

    found = ((path, call.lineno) for path in SOURCES for call, name in _calls(path) if naive(call, name))
    assert _places(found) == []


PURE = ("cards/", "app/rules.py", "app/evidence.py", "app/columns.py")
#: The offline program, which reads the clock and files for the library, stands outside of it.
PURE_BUT = ("cards/__main__.py",)


def test_pure_parts_read_no_clock() -> None:
    clocks = {"now", "today", "utcnow", "monotonic", "perf_counter", "time_ns", "clock_timestamp"}
    found = (
        (path, call.lineno)
        for path in _in(*PURE)
        if _name(path) not in PURE_BUT
        for call, name in _calls(path)
        if name in clocks and isinstance(call.func, ast.Attribute)
    )
    assert _places(found) == []


def test_codes_come_from_the_systems_randomness() -> None:
    found = (
        (path, node.lineno)
        for path in _in("cards/", "app/", "config/keys.py")
        for node, module in _imports(path)
        if module.split(".")[0] == "random"
    )
    assert _places(found) == []


def test_the_verifier_imports_nothing_of_ours() -> None:
    found = (
        (path, node.lineno)
        for path in _in("admin/verify.py")
        for node, module in _imports(path)
        if module.split(".")[0] in PARTS or (isinstance(node, ast.ImportFrom) and node.level)
    )
    assert _places(found) == []


def test_imports_stand_at_the_top() -> None:
    found = (
        (path, inner.lineno)
        for path in _in("app/")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    )
    assert _places(found) == []


def _built(argument: ast.expr) -> bool:
    """Whether a text is put together from values where it is used."""
    match argument:
        case ast.JoinedStr(values=values):
            return any(isinstance(value, ast.FormattedValue) and not _constant(value.value) for value in values)
        case ast.BinOp(op=ast.Mod() | ast.Add()):
            return not (_literal(argument.left) and _literal(argument.right))
        case ast.Call(func=ast.Attribute(attr="format" | "join")):
            return True
    return False


def _constant(value: ast.expr) -> bool:
    """A name in capitals is a constant of the module: no value of a request gets into it."""
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.isupper()
    return False


def _literal(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) or _constant(value)


def _reasoned(path: Path, call: ast.Call) -> bool:
    """Whether the place says why its text cannot hold a value: `noqa: S608 -- constants`."""
    lines = path.read_text(encoding="utf-8").splitlines()[call.lineno - 1 : call.end_lineno]
    return any("noqa: S608 -- " in line for line in lines)


def test_sql_is_never_put_together_from_values() -> None:
    found = (
        (path, call.lineno)
        for path in _in("app/", "admin/")
        for call, name in _calls(path)
        if name in {"text", "execute", "exec_driver_sql", "scalar", "scalars"}
        and call.args
        and _built(call.args[0])
        and not _reasoned(path, call)
    )
    assert _places(found) == []


class _Page(HTMLParser):
    """Collects what a strict content security policy would refuse."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.faults: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        line = self.getpos()[0]
        self.faults += [(line, name) for name in names if name == "style" or re.fullmatch(r"on[a-z]+", name)]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.faults.append((line, f"inline <{tag}>"))
        for name in ("src", "href", "action", "formaction"):
            if re.match(r"\s*(https?:)?//|\s*(javascript|data):", names.get(name) or ""):
                self.faults.append((line, f"{name} leads elsewhere"))


#: Jinja's own marks are no HTML: blanked, line for line, before the page is read.
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "x" if match[0].startswith("{{") else " ", match[0])


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_a_template_needs_nothing_inline(path: Path) -> None:
    page = _Page()
    page.feed(_JINJA.sub(_blank, path.read_text(encoding="utf-8")))
    page.close()
    assert page.faults == []


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_a_template_leaves_escaping_on_and_words_to_the_catalogue(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # `('<b>' ~ name|e ~ '</b>')|safe` shows what it escaped; a bare `name|safe` does not.
    assert re.findall(r"[^)\s]\s*\|\s*safe\b|autoescape\s+false", text) == []
    # A language is offered under its own name.
    assert _HAN.findall(re.sub(r"\{#.*?#\}|>中文<", "", text, flags=re.DOTALL)) == []


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "misc", "common", "models", "services", "managers"}
    assert [_name(path) for path in SOURCES if path.stem in drawers] == []
