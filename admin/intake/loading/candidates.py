"""Loads candidates: checked on every core, sealed, streamed by COPY, counted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin.intake import layouts
from admin.intake.exchange import BadRow, Row, Table, open_table
from admin.intake.loading.report import (
    CHUNK,
    UNKNOWN_CODE,
    Progress,
    Reject,
    Report,
    bad_place,
    copy_array,
    copy_bytes,
    copy_text,
    driver,
    loading,
    note,
    require,
    settle,
    words,
)
from admin.intake.parallel import in_order
from admin.intake.rows import COMMAND, Record
from app import tallies
from app.candidates import Sealer
from app.db import Database
from app.numbers import CandidateNumber, IdNumber, Problem
from app.specs import Calendar
from app.wording import N_

_CANDIDATE_COLUMNS: Final = (
    "id, candidate_no, name, sex, birth_date, id_no_sealed, id_no_index, mobile_sealed, ethnicity,"
    " subject_class, first_subject, second_subjects, language, point_id, class_no, hukou_county, score,"
    " qualifications, restrictions"
)
_SEX = N_("The identity number says %(said)s (1 male, 2 female), the table %(found)s. Correct the wrong one.")
_BIRTH = N_("The identity number says born on %(said)s, the table %(found)s. Correct the wrong one.")
_NO_POINT = N_("Registration point %(code)s is not loaded. Load the schools first, or correct the code.")
_NOT_IN_REGION = N_("Digits 3 to 8 say county %(said)s, but the registration point is in %(found)s.")
_NOT_OF_CLASS = N_("Digit 10 says subject class %(said)s, the table %(found)s. Correct the wrong one.")
_NO_CLASS = N_("“%(found)s” is no subject class of this year.")
_SAME_ID = N_("This identity number is registered twice in the province, here and in row %(row)s.")
_SAME_NO = N_("This candidate number is in the file twice, here and in row %(row)s.")
_LOADED_ID = N_("This identity number is already registered in the province.")
_LOADED_NO = N_("This candidate number is already loaded.")
_SCORE = N_("A score lies between 0 and %(most)s; %(found)s does not.")


@dataclass(frozen=True)
class Year:
    """What this year's tables are checked against: calendar, county codes, known codes."""

    calendar: Calendar
    codes: Mapping[str, Any]

    @property
    def class_digits(self) -> dict[str, str]:
        """Digit 10 of a candidate number, by subject class."""
        return {code: one.number_digit for code, one in self.calendar.subject_classes.items()}


class _Line(NamedTuple):
    """One good row: its number, the candidate's, the blind index of the identity number, what COPY is given."""

    row: int
    candidate_no: str
    id_index: bytes
    text: str


