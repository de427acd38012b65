"""Exports: tables as xlsx. Every text is a text cell, so that nothing typed by anybody becomes a formula (I-08)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import xlsxwriter

MIMETYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_WIDEST: Final = 40

Cell = str | int | float


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: what it is, the facts above it, the columns, the rows, perhaps a row of totals."""

    title: str
    facts: Sequence[tuple[str, str]]
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    foot: Sequence[Cell] = ()


def xlsx(sheet: Sheet) -> bytes:
    """The table as a workbook: numbers as numbers (shares as percentages), everything else as text."""
    target = io.BytesIO()
    # converted strings are how a name becomes a formula or a link
    converting = {f"strings_to_{kind}": False for kind in ("formulas", "numbers", "urls")}
    with xlsxwriter.Workbook(target, {"in_memory": True, **converting}) as book:
        page = book.add_worksheet()
        write = _Writer(book, page)
        write.line(0, [sheet.title], write.bold)
        for at, (name, value) in enumerate(sheet.facts, start=1):
            write.line(at, [name, value])
        top = len(sheet.facts) + 2
        write.line(top, sheet.columns, write.head)
        for at, row in enumerate(sheet.rows, start=top + 1):
            write.line(at, row)
        if sheet.foot:
            write.line(top + 1 + len(sheet.rows), sheet.foot, write.bold)
        _lay_out(page, sheet, top)
    return target.getvalue()


class _Writer:
    """Writes cells of one page."""

    def __init__(self, book: Any, page: Any) -> None:
        self._page = page
        # quote_prefix is the apostrophe a spreadsheet shows before text that must stay text
        self.text = book.add_format({"num_format": "@", "quote_prefix": True})
        self.bold = book.add_format({"num_format": "@", "quote_prefix": True, "bold": True})
        self.head = book.add_format(
            {"num_format": "@", "quote_prefix": True, "bold": True, "text_wrap": True, "bottom": 1}
        )
        self.share = book.add_format({"num_format": "0.0%"})

    def line(self, at: int, cells: Sequence[Cell], form: Any = None) -> None:
        for column, cell in enumerate(cells):
            if isinstance(cell, str):
                self._page.write_string(at, column, cell, form or self.text)
            else:
                self._page.write_number(at, column, cell, self.share if isinstance(cell, float) else None)


def _lay_out(page: Any, sheet: Sheet, top: int) -> None:
    page.freeze_panes(top + 1, 1)
    page.repeat_rows(top)
    page.set_landscape()
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)
    page.set_footer("&C&P / &N")
    for column, label in enumerate(sheet.columns):
        longest = max((_width(row[column]) for row in sheet.rows), default=0)
        page.set_column(column, column, min(_WIDEST, max(10, longest, _width(label)) + 2))


def _width(cell: Cell) -> int:
    """Columns a cell takes: a Han is as wide as two digits."""
    return sum(1 if char.isascii() else 2 for char in str(cell)) if isinstance(cell, str) else 8
