"""Loads what the offices hand in: regions, registration points, candidates, the plan catalogue, a calendar.

A file is read once, row by row, checked, and streamed into the database by COPY, all in one transaction.
Every bad place is reported with file, row, column and reason. Nothing is loaded unless the whole file is
good, or the operator says to take the good rows (`accept_good`).
"""

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
from pypinyin import Style, lazy_pinyin
from sqlalchemy import text
from sqlalchemy.orm import Session

from admin.intake import layouts
from admin.intake.exchange import BadRow, Row, Table, open_table
from admin.intake.parallel import in_order
from admin.intake.rows import COMMAND, Record
from app import audit, tallies
from app.candidates import Sealer
from app.db import Database, together
from app.errors import BadInput
from app.numbers import CandidateNumber, IdNumber, Problem
from app.offers import Requirement
from app.specs import Calendar
from app.wording import N_

#: rows checked, and sent to the server, at once
CHUNK: Final = 2_000
MOST_REPORTED: Final = 100_000

Progress = Callable[[int], None]


@dataclass
class Report:
    """What came of a file: rows loaded, and every place that could not be taken."""

    file: str
    loaded: int = 0
    bad: list[BadRow] = field(default_factory=list)

    @property
    def bad_rows(self) -> int:
        """How many rows have at least one bad place."""
        return len({one.row for one in self.bad})


class NotLoaded(BadInput):
    """The file has bad rows, so nothing of it was loaded. `report` lists them."""

    reason = "not_loaded"

    def __init__(self, report: Report) -> None:
        super().__init__(f"{report.file}: {report.bad_rows} bad rows", place=report.file)
        self.report = report


class Reject(Exception):  # noqa: N818 -- one cell, not the program's fault
    """One cell of one row is wrong."""

    def __init__(self, column: str, message: str, **params: str | int) -> None:
        super().__init__(message)
        self.column = column
        self.message = message
        self.params = params


def _bad(file: str, row: int, layout: layouts.Layout, reject: Reject) -> BadRow:
    heading = layout.by_field[reject.column].heading if reject.column in layout.by_field else ""
    return BadRow(file, row, heading, reject.message, reject.params)


@contextmanager
def _loading(database: Database) -> Iterator[Session]:
    """A transaction that may take its time."""
    with database.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        session.execute(text("SET LOCAL synchronous_commit = on"))
        yield session


def _driver(session: Session) -> psycopg.Connection[Any]:
    driver: psycopg.Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    return driver


# --- offices -----------------------------------------------------------------------------------------

_UNKNOWN_PARENT = N_("Region %(code)s is not in the table above this row. Put regions before what belongs to them.")
_UNKNOWN_LEVEL = N_("“%(found)s” is no level. Write province, prefecture, county or zone.")
_UNKNOWN_COUNTY = N_("County %(code)s is not loaded. Load the regions first, or correct the code.")
_NOT_ABOVE = N_("Nothing stands above a province. Empty the cell.")
_TWICE = N_("This is in the file twice, or already loaded.")
_EMPTY = N_("The cell is empty. Fill it in.")


def load_regions(
    database: Database, path: Path, *, accept_good: bool = False, progress: Progress | None = None
) -> Report:
    """Load province, prefectures and counties (GB/T 2260). A zone that runs an exam office is a county."""
    report = Report(path.name)
    with _loading(database) as session, open_table(path, layouts.REGIONS, limits=COMMAND) as table:
        known = _offices(session)
        for row in _rows(table, report, progress):
            try:
                _add_office(session, known, _level(row, known), row["code"], row["name"], row["parent"])
                report.loaded += 1
            except Reject as reject:
                report.bad.append(_bad(row.file, row.number, layouts.REGIONS, reject))
        _settle(session, report, "regions.loaded", accept_good=accept_good)
    return report


def _level(row: Row, known: Container[str]) -> str:
    _require(row, "code", "name")
    level = {"zone": "county"}.get(row["level"], row["level"])
    if level not in {"province", "prefecture", "county"}:
        raise Reject("level", _UNKNOWN_LEVEL, found=row["level"])
    if level == "province" and row["parent"]:
        raise Reject("parent", _NOT_ABOVE)
    if level != "province" and row["parent"] not in known:
        raise Reject("parent", _UNKNOWN_PARENT, code=row["parent"])
    return level


