"""Reads one workbook from standard input and writes its rows as JSON lines; run as a program of its own.

It is started by `admin.intake.sheets` with nothing but this file: no package of ours, no settings, no
secrets. Before it touches the workbook it gives up every right it does not need: memory, processor time,
files, network (no descriptor can be opened any more, so no socket either), processes, and root (I-02).

Lines written: first {"sheets": [names with content]}; when that is exactly one, {"start": row, "height": n,
"width": n}, then one list a row, at the end {"end": rows}. A cell is text, or what is not text in the
workbook: {"day": ...}, {"number": ...}, {"rounded": ...} a number with more digits than a workbook keeps,
{"error": ...}. Ends with `OUT_OF_MEMORY` when it notices that itself; mostly the library aborts first.
"""

import contextlib
import datetime as dt
import encodings.cp437  # noqa: F401 -- zipfile asks for it when nothing can be opened any more
import io
import json
import os
import posixpath
import re
import resource
import sys
import zipfile
from xml.etree import ElementTree as ET

import python_calamine

OUT_OF_MEMORY = 71
_NOBODY = 65534
#: From here on a workbook's numbers (IEEE doubles) no longer keep every digit that was typed.
_EXACT = 10**15
_BLOCK = 2**16
#: Longer than any cell's opening tag, so that one cut in two by a block's end is still found.
_OVERLAP = 256
_ERROR_CELL = re.compile(rb"""<c\b(?=[^>]*\bt=["']e["'])[^>]*\br=["']([A-Z]{1,3})([0-9]{1,7})["']""")

Cell = str | dict[str, str]


def _confine(memory: int, cpu_seconds: int) -> None:
    """Give up rights for good; the order matters, root is dropped last."""
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    if os.geteuid() == 0:
        with contextlib.suppress(PermissionError):  # in some containers root may not change its groups
            os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)


def _cell(value: object) -> Cell:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        if abs(value) >= _EXACT:
            return {"rounded": repr(value)}
        return {"number": str(int(value)) if value == int(value) else repr(value)}
    return {"day": str(value)} if isinstance(value, dt.date) else str(value)


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what, separators=(",", ":")) + "\n")


def _sheet_file(archive: zipfile.ZipFile, name: str) -> str:
    """The member that holds the sheet called `name`, "" when the workbook does not say."""
    relation = ""
    for element in ET.fromstring(archive.read("xl/workbook.xml")).iter():  # noqa: S314 -- confined, see above
        if element.tag.endswith("}sheet") and element.get("name") == name:
            relation = next((value for key, value in element.attrib.items() if key.endswith("}id")), "")
    for element in ET.fromstring(archive.read("xl/_rels/workbook.xml.rels")):  # noqa: S314 -- confined
        if element.get("Id") == relation:
            return posixpath.normpath(posixpath.join("/xl", element.get("Target", ""))).lstrip("/")
    return ""


def _error_cells(data: bytes, name: str) -> dict[int, list[int]]:
    """Columns, by row, of formula errors (#N/A and the like), which the reader would give as empty cells."""
    found: dict[int, list[int]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(_sheet_file(archive, name)) as sheet:
        kept = b""
        while block := sheet.read(_BLOCK):
            for letters, row in _ERROR_CELL.findall(kept + block):
                found.setdefault(int(row) - 1, []).append(_column(letters))
            kept = (kept + block)[-_OVERLAP:]
    return found


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number - 1


def _read(data: bytes, most_rows: int, most_columns: int) -> None:
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    visible = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible == python_calamine.SheetVisibleEnum.Visible
        and sheet.typ == python_calamine.SheetTypeEnum.WorkSheet
    ]
    sheets = [sheet for sheet in map(book.get_sheet_by_name, visible) if sheet.height]
    _say({"sheets": [sheet.name for sheet in sheets]})
    if len(sheets) != 1:
        return
    (sheet,) = sheets
    top, left = sheet.start or (0, 0)
    _say({"start": top, "height": sheet.height, "width": sheet.width + left})
    if sheet.height > most_rows + 1 or sheet.width + left > most_columns:
        return
    errors = _error_cells(data, sheet.name)
    at = 0
    for values in sheet.iter_rows():
        if at >= top:  # the empty rows above the first used one are given, too
            cells: list[Cell] = [*[""] * left, *map(_cell, values)]
            for column in errors.get(at, ()):
                cells[column] = {"error": "#"}
            _say(cells)
        at += 1
    _say({"end": at})


if __name__ == "__main__":
    memory, cpu_seconds, most_rows, most_columns = map(int, sys.argv[1:])
    workbook = sys.stdin.buffer.read()
    sys.stdin.close()
    _confine(memory, cpu_seconds)
    try:
        _read(workbook, most_rows, most_columns)
        sys.stdout.flush()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # nothing that allocates can be done any more
