"""The list for admission: two people, once sealed, what was sealed, for one recipient."""

import csv
import io
import tarfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import dbf as peer
import pyrage
import pytest
from click.testing import CliRunner, Result

from admin import admission, verify
from admin.commands import group
from admin.entrance import Two
from admin.intake.exchange import Row, open_table
from admin.intake.layouts import CHOICES
from admin.sealing import CannotSeal
from app.errors import BadInput, NotAllowed, NotFound, OutOfDate, Refusal, TooSoon
from tests.admin.colleagues import Colleague, Offices
from tests.admin.sealing import bundle, seal, tamper
from tests.filing import file
from tests.makers import World

IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())


@pytest.fixture
def province(world: World) -> World:
    """Two lists and a waiver; one name has a character that GBK lacks."""
    world.batch("1")
    for name, choices in (("欧阳𬱖", ("4301", "4302")), ("李娜", ("4303",)), ("王伟", ())):
        person = world.candidate(name=name)
        file(world, person, world.activate(person), "1", *choices)
    return world


@pytest.fixture
def two(offices: Offices) -> tuple[Colleague, Colleague]:
    return offices.appoint(role="operator"), offices.appoint(role="approver")


def both(offices: Offices, two: tuple[Colleague, Colleague]) -> Two:
    return offices.vouched(two[0]), offices.vouched(two[1])


def opened(path: Path, into: Path) -> Path:
    """Decrypt and unpack as the recipient would."""
    plain = pyrage.decrypt(path.read_bytes(), [IDENTITY])
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        tar.extractall(into, filter="data")
    return into


def test_what_is_handed_out_is_what_was_sealed(
    province: World, offices: Offices, two: tuple[Colleague, Colleague], tmp_path: Path
) -> None:
    seal(province)
    made = admission.export_standing(province.database, "1", RECIPIENT, both(offices, two), tmp_path / "out.age")
    assert (made.candidates, made.rows, made.marked) == (3, 6, 4)
    assert made.digest == sha256((tmp_path / "out.age").read_bytes()).hexdigest()
    assert b"4301" not in (tmp_path / "out.age").read_bytes()
    found = opened(tmp_path / "out.age", tmp_path / "opened")
    whole = bundle(province, tmp_path / "bundle")
    assert verify.verify(whole, [], [], [])[0] == []
    assert (found / "standing.csv").read_bytes() == (whole / "standing.csv").read_bytes()
    assert sorted(path.name for path in found.iterdir()) == [
        "T_ZYK.csv",
        "T_ZYK_2012.dbf",
        "T_ZYK_2017.dbf",
        "manifest.json",
        "marked.csv",
        "standing.csv",
    ]
    audited = province.rows("SELECT act, detail FROM audit WHERE act LIKE 'standing.%' ORDER BY id")
    assert [one["act"] for one in audited] == ["standing.export_begun", "standing.exported"]
    assert audited[1]["detail"]["officers"] == [who.id for who in two]
    assert audited[1]["detail"]["sha256"] == made.digest


def test_the_national_tables_read_back_by_us_and_by_another_library(
    province: World, offices: Offices, two: tuple[Colleague, Colleague], tmp_path: Path
) -> None:
    seal(province)
    admission.export_standing(province.database, "1", RECIPIENT, both(offices, two), tmp_path / "out.age")
    found = opened(tmp_path / "out.age", tmp_path / "opened")
    with open_table(found / "T_ZYK.csv", CHOICES) as table:
        plain = [row.values for row in table if isinstance(row, Row)]
    assert {row["name"] for row in plain} == {"欧阳𬱖", "李娜"}
    marked = [dict(row) | {"name": row["name"].replace("𬱖", "??")} for row in plain]
    for generation, column in ((2012, "TDDW"), (2017, "TDDWDM")):
        with open_table(found / f"T_ZYK_{generation}.dbf", CHOICES) as table:
            assert [row.values for row in table if isinstance(row, Row)] == marked
        with peer.Table(str(found / f"T_ZYK_{generation}.dbf"), codepage="cp936") as other:
            assert column.lower() in {name.lower() for name in other.field_names}
            theirs = [[str(row[name]).strip() for name in ("KSH", "XM", column, "ZYDH")] for row in other]
        ours = [[row[f] for f in ("candidate_no", "name", "institution_code", "major_code")] for row in marked]
        assert theirs == ours
    with (found / "marked.csv").open(encoding="utf-8", newline="") as report:
        assert {row[2] for row in list(csv.reader(report))[1:]} == {"欧阳𬱖"}
    with (found / "standing.csv").open(encoding="utf-8", newline="") as report:
        listed = [(row["candidate_no"], row["institution"], row["major"]) for row in csv.DictReader(report)]
    chosen = [(row["candidate_no"], row["institution_code"], row["major_code"]) for row in plain]
    assert [one for one in listed if one[1]] == chosen