def load_schools(
    database: Database, path: Path, *, accept_good: bool = False, progress: Progress | None = None
) -> Report:
    """Load registration points below the counties."""
    report = Report(path.name)
    with _loading(database) as session, open_table(path, layouts.SCHOOLS, limits=COMMAND) as table:
        known = _offices(session)
        counties = set(session.execute(text("SELECT code FROM offices WHERE level = 'county'")).scalars())
        for row in _rows(table, report, progress):
            try:
                _require(row, "code", "name")
                if row["county"] not in counties:
                    raise Reject("county", _UNKNOWN_COUNTY, code=row["county"])
                _add_office(session, known, "point", row["code"], row["name"], row["county"])
                report.loaded += 1
            except Reject as reject:
                report.bad.append(_bad(row.file, row.number, layouts.SCHOOLS, reject))
        _settle(session, report, "points.loaded", accept_good=accept_good)
    return report


def _require(row: Row, *columns: str) -> None:
    for column in columns:
        if not row[column]:
            raise Reject(column, _EMPTY)


def _offices(session: Session) -> dict[str, tuple[int, str]]:
    found = session.execute(text("SELECT code, id, path FROM offices"))
    return {row.code: (row.id, row.path) for row in found}


def _add_office(
    session: Session, known: dict[str, tuple[int, str]], level: str, code: str, name: str, parent: str
) -> None:
    if code in known:
        raise Reject("code", _TWICE)
    above = known.get(parent)
    found = session.execute(
        text("""
            INSERT INTO offices (id, parent_id, level, code, name, path)
            OVERRIDING SYSTEM VALUE
            SELECT n, :parent, :level, :code, :name, :path || n || '/'
            FROM nextval(pg_get_serial_sequence('offices', 'id')) n RETURNING id, path
        """),
        {
            "parent": above[0] if above else None,
            "level": level,
            "code": code,
            "name": name,
            "path": above[1] if above else "/",
        },
    ).one()
    known[code] = (found.id, found.path)