@dataclass
class _Checker:
    """Checks candidates and writes them as lines of COPY's text format."""

    year: Year
    sealer: Sealer
    points: Mapping[str, tuple[int, str]]
    counties: frozenset[str]
    first_id: int

    def __post_init__(self) -> None:
        self.digits = self.year.class_digits
        self.allowed_digits = frozenset(self.digits.values())
        self.languages = frozenset(self.year.codes["foreign_language"]["values"])
        self.ethnicities = frozenset(self.year.codes["ethnicity"]["values"])
        subjects = self.year.codes["elective_subjects_2024"]
        self.listed = (
            ("first_subject", frozenset(subjects["first_choice"])),
            ("second_subjects", frozenset(subjects["second_choice"])),
            ("restrictions", frozenset(self.year.codes["medical_restrictions"]["values"])),
        )
        types = self.year.codes["exam_type"]
        self.exam_types = frozenset(
            code for kind in ("values", "hunan_local_2017", "continuation") for code in types.get(kind, ())
        )

    def line(self, row: Row) -> _Line:
        """What one row of the file comes to; raises `Reject`."""
        value = row.values.get
        number = IdNumber.parse(value("id_no", ""))
        if isinstance(number, Problem):
            raise Reject("id_no", number.message, **number.params)  # type: ignore[arg-type]
        if value("sex", "") != number.sex:
            raise Reject("sex", _SEX, said=number.sex, found=value("sex", ""))
        if value("birth_date", "") != number.birth_date.isoformat():
            raise Reject("birth_date", _BIRTH, said=number.birth_date.isoformat(), found=value("birth_date", ""))
        point = self.points.get(value("point", ""))
        if point is None:
            raise Reject("point", _NO_POINT, code=value("point", ""))
        candidate_no = self._candidate_no(row, point[1])
        for column, known in (("ethnicity", self.ethnicities), ("language", self.languages)):
            if value(column, "") not in known:
                raise Reject(column, UNKNOWN_CODE, found=value(column, ""))
        self._codes(row)
        identity = self.first_id + row.number  # known wherever the row is read, so the value can be sealed there
        index = self.sealer.index(number.text)
        mobile = value("mobile", "")
        seal = self.sealer.seal
        values = (
            str(identity),
            candidate_no,
            copy_text(value("name_unicode", "") or value("name", "")),
            value("sex", ""),
            value("birth_date", ""),
            copy_bytes(seal(number.text, column="id_no", row=identity)),
            copy_bytes(index),
            copy_bytes(seal(mobile, column="mobile", row=identity)) if mobile else "\\N",
            value("ethnicity", ""),
            value("subject_class", ""),
            value("first_subject", "") or "\\N",
            copy_array(value("second_subjects", "")),
            value("language", ""),
            str(point[0]),
            copy_text(value("class_no", "")),
            copy_text(value("hukou_county", "")),
            self._score(value("score", "")),
            copy_array(value("qualifications", "")),
            copy_array(value("restrictions", "")),
        )
        return _Line(row.number, candidate_no, index, "\t".join(values) + "\n")

    def _candidate_no(self, row: Row, county: str) -> str:
        number = CandidateNumber.parse(
            row["candidate_no"],
            year=self.year.calendar.year,
            regions=self.counties,
            class_digits=self.allowed_digits,
            exam_types=self.exam_types,
        )
        if isinstance(number, Problem):
            raise Reject("candidate_no", number.message, **number.params)  # type: ignore[arg-type]
        digit = self.digits.get(row["subject_class"])
        if digit is None:
            raise Reject("subject_class", _NO_CLASS, found=row["subject_class"])
        if digit != number.class_digit:
            raise Reject("candidate_no", _NOT_OF_CLASS, said=number.class_digit, found=digit)
        if number.region != county:
            raise Reject("candidate_no", _NOT_IN_REGION, said=number.region, found=county)
        return number.text

    def _codes(self, row: Row) -> None:
        """Cells that may be empty or hold several codes, and what must be there."""
        if not row["name_unicode"]:
            require(row, "name")
        for column, known in self.listed:
            cell = row[column]
            if cell and not known.issuperset(words(cell)):
                raise Reject(column, UNKNOWN_CODE, found=next(word for word in words(cell) if word not in known))
        county = row["hukou_county"]
        if not (len(county) == 6 and county.isascii() and county.isdigit()):
            raise Reject("hukou_county", UNKNOWN_CODE, found=county)

    @staticmethod
    def _score(score: str) -> str:
        if not score:
            return "\\N"
        points = float(score)
        if not 0 <= points <= 900:
            raise Reject("score", _SCORE, found=score[:40], most=900)
        return str(round(points))


