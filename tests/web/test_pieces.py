"""Pieces kept for everybody: each reader gets them in the own language, escaped, and never another's."""

from collections.abc import Iterator

import pytest
from flask import Flask, g

from app.web.pieces import piece, pieces


@pytest.fixture
def page(candidates_app: Flask) -> Iterator[Flask]:
    with candidates_app.test_request_context():
        yield candidates_app


def test_a_piece_is_in_the_language_of_its_reader(page: Flask) -> None:
    g.language = "zh_Hans"
    chinese = piece("institution", "4143", "湖南大学", "长沙", 5500, "公办")
    g.language = "en"
    english = piece("institution", "4143", "湖南大学", "长沙", 5500, "公办")
    assert "5,500" in chinese
    assert "yuan a year" in english
    assert "yuan a year" not in chinese
    g.language = "zh_Hans"
    assert piece("institution", "4143", "湖南大学", "长沙", 5500, "公办") == chinese


def test_what_a_piece_is_given_is_escaped(page: Flask) -> None:
    assert "<script>" not in piece("major", "01", "<script>", None, "<script>")


def test_several_pieces_stand_one_after_another(page: Flask) -> None:
    both = pieces("major", [("01", "法学"), ("02", "哲学", 4400, "只招英语语种")])
    assert both == piece("major", "01", "法学") + piece("major", "02", "哲学", 4400, "只招英语语种")
    assert both.index("法学") < both.index("哲学") < both.index("只招英语语种")