# --- candidates --------------------------------------------------------------------------------------

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
_CODE = N_("“%(found)s” is no code of this table.")
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
                raise Reject(column, _CODE, found=value(column, ""))
        self._codes(row)
        identity = self.first_id + row.number  # known wherever the row is read, so the value can be sealed there
        index = self.sealer.index(number.text)
        mobile = value("mobile", "")
        seal = self.sealer.seal
        values = (
            str(identity),
            candidate_no,
            _text(value("name_unicode", "") or value("name", "")),
            value("sex", ""),
            value("birth_date", ""),
            _bytes(seal(number.text, column="id_no", row=identity)),
            _bytes(index),
            _bytes(seal(mobile, column="mobile", row=identity)) if mobile else "\\N",
            value("ethnicity", ""),
            value("subject_class", ""),
            value("first_subject", "") or "\\N",
            _array(value("second_subjects", "")),
            value("language", ""),
            str(point[0]),
            _text(value("class_no", "")),
            _text(value("hukou_county", "")),
            self._score(value("score", "")),
            _array(value("qualifications", "")),
            _array(value("restrictions", "")),
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
            _require(row, "name")
        for column, known in self.listed:
            cell = row[column]
            if cell and not known.issuperset(_words(cell)):
                raise Reject(column, _CODE, found=next(word for word in _words(cell) if word not in known))
        county = row["hukou_county"]
        if not (len(county) == 6 and county.isascii() and county.isdigit()):
            raise Reject("hukou_county", _CODE, found=county)

    @staticmethod
    def _score(score: str) -> str:
        if not score:
            return "\\N"
        points = float(score)
        if not 0 <= points <= 900:
            raise Reject("score", _SCORE, found=score[:40], most=900)
        return str(round(points))


def _text(value: str) -> str:
    if "\\" in value or "\t" in value or "\n" in value:
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    return value


def _bytes(value: bytes) -> str:
    return "\\\\x" + value.hex()


@cache
def _words(value: str) -> tuple[str, ...]:
    """The codes of a cell that holds several, however they are separated."""
    return tuple(value.replace(",", " ").replace(";", " ").replace("、", " ").replace("|", " ").split())


@cache
def _array(value: str) -> str:
    quoted = (part.replace("\\", "\\\\").replace('"', '\\"') for part in _words(value))
    return _text("{" + ",".join(f'"{part}"' for part in quoted) + "}")


def load_candidates(
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
    with _loading(database) as session, open_table(path, layouts.CANDIDATES, limits=COMMAND) as table:
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
        with _driver(session).cursor() as cursor:
            with cursor.copy(f"COPY candidates ({_CANDIDATE_COLUMNS}) FROM STDIN") as copy:  # noqa: S608
                for lines in _candidate_lines(table, checker, seen, report, progress):
                    if accept_good or not report.bad:
                        copy.write(lines)
        session.execute(
            text(
                "SELECT setval(pg_get_serial_sequence('candidates', 'id'), greatest(1, (SELECT max(id) FROM candidates)))"
            )
        )
        tallies.registered(session, first_id)
        _settle(session, report, "candidates.loaded", accept_good=accept_good)
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
                _report(one, report)
                continue
            try:
                seen.note(one)
            except Reject as reject:
                _report(_bad(table.file, one.row, layouts.CANDIDATES, reject), report)
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
            found.append(_bad(row.file, row.number, layouts.CANDIDATES, reject))
    return found


# --- catalogue ---------------------------------------------------------------------------------------

_NO_BATCH = N_("Batch %(code)s is not loaded. Load the calendar first, or correct the code.")
_NO_COLUMN = N_("Batch %(batch)s has no column %(code)s.")
_NOT_THIS_CLASS = N_("Batch %(batch)s is not for subject class %(code)s.")
_REQUIREMENT = N_("The subject requirement cannot be read: %(found)s.")
_WHOLE = N_("“%(found)s” is no whole number below a hundred million. Correct it.")
_LENGTH = N_("A course lasts up to 20 years; “%(found)s” cannot be right. Correct it.")
_SAME_PLAN = N_("This plan is in the file twice.")
_PLAN_COLUMNS: Final = (
    "version, batch_code, subject_class, column_code, institution_code, group_code, major_code,"
    " institution_name, group_name, major_name, place, province_name, ownership, nature, tags, tuition, years,"
    " quota, subject_first, subject_second, restricted, languages, sex, remark, initials, major_initials"
)


def load_plans(
    database: Database, path: Path, *, accept_good: bool = False, progress: Progress | None = None
) -> Report:
    """Load a catalogue as a new version, and pin every batch to it that has not opened yet or has none.

    A batch that is open keeps the catalogue its candidates have seen; moving it is an act of the province.
    """
    report = Report(path.name)
    with _loading(database) as session, open_table(path, layouts.PLANS, limits=COMMAND) as table:
        columns = {
            row.code: ({column["code"] for column in row.spec["columns"]}, set(row.subject_classes))
            for row in session.execute(text("SELECT code, spec, subject_classes FROM batches"))
        }
        version = session.execute(text("SELECT coalesce(max(version), 0) + 1 FROM catalogues")).scalar_one()
        seen: set[tuple[str, ...]] = set()
        with (
            _driver(session).cursor() as cursor,
            cursor.copy(f"COPY plans ({_PLAN_COLUMNS}) FROM STDIN") as copy,  # noqa: S608
        ):
            for row in _rows(table, report, progress):
                try:
                    line = _plan_line(row, version, columns, seen)
                except Reject as reject:
                    report.bad.append(_bad(row.file, row.number, layouts.PLANS, reject))
                    continue
                report.loaded += 1
                copy.write(line)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        session.execute(
            text("INSERT INTO catalogues (version, source, digest, plans) VALUES (:v, :source, :digest, :plans)"),
            {"v": version, "source": path.name, "digest": digest, "plans": report.loaded},
        )
        session.execute(
            text("""
                UPDATE batches SET catalogue_version = :v, revision = revision + 1
                WHERE catalogue_version = 0 OR opens_at > clock_timestamp()
            """),
            {"v": version},
        )
        _settle(session, report, "plans.loaded", accept_good=accept_good)
    return report


def _plan_line(
    row: Row,
    version: int,
    columns: Mapping[str, tuple[set[str], set[str]]],
    seen: set[tuple[str, ...]],
) -> str:
    batch = columns.get(row["batch_code"])
    if batch is None:
        raise Reject("batch_code", _NO_BATCH, code=row["batch_code"])
    if row["column_code"] not in batch[0]:
        raise Reject("column_code", _NO_COLUMN, batch=row["batch_code"], code=row["column_code"])
    if row["subject_class"] not in batch[1]:
        raise Reject("subject_class", _NOT_THIS_CLASS, batch=row["batch_code"], code=row["subject_class"])
    _require(row, "institution_code", "institution_name", "major_code", "major_name")
    if row["sex"] not in {"", "1", "2"}:
        raise Reject("sex", _CODE, found=row["sex"])
    try:
        Requirement.parse(row["subject_first"], row["subject_second"])
    except ValueError as error:
        raise Reject("subject_second", _REQUIREMENT, found=str(error)) from None
    key = tuple(
        row[name]
        for name in (
            "batch_code",
            "subject_class",
            "column_code",
            "institution_code",
            "group_code",
            "major_code",
        )
    )
    if key in seen:
        raise Reject("major_code", _SAME_PLAN)
    seen.add(key)
    values = [
        str(version),
        *(_text(part) for part in key),
        *(
            _text(row[name])
            for name in (
                "institution_name",
                "group_name",
                "major_name",
                "place",
                "province_name",
                "ownership",
                "nature",
            )
        ),
        _array(row["tags"]),
        _whole(row, "tuition"),
        _years(row),
        _whole(row, "quota"),
        row["subject_first"],
        _text(row["subject_second"]),
        _array(row["restricted"]),
        _array(row["languages"]),
        row["sex"],
        _text(row["remark"]),
        _initials(row["institution_name"]),
        _initials(row["major_name"]),
    ]
    return "\t".join(values) + "\n"


def _whole(row: Row, column: str) -> str:
    cell = row[column]
    if cell and not (cell.isdigit() and len(cell) <= 8):
        raise Reject(column, _WHOLE, found=cell[:40])
    return cell or "\\N"


def _years(row: Row) -> str:
    cell = row["years"]
    if cell and not 0 < float(cell) <= 20:
        raise Reject("years", _LENGTH, found=cell[:40])
    return str(round(float(cell))) if cell else "\\N"


@cache
def _initials(name: str) -> str:
    return _text("".join(part[:1] for part in lazy_pinyin(name, style=Style.FIRST_LETTER) if part).upper())


# --- calendar ----------------------------------------------------------------------------------------


def load_calendar(database: Database, calendar: Calendar) -> int:
    """Load a calendar's batches and windows; returns how many batches. Refused once a filing exists."""
    with _loading(database) as session:
        if session.execute(text("SELECT 1 FROM filings LIMIT 1")).first() is not None:
            raise BadInput("There are filings already; a calendar is changed on the schedule page now.")
        session.execute(text("DELETE FROM tallies"))
        session.execute(text("DELETE FROM challenges"))
        session.execute(text("DELETE FROM drafts"))
        session.execute(text("UPDATE batches SET parent_id = NULL"))
        session.execute(text("DELETE FROM batches"))
        ids: dict[str, int] = {}
        for spec in sorted(calendar.batches, key=lambda one: one.parent is not None):
            window = calendar.windows[spec.window]
            ids[spec.code] = session.execute(
                text("""
                    INSERT INTO batches (year, code, name, position, parent_id, subject_classes, spec,
                                         catalogue_version, opens_at, closes_at)
                    VALUES (:year, :code, :name, :position, :parent, :classes, CAST(:spec AS jsonb),
                            (SELECT coalesce(max(version), 0) FROM catalogues), :opens_at, :closes_at)
                    RETURNING id
                """),
                {
                    "year": spec.year,
                    "code": spec.code,
                    "name": spec.name,
                    "position": spec.order,
                    "parent": ids.get(spec.parent) if spec.parent else None,
                    "classes": list(spec.subject_classes),
                    "spec": spec.model_dump_json(),
                    "opens_at": window.opens_at,
                    "closes_at": window.closes_at,
                },
            ).scalar_one()
        tallies.recount(session)
        together(session, audit.entry("calendar.loaded", actor="command", year=calendar.year, batches=len(ids)))
    return len(ids)


# --- parts -------------------------------------------------------------------------------------------


def _report(bad: BadRow, report: Report) -> None:
    if len(report.bad) < MOST_REPORTED:
        report.bad.append(bad)


def _rows(table: Iterable[Row | BadRow], report: Report, progress: Progress | None) -> Iterator[Row]:
    count = 0
    for row in table:
        count += 1
        if progress is not None and count % CHUNK == 0:
            progress(CHUNK)
        if isinstance(row, BadRow):
            _report(row, report)
        else:
            yield row
    if progress is not None:
        progress(count % CHUNK)


def _settle(session: Session, report: Report, act: str, *, accept_good: bool) -> None:
    """Record the load, or undo it when there are bad rows and the operator did not accept the good ones.

    A file without one good row is never a load: an empty catalogue would take the place of a full one.
    """
    if not (report.bad or report.loaded):
        raise BadInput(f"{report.file} has no rows", place=report.file)
    if report.bad and not (accept_good and report.loaded):
        report.loaded = 0
        raise NotLoaded(report)
    together(
        session,
        audit.entry(act, actor="command", file=report.file, loaded=report.loaded, left_out=report.bad_rows),
    )
