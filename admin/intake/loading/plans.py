"""Loads a plan catalogue as a new version."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from pypinyin import Style, lazy_pinyin
from sqlalchemy import text

from admin.intake import layouts
from admin.intake.exchange import Row, open_table
from admin.intake.loading.report import (
    UNKNOWN_CODE,
    Progress,
    Reject,
    Report,
    bad_place,
    copy_array,
    copy_text,
    driver,
    good_rows,
    loading,
    require,
    settle,
)
from admin.intake.rows import COMMAND
from app.db import Database
from app.offers import Requirement
from app.wording import N_

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

    A batch that is open keeps the catalogue its candidates have seen; moving it is an act of the province. One that
    offered the plans of another offers its own from now on, if the file has any.
    """
    report = Report(path.name)
    with loading(database) as session, open_table(path, layouts.PLANS, limits=COMMAND) as table:
        columns = {
            row.code: ({column["code"] for column in row.spec["columns"]}, set(row.subject_classes))
            for row in session.execute(text("SELECT code, spec, subject_classes FROM batches"))
        }
        version = session.execute(text("SELECT coalesce(max(version), 0) + 1 FROM catalogues")).scalar_one()
        seen: set[tuple[str, ...]] = set()
        with (
            driver(session).cursor() as cursor,
            cursor.copy(f"COPY plans ({_PLAN_COLUMNS}) FROM STDIN") as copy,
        ):
            for row in good_rows(table, report, progress):
                try:
                    line = _plan_line(row, version, columns, seen)
                except Reject as reject:
                    report.bad.append(bad_place(row.file, row.number, layouts.PLANS, reject))
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
                UPDATE batches b SET catalogue_version = :v, revision = revision + 1,
                    spec = CASE WHEN EXISTS (SELECT FROM plans p WHERE p.version = :v AND p.batch_code = b.code)
                                THEN spec - 'plans_of' ELSE spec END
                WHERE catalogue_version = 0 OR opens_at > clock_timestamp()
            """),
            {"v": version},
        )
        settle(session, report, "plans.loaded", accept_good=accept_good)
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
    require(row, "institution_code", "institution_name", "major_code", "major_name")
    if row["sex"] not in {"", "1", "2"}:
        raise Reject("sex", UNKNOWN_CODE, found=row["sex"])
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
        *(copy_text(part) for part in key),
        *(
            copy_text(row[name])
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
        copy_array(row["tags"]),
        _whole(row, "tuition"),
        _years(row),
        _whole(row, "quota"),
        row["subject_first"],
        copy_text(row["subject_second"]),
        copy_array(row["restricted"]),
        copy_array(row["languages"]),
        row["sex"],
        copy_text(row["remark"]),
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
    return copy_text("".join(part[:1] for part in lazy_pinyin(name, style=Style.FIRST_LETTER) if part).upper())