def load_candidates(  # noqa: PLR0913 -- what a load needs to know
    database: Database,
    sealer: Sealer,
    year: Year,
    path: Path,
    *,
    accept_good: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Load candidates, and count them in every batch they may file in."""
    report = Report(path.name)
    with loading(database) as session, open_table(path, layouts.CANDIDATES, limits=COMMAND) as table:
        session.execute(text("LOCK TABLE candidates IN SHARE ROW EXCLUSIVE MODE"))
        first_id = session.execute(text("SELECT coalesce(max(id), 0) + 1 FROM candidates")).scalar_one()
        offices = session.execute(
            text(
                "SELECT p.code, p.id, k.code AS county FROM offices p JOIN offices k ON k.id = p.parent_id"
                " WHERE p.level = 'point'"
            )
        )
        points = {row.code: (row.id, row.county) for row in offices}
        counties = frozenset(county for _, county in points.values())
        checker = _Checker(year, sealer, points, counties, first_id)
        seen = _Seen(session, checker.first_id > 1)
        into = f"COPY candidates ({_CANDIDATE_COLUMNS}) FROM STDIN"
        with driver(session).cursor() as cursor, cursor.copy(into) as copy:
            for lines in _candidate_lines(table, checker, seen, report, progress):
                if accept_good or not report.bad:
                    copy.write(lines)
        session.execute(
            text(
                "SELECT setval(pg_get_serial_sequence('candidates', 'id'),"
                " greatest(1, (SELECT max(id) FROM candidates)))"
            )
        )
        tallies.registered(session, first_id)
        settle(session, report, "candidates.loaded", accept_good=accept_good)
    return report


class _Seen:
    """Finds numbers that occur twice: in the file by 64 bits of a digest, in the table by asking it."""

    def __init__(self, session: Session, table_has_rows: bool) -> None:  # noqa: FBT001
        self.numbers: dict[int, int] = {}
        self.identities: dict[int, int] = {}
        self.loaded_numbers: frozenset[str] = frozenset()
        self.loaded_identities: frozenset[bytes] = frozenset()
        if table_has_rows:
            found = session.execute(text("SELECT candidate_no, id_no_index FROM candidates")).all()
            self.loaded_numbers = frozenset(row.candidate_no for row in found)
            self.loaded_identities = frozenset(bytes(row.id_no_index) for row in found)

    def note(self, line: _Line) -> None:
        """Remember both numbers; raises `Reject` when one was there before."""
        number, identity = int(line.candidate_no), int.from_bytes(line.id_index[:8])
        if line.candidate_no in self.loaded_numbers:
            raise Reject("candidate_no", _LOADED_NO)
        if line.id_index in self.loaded_identities:
            raise Reject("id_no", _LOADED_ID)
        if self.numbers.setdefault(number, line.row) != line.row:
            raise Reject("candidate_no", _SAME_NO, row=self.numbers[number])
        if self.identities.setdefault(identity, line.row) != line.row:
            raise Reject("id_no", _SAME_ID, row=self.identities[identity])


def _candidate_lines(
    table: Table, checker: _Checker, seen: _Seen, report: Report, progress: Progress | None
) -> Iterator[str]:
    """Lines for COPY, a chunk of rows at a time. Reading what a row says and sealing it is spread over the cores."""
    for found in in_order(partial(_checked, table, checker), _chunks(table)):
        lines: list[str] = []
        for one in found:
            if isinstance(one, BadRow):
                note(one, report)
                continue
            try:
                seen.note(one)
            except Reject as reject:
                note(bad_place(table.file, one.row, layouts.CANDIDATES, reject), report)
                continue
            lines.append(one.text)
        report.loaded += len(lines)
        if progress is not None:
            progress(len(found))
        yield "".join(lines)


def _chunks(table: Table) -> Iterator[list[Record]]:
    records = table.records()
    while chunk := list(islice(records, CHUNK)):
        yield chunk


def _checked(table: Table, checker: _Checker, records: list[Record]) -> list[_Line | BadRow]:
    """What one chunk comes to, in whatever process it is done."""
    found: list[_Line | BadRow] = []
    for row in table.read(records):
        if isinstance(row, BadRow):
            found.append(row)
            continue
        try:
            found.append(checker.line(row))
        except Reject as reject:
            found.append(bad_place(row.file, row.number, layouts.CANDIDATES, reject))
    return found
