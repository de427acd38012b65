"""A sealed batch as the list that admission works with: one line for each major, in plain text.

    candidate_no,batch,version,kind,column,institution_adjust,directed_adjust,slot,institution,group,…

UTF-8, lines end with LF, nothing is quoted, for every value is a code; yes is 1, no is 0, unanswered is nothing.
Candidates stand in the order of the seal, columns by code, slots and majors as filed. A waiver, or a list in which
nothing is chosen, is one line with nothing behind the kind. The seal holds the digest of the whole file (I6); it is
raw on purpose, a spreadsheet must not open it (I-08).

Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

FIELDS: Final = (
    "candidate_no",
    "batch",
    "version",
    "kind",
    "column",
    "institution_adjust",
    "directed_adjust",
    "slot",
    "institution",
    "group",
    "major_adjust",
    "major_no",
    "major",
)
HEADING: Final = ",".join(FIELDS) + "\n"
_ANSWERS: Final = {True: "1", False: "0", None: ""}

Line = tuple[str, ...]


def lines(candidate_no: str, batch: str, number: int, kind: str, content: Mapping[str, Any]) -> list[Line]:
    """The lines of one filing, each with a value for every one of `FIELDS`."""
    filed = (candidate_no, batch, str(number), kind)
    chosen = [line for code in sorted(content.get("columns", {})) for line in _column(code, content["columns"][code])]
    return [filed + line for line in chosen] or [filed + ("",) * (len(FIELDS) - len(filed))]


def _column(code: str, column: Mapping[str, Any]) -> Iterator[Line]:
    head = (code, _ANSWERS[column["institution_adjust"]], _ANSWERS[column["directed_adjust"]])
    if not column["slots"]:
        yield (*head, "", "", "", "", "", "")
    for number, slot in enumerate(column["slots"], 1):
        place = (*head, str(number), slot["institution"], slot["group"] or "", _ANSWERS[slot["major_adjust"]])
        if not slot["majors"]:
            yield (*place, "", "")
        for at, major in enumerate(slot["majors"], 1):
            yield (*place, str(at), major)


def written(found: list[Line]) -> str:
    """The lines as they stand in the file."""
    return "".join(f"{','.join(line)}\n" for line in found)
