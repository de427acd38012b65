"""Tables in .xlsx workbooks: read in a child process that may do nothing else, written row by row."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import xlsxwriter

from admin.intake.archives import check_archive
from admin.intake.layouts import Column
from admin.intake.rows import FORMULA_STARTS, BadTable, Limits, Record, Trouble, refuse_mistaken
from admin.intake.sheetchild import OUT_OF_MEMORY
from app.wording import N_

_CHILD: Final = Path(__file__).with_name("sheetchild.py")
_ZIP: Final = b"PK\x03\x04"
#: far more than a row of `Limits.columns` cells of `Limits.cell` characters
_LONGEST_LINE: Final = 2**24

_ROUNDED: Final = N_(
    "The workbook holds this as a number and has rounded it. Format the column as text and enter it again."
)
_ERROR: Final = N_("The cell holds a formula with an error. Replace the formula by its value.")


class Workbook:
    """One .xlsx workbook with a single visible sheet that has content. Satisfies `rows.Source`."""

    def __init__(self, stream: BinaryIO, file: str, limits: Limits) -> None:
        """Check the archive, start the child, and read as far as the headings."""
        start = stream.read(8)
        if not start.startswith(_ZIP):
            refuse_mistaken(start, file)
            raise BadTable(N_("This is not an .xlsx workbook. Open it in Excel and save it as .xlsx."), file=file)
        check_archive(stream, file, limits)
        os.lseek(stream.fileno(), 0, os.SEEK_SET)  # the child has no part in this stream's buffer
        self.file = file
        self.deleted = 0
        self._child = _start(stream, limits)
        try:
            self._row = self._opened(limits)
            self.headings = tuple(self._text(cell) for cell in self._cells())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the child, whatever it is doing."""
        if self._child.poll() is None:
            self._child.kill()
        if self._child.stdout:
            self._child.stdout.close()
        self._child.wait()

    def records(self) -> Iterator[Record]:
        """Every row under the headings that is not empty."""
        while isinstance(line := self._line(), list):
            self._row += 1
            if all(type(cell) is str for cell in line):
                if any(line):
                    yield Record(self._row, line)
            else:
                yield self._mixed(line)
        if line != {"end": self._row}:
            raise self._broken()

    def _mixed(self, cells: list[Any]) -> Record:
        """A row in which not every cell is text."""
        troubles = []
        for at, cell in enumerate(cells):
            if isinstance(cell, dict):
                cells[at] = next(iter(cell.values()))
                if "rounded" in cell:
                    troubles.append(Trouble(at, _ROUNDED))
                elif "error" in cell:
                    troubles.append(Trouble(at, _ERROR))
        return Record(self._row, cells, tuple(troubles))

    def _opened(self, limits: Limits) -> int:
        """The number of rows above the headings."""
        sheets = self._line().get("sheets", [])
        if not sheets:
            raise BadTable(N_("The workbook has no visible sheet with content."), file=self.file)
        if len(sheets) > 1:
            raise BadTable(
                N_("The workbook has content on several sheets: %(names)s. Keep one and hand it in again."),
                file=self.file,
                names=", ".join(map(str, sheets))[:200],
            )
        area = self._line()
        if area["height"] > limits.rows + 1 or area["width"] > limits.columns:
            raise BadTable(
                N_(
                    "The sheet reaches over %(rows)s rows and %(columns)s columns; at most %(most_rows)s and"
                    " %(most_columns)s are taken. Delete what lies beyond the table, or split it."
                ),
                file=self.file,
                rows=area["height"],
                columns=area["width"],
                most_rows=limits.rows + 1,
                most_columns=limits.columns,
            )
        return int(area["start"])

    def _cells(self) -> list[Any]:
        line = self._line()
        if not isinstance(line, list):
            raise self._broken()
        self._row += 1
        return line

    def _text(self, cell: Any) -> str:
        return str(next(iter(cell.values()))) if isinstance(cell, dict) else str(cell)

    def _line(self) -> Any:
        """The child's next line; raises `BadTable` when it has died instead."""
        stream = self._child.stdout
        line = stream.readline(_LONGEST_LINE) if stream else b""
        if line.endswith(b"\n"):
            return json.loads(line)
        if line:
            self._child.kill()
        raise self._broken()

    def _broken(self) -> BadTable:
        """What the child's end means for the user."""
        status = self._child.wait()
        if status in (-signal.SIGXCPU, -signal.SIGKILL):
            message = N_("The workbook takes too long to read. Split it, or hand it in as CSV.")
        elif status in (-signal.SIGABRT, -signal.SIGSEGV, OUT_OF_MEMORY):
            message = N_("The workbook needs too much memory. Delete what lies beyond the table, or hand it in as CSV.")
        else:
            message = N_("The workbook cannot be read. Open it in Excel and save it as .xlsx without a password.")
        return BadTable(message, file=self.file)


def _start(stream: BinaryIO, limits: Limits) -> "subprocess.Popen[bytes]":
    """The child, with the workbook as its input and nothing of our environment."""
    numbers = (limits.memory, limits.cpu_seconds, limits.rows, limits.columns)
    return subprocess.Popen(  # noqa: S603 -- our own program, our own numbers
        [sys.executable, "-I", str(_CHILD), *map(str, numbers)],
        stdin=stream,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8"},
        cwd="/",
    )


def write_sheet(path: Path, name: str, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, raw: bool) -> int:
    """Write one sheet with headings, row by row with flat memory; returns the number of rows.

    Every cell is text, so none can be a formula; without `raw`, cells that look like one are marked as
    quoted too, so that editing a cell does not turn it into a formula.
    """
    count = 0
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet(name[:31])
        bold = book.add_format({"bold": True})
        quoted = None if raw else book.add_format({"quote_prefix": True})
        sheet.freeze_panes(1, 0)
        for at, column in enumerate(columns):
            sheet.set_column(at, at, min(40, max(8, column.width, 2 * len(column.heading)) + 2))
            sheet.write_string(0, at, column.heading, bold)
        for count, row in enumerate(rows, 1):
            for at, value in enumerate(row):
                if value:
                    risky = quoted is not None and value.startswith(FORMULA_STARTS)
                    if sheet.write_string(count, at, value, quoted if risky else None):
                        message = f"row {count} does not fit into a worksheet"
                        raise ValueError(message)
    return count
