"""Every act that the sources record has words, and all words belong to an act that they record."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, get_args

from admin.pages.audit_words import ACTORS, ACTS, GROUPS, groups
from app.audit import FREQUENT, Actor

ROOT: Final = Path(__file__).parents[3]
#: what stands in the hole of an act that is put together; a new one is added here with the values it can have
HOLES: Final = {
    "batch.{done}": {"opening_moved", "end_moved", "resumed", "created"},
    "{what}.refused": {"phone", "id_no"},
    "{what}.revealed": {"phone", "id_no"},
    "alert.{state}": {"noted", "closed"},
    "card.{reason}": {"lost", "not_me"},
    "progress.{table}_exported": {"counts", "names"},
    "proposal.{act}": {"proposed", "mistyped", "approved", "refused", "withdrawn"},
    "room.{state}": {"approved", "refused", "ended"},
    "transfer.{act}": {"sent", "confirmed", "differs", "miscounted", "settled"},
}
WHOLE: Final = re.compile(r"[a-z_]+\.[a-z_]+")


@cache
def nodes() -> list[ast.AST]:
    files = (path for part in ("app", "admin") for path in sorted((ROOT / part).rglob("*.py")))
    return [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))]


def recorders() -> set[str]:
    """The functions that are told an act as text, by name."""
    functions = (node for node in nodes() if isinstance(node, ast.FunctionDef))
    return {
        function.name
        for function in functions
        for one in function.args.args
        if one.arg == "act" and one.annotation is not None and ast.unparse(one.annotation) == "str"
    }


def given() -> Iterator[ast.expr]:
    """What such functions are told, and what is kept in a variable for them."""
    names = recorders()
    for node in nodes():
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in names:
                yield from node.args
            case ast.Assign(targets=[ast.Name(id="act")], value=value):
                yield value


def said(value: ast.expr) -> Iterator[str]:
    """The acts an argument can be, if it is one: a text, either of two, or a text with a hole."""
    match value:
        case ast.Constant(value=str() as text) if WHOLE.fullmatch(text):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from said(one)
            yield from said(other)
        case ast.JoinedStr():
            pattern = ast.literal_eval(ast.unparse(value).removeprefix("f"))
            assert pattern in HOLES, f"{pattern}: say in HOLES which acts these are"
            hole = re.compile(r"\{\w+\}")
            yield from (hole.sub(one, pattern) for one in HOLES[pattern])


def test_every_act_has_words_and_all_words_an_act() -> None:
    recorded = {act for value in given() for act in said(value)}
    assert recorded >= {"filing.confirmed", "candidate.not_found", "points.loaded", "officer.sign_in_refused"}
    assert recorded == set(ACTS)


def test_a_piece_of_an_act_fits_its_hole() -> None:
    pieces = {
        value.value
        for value in given()
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and re.fullmatch(r"[a-z_]+", value.value)
    }
    assert pieces <= set().union(*HOLES.values())


def test_every_group_has_a_name_and_comes_once() -> None:
    assert {act.partition(".")[0] for act in ACTS} == set(GROUPS)
    shown = [group for group, _ in groups()]
    assert len(shown) == len(set(shown))
    assert sorted(act for _, acts in groups() for act, _ in acts) == sorted(ACTS)
    assert set(ACTORS) == set(get_args(Actor))
    assert set(FREQUENT) <= set(ACTS)
