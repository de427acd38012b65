"""Loads regions and registration points into the tree of offices."""

from collections.abc import Container
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin.intake import layouts
from admin.intake.exchange import Row, open_table
from admin.intake.loading.report import Progress, Reject, Report, bad_place, good_rows, loading, require, settle
from admin.intake.rows import COMMAND
from app.db import Database
from app.wording import N_

_UNKNOWN_PARENT = N_("Region %(code)s is not in the table above this row. Put regions before what belongs to them.")
_UNKNOWN_LEVEL = N_("“%(found)s” is no level. Write province, prefecture, county or zone.")
_UNKNOWN_COUNTY = N_("County %(code)s is not loaded. Load the regions first, or correct the code.")
_NOT_ABOVE = N_("Nothing stands above a province. Empty the cell.")
_TWICE = N_("This is in the file twice, or already loaded.")


def load_regions(
    database: Database, path: Path, *, accept_good: bool = False, progress: Progress | None = None
) -> Report:
    """Load province, prefectures and counties (GB/T 2260). A zone that runs an exam office is a county."""
    report = Report(path.name)
    with loading(database) as session, open_table(path, layouts.REGIONS, limits=COMMAND) as table:
        known = _offices(session)
        for row in good_rows(table, report, progress):
            try:
                _add_office(session, known, _level(row, known), row["code"], row["name"], row["parent"])
                report.loaded += 1
            except Reject as reject:
                report.bad.append(bad_place(row.file, row.number, layouts.REGIONS, reject))
        settle(session, report, "regions.loaded", accept_good=accept_good)
    return report


def _level(row: Row, known: Container[str]) -> str:
    require(row, "code", "name")
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
    with loading(database) as session, open_table(path, layouts.SCHOOLS, limits=COMMAND) as table:
        known = _offices(session)
        counties = set(session.execute(text("SELECT code FROM offices WHERE level = 'county'")).scalars())
        for row in good_rows(table, report, progress):
            try:
                require(row, "code", "name")
                if row["county"] not in counties:
                    raise Reject("county", _UNKNOWN_COUNTY, code=row["county"])  # noqa: TRY301 -- beside its siblings
                _add_office(session, known, "point", row["code"], row["name"], row["county"])
                report.loaded += 1
            except Reject as reject:
                report.bad.append(bad_place(row.file, row.number, layouts.SCHOOLS, reject))
        settle(session, report, "points.loaded", accept_good=accept_good)
    return report


def _offices(session: Session) -> dict[str, tuple[int, str]]:
    found = session.execute(text("SELECT code, id, path FROM offices"))
    return {row.code: (row.id, row.path) for row in found}


def _add_office(  # noqa: PLR0913, PLR0917 -- one column each
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