def refused(province: World, by: Any, tmp_path: Path, recipient: str = RECIPIENT) -> type[Refusal]:
    with pytest.raises(Refusal) as caught:
        admission.export_standing(province.database, "1", recipient, by, tmp_path / "out.age")
    assert not (tmp_path / "out.age").exists()
    return caught.type


def test_without_a_seal_a_second_person_or_a_right_nothing_is_handed_out(
    province: World, offices: Offices, two: tuple[Colleague, Colleague], tmp_path: Path
) -> None:
    by = both(offices, two)
    assert refused(province, by, tmp_path) is CannotSeal  # not closed
    province.move_end(1, 0)
    assert refused(province, by, tmp_path) is NotFound
    seal(province)
    assert refused(province, (by[1], by[1]), tmp_path) is NotAllowed
    others = [(province.province, "operator"), (province.province, "auditor"), (province.county, "operator")]
    for office, role in others:
        who = offices.vouched(offices.appoint(office, role))  # type: ignore[arg-type]
        pair = (who, by[0]) if (office, role) == others[0] else (who, by[1])
        assert refused(province, pair, tmp_path) is NotAllowed
    assert refused(province, by, tmp_path, "age1nobody") is BadInput
    assert not province.rows("SELECT 1 FROM audit WHERE act LIKE 'standing.%'")


def test_filings_altered_after_the_seal_are_not_handed_out_and_a_second_time_waits(
    province: World, offices: Offices, two: tuple[Colleague, Colleague], tmp_path: Path
) -> None:
    seal(province)
    by = both(offices, two)
    tamper(province, "UPDATE filings SET kind = 'waiver', content = '{\"columns\": {}}' WHERE kind = 'list'")
    assert refused(province, by, tmp_path) is OutOfDate
    assert refused(province, by, tmp_path) is TooSoon


def test_a_batch_that_can_be_filed_in_again_is_not_handed_out_before_it_is_sealed_again(
    province: World, offices: Offices, two: tuple[Colleague, Colleague], tmp_path: Path
) -> None:
    seal(province)
    province.move_end(1, 3600)
    by = both(offices, two)
    assert refused(province, by, tmp_path) is CannotSeal
    person = province.candidate(name="周敏")
    file(province, person, province.activate(person), "1", "4304")
    province.move_end(1, 0)
    assert refused(province, by, tmp_path) is NotFound
    assert province.value("SELECT handed_over_at FROM batches") is None
    seal(province)
    assert admission.export_standing(province.database, "1", RECIPIENT, by, tmp_path / "out.age").candidates == 4
    assert province.value("SELECT handed_over_at FROM batches") is not None


def test_a_file_that_cannot_be_written_hands_nothing_over(
    province: World, offices: Offices, two: tuple[Colleague, Colleague], tmp_path: Path
) -> None:
    seal(province)
    by = both(offices, two)
    (tmp_path / "there.age").touch()
    for name in ("there.age", "nowhere/out.age"):
        with pytest.raises(OSError, match=name):
            admission.export_standing(province.database, "1", RECIPIENT, by, tmp_path / name)
    assert province.value("SELECT handed_over_at FROM batches") is None
    assert (tmp_path / "there.age").exists()
    admission.export_standing(province.database, "1", RECIPIENT, by, tmp_path / "out.age")  # and no wait runs


def command(world: World, out: Path, two: tuple[Colleague, Colleague], typed: list[str]) -> Result:
    asked = ["seal", "export", "1", "--recipient", RECIPIENT, "--out", str(out)]
    environment = {"DATABASE_URL": world.url, "REDIS_URL": world.redis_url, "KEYS_DIRECTORY": str(world.keys_directory)}
    officers = [f"--officer={who.login}" for who in two]
    return CliRunner().invoke(group(), [*asked, *officers], env=environment, input="\n".join(typed) + "\n")


def test_the_command_takes_both_factors_of_both(
    province: World, offices: Offices, two: tuple[Colleague, Colleague], tmp_path: Path
) -> None:
    seal(province)
    first, second = two
    wrong = command(province, tmp_path / "out.age", two, [first.password, offices.digits(first), second.password, "0"])
    assert wrong.exit_code == 1
    assert "do not fit together" in wrong.output
    spent = command(province, tmp_path / "out.age", two, [first.password, offices.digits(first), "x", "1"])
    assert spent.exit_code == 1  # six digits are good for one deed
    assert not (tmp_path / "out.age").exists()
    later = [offices.digits(who, 1) for who in two]
    right = command(province, tmp_path / "out.age", two, [first.password, later[0], second.password, later[1]])
    assert right.exit_code == 0, right.output
    assert "3 candidates, 6 rows" in right.output
    assert first.password not in right.output
    assert province.value("SELECT count(*) FROM officer_sessions") == 0
