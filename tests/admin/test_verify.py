"""A bundle is checked by a program that knows nothing of ours, and no row of it can be changed unseen."""

import ast
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from admin import bundles, ledger, sealing, verify
from app import evidence, filings, seals
from config.keys import SealKeys
from tests.admin.sealing import bundle, forge, seal, tamper
from tests.filing import file
from tests.makers import World

MUTATIONS = 1000


@pytest.fixture(scope="module")
def province(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Four candidates with one to four filings, one of them given up; another batch; sealed twice."""
    world = World(module_database_url, "redis://unused", tmp_path_factory.mktemp("keys"))
    world.batch("1")
    world.batch("2", name="本科二批")
    people = [(person, world.activate(person)) for person in (world.candidate() for _ in range(4))]
    for at, (person, session_id) in enumerate(people):
        for turn in range(at):
            file(world, person, session_id, "1", f"43{turn + 1:02d}", f"43{turn + 2:02d}")
    file(world, *people[0], "2", "4301")
    file(world, *people[3], "1")
    seal(world, "2")
    seal(world, "1")
    yield world
    world.database.dispose()


@pytest.fixture(scope="module")
def whole(province: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(province, tmp_path_factory.mktemp("bundles") / "whole")


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    """A bundle to break."""
    return Path(shutil.copytree(whole, tmp_path / "bundle"))


def findings(place: Path, *, earlier: Path | None = None, receipt: Path | None = None, key: Path | None = None) -> str:
    found, _ = verify.verify(place, [receipt] if receipt else [], [earlier] if earlier else [], [key] if key else [])
    return "\n".join(found)


def receipt_of(world: World, path: Path, number: int = 1) -> Path:
    receipt = world.value(
        "SELECT f.receipt FROM filings f JOIN batches b ON b.id = f.batch_id WHERE b.code = '1' AND f.number = :number"
        " ORDER BY f.candidate_id DESC LIMIT 1",
        number=number,
    )
    path.write_text(receipt + "\n", encoding="utf-8")
    return path


# --- the program --------------------------------------------------------------------------------------


def test_it_stands_on_the_standard_library_and_cryptography_alone() -> None:
    tree = ast.parse(Path(verify.__file__).read_text(encoding="utf-8"))
    names = {
        name.split(".")[0]
        for found in ast.walk(tree)
        if isinstance(found, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in found.names] if isinstance(found, ast.Import) else [found.module or ""])
    }
    assert names - set(sys.stdlib_module_names) == {"cryptography"}


def test_it_runs_by_itself_and_says_by_its_status_what_it_found(whole: Path, copied: Path, tmp_path: Path) -> None:
    program = shutil.copy(verify.__file__, tmp_path / "verify.py")
    (copied / "sealed.csv").write_text("", encoding="utf-8")
    for place, status, words in ((whole, 0, "nothing is wrong"), (copied, 1, "sealed.csv is not what was sealed")):
        done = subprocess.run(
            [sys.executable, "-I", program, str(place)], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert (done.returncode, done.stderr) == (status, "")
        assert words in done.stdout


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
    max_leaves=8,
)


@given(plain)
def test_its_canonical_json_is_ours(value: Any) -> None:
    assert verify.canonical(value) == evidence.canonical(value)


# --- what is sound ------------------------------------------------------------------------------------


def test_a_bundle_as_written_has_nothing_wrong(province: World, whole: Path, tmp_path: Path) -> None:
    key = province.keys_directory / "seal_public.1.pem"
    found, said = verify.verify(whole, [], [], [key])
    assert found == []
    assert "7 filings with all their records" in "\n".join(said)
    assert "over 3 candidates" in "\n".join(said)


def test_what_is_published_holds_no_number_and_no_list(province: World, tmp_path: Path) -> None:
    place = bundle(province, tmp_path / "public", whole=False)
    assert findings(place) == ""
    text = "".join(path.read_text(encoding="utf-8") for path in place.iterdir())
    assert sorted(path.name for path in place.iterdir()) == sorted(bundles.PUBLIC)
    for row in province.rows("SELECT candidate_no, encode(nonce, 'hex') AS nonce FROM filings"):
        assert row["candidate_no"] not in text
        assert row["nonce"] not in text
    assert "institution" not in text


def test_a_receipt_is_found_in_it_in_force_or_replaced(province: World, whole: Path, tmp_path: Path) -> None:
    for number, words in ((1, "was replaced"), (2, "a later version does"), (4, "stands, as number")):
        found, said = verify.verify(whole, [receipt_of(province, tmp_path / "r.txt", number)], [], [])
        assert found == []
        assert words in "\n".join(said), number


def test_the_proof_of_the_candidates_page_is_found_in_it(province: World, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    for row in province.rows("SELECT f.candidate_id, f.number FROM filings f JOIN batches b ON b.id = batch_id"
                             " WHERE b.code = '1'"):  # fmt: skip
        with province.database.reading() as connection:
            path.write_text(seals.proof(connection, row["candidate_id"], "1", row["number"]).document, encoding="utf-8")
        assert findings(whole, receipt=path) == ""
    proof = json.loads(path.read_text(encoding="utf-8"))
    for part, change in (("index", 9), ("path", []), ("first_digest", "00" * 32), ("signature", None)):
        path.write_text(json.dumps(proof | {"seal": proof["seal"] | {part: change}}), encoding="utf-8")
        assert bool(findings(whole, receipt=path)) == (part != "signature"), part
    proof["record"]["content"] = {"columns": {}}
    path.write_text(json.dumps(proof | {"record": proof["record"] | {"number": 9}}), encoding="utf-8")
    assert "is not the one the receipt was given for" in findings(whole, receipt=path)


# --- what is not --------------------------------------------------------------------------------------


def other(draw: random.Random, value: Any) -> Any:
    """Another value of the same kind, or of none."""
    if draw.random() < 0.1:
        return "" if value is None else None
    changed: Any = "x"
    match value:
        case bool():
            changed = not value
        case int():
            changed = value + draw.choice((-1, 1, 1000))
        case str() if value:
            at = draw.randrange(len(value))
            letter = draw.choice([one for one in "0123456789abcXYZ-" if one != value[at]])
            changed = value[:at] + letter + value[at + 1 :]
        case list() if value:
            at = draw.randrange(len(value))
            changed = [*value[:at], other(draw, value[at]), *value[at + 1 :]] if draw.random() < 0.7 else value[:-1]
        case dict() if value:
            name = draw.choice(sorted(value))
            changed = value | {name: other(draw, value[name])}
    return changed


def column(draw: random.Random, row: str) -> str:
    """The row with one column changed."""
    if not row.startswith("{"):
        cells = row.rstrip("\n").split(",")
        at = draw.randrange(len(cells))
        return ",".join([*cells[:at], other(draw, cells[at]) or "", *cells[at + 1 :]]) + "\n"
    return json.dumps(other(draw, json.loads(row)), ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def mutated(draw: random.Random, rows: list[str]) -> list[str]:
    """The rows with one thing done to them."""
    at = draw.randrange(len(rows))
    match draw.choice(("column", "column", "column", "delete", "insert", "swap", "cut", "truncate")):
        case "column":
            return [*rows[:at], column(draw, rows[at]), *rows[at + 1 :]]
        case "delete":
            return rows[:at] + rows[at + 1 :]
        case "insert":
            return [*rows[:at], draw.choice((rows[at], column(draw, rows[at]))), *rows[at:]]
        case "swap" if len(rows) > 1:
            to = draw.choice([one for one in range(len(rows)) if one != at])
            swapped = list(rows)
            swapped[at], swapped[to] = rows[to], rows[at]
            return swapped
        case "cut":
            return [*rows[:at], rows[at][: draw.randrange(len(rows[at]))]]
    return rows[:at]


def test_every_one_of_a_thousand_single_changes_is_found(copied: Path) -> None:
    draw = random.Random(20170626)
    sound = {path: path.read_text(encoding="utf-8") for path in sorted(copied.iterdir())}
    unseen, touched = [], set()
    for turn in range(MUTATIONS):
        path = draw.choice(list(sound))
        rows = sound[path].splitlines(keepends=True)
        changed = "".join(mutated(draw, rows))
        if changed == sound[path]:
            changed = "".join(rows[:-1])
        path.write_text(changed, encoding="utf-8")
        if not findings(copied):
            unseen.append((turn, path.name))
        touched.add(path.name)
        path.write_text(sound[path], encoding="utf-8")
    assert unseen == []
    assert touched == set(bundles.WHOLE)
    assert findings(copied) == ""


ALTERED: dict[str, str] = {
    "batch_id": "batch_id = (SELECT max(id) FROM batches)",
    "candidate_id": "candidate_id = (SELECT min(candidate_id) FROM filings)",
    "candidate_no": "candidate_no = '17430102159999'",
    "number": "number = number + 4",
    "kind": "kind = CASE kind WHEN 'list' THEN 'waiver' ELSE 'list' END",
    "content": "content = jsonb_set(content, '{columns,GEN1}', '{\"slots\": [], \"x\": 1}')",
    "catalogue_version": "catalogue_version = 2",
    "filed_at": "filed_at = filed_at - interval '1 microsecond'",
    "nonce": "nonce = overlay(nonce placing '\\x0000'::bytea from 3)",
    "previous": "previous = overlay(coalesce(previous, digest) placing '\\x0000'::bytea from 3)",
    "serial": "serial = '000000000000'",
    "code_index": "code_index = code_index + 40",
    "opening": "opening = overlay(opening placing '\\x0000'::bytea from 3)",
    "second_index": "second_index = 3, second_opening = opening",
    "receipt": "receipt = overlay(receipt placing 'AAAA' from 20)",
}
#: no part of what was filed; `verify-chains` holds them, and the digest stored beside, against the audit
BESIDE = {"id", "challenge", "device", "device_hash", "ip"}


def test_every_column_is_altered() -> None:
    assert {*ALTERED, "second_opening", "digest"} | BESIDE == set(filings.Filing.__table__.columns.keys())


@pytest.fixture
def save(province: World) -> Iterator[Callable[..., None]]:
    """A function that keeps tables as they are, to be put back when the test is over."""
    kept: list[str] = []

    def keep(*tables: str) -> None:
        for table in tables:
            tamper(province, f"CREATE TABLE kept_{table} AS TABLE {table}")
            kept.append(table)

    yield keep
    for table in kept:
        tamper(
            province,
            f"DELETE FROM {table}",  # noqa: S608 -- a name from below
            f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept_{table}",  # noqa: S608
            f"DROP TABLE kept_{table}",
        )


@pytest.mark.parametrize("number", [1, 2, 4])
def test_every_column_altered_in_the_database_after_the_seal_is_found(
    province: World, save: Callable[..., None], tmp_path: Path, number: int
) -> None:
    save("filings")
    tamper(province, "ALTER TABLE filings DROP CONSTRAINT IF EXISTS ck_filings_previous")
    for name, change in sorted(ALTERED.items()):
        tamper(
            province,
            f"UPDATE filings SET {change} WHERE candidate_id = (SELECT max(candidate_id) FROM filings)"  # noqa: S608
            f" AND number = {number} AND kind = (CASE {number} WHEN 4 THEN 'waiver' ELSE 'list' END)",
        )
        assert findings(bundle(province, tmp_path / name)), name
        tamper(
            province,
            "DELETE FROM filings",
            "INSERT INTO filings OVERRIDING SYSTEM VALUE SELECT * FROM kept_filings",
        )
    assert findings(bundle(province, tmp_path / "sound")) == ""


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM filings WHERE number = 4",
        "DELETE FROM filings WHERE number = 2",
        "DELETE FROM filings WHERE candidate_id = (SELECT max(candidate_id) FROM filings)",
        "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit WHERE act = 'filing.confirmed')",
        "UPDATE audit SET detail = detail || '{\"x\": 1}' WHERE id = (SELECT min(id) FROM audit)",
        "UPDATE audit SET actor = 'officer' WHERE id = (SELECT min(id) FROM audit)",
        "DELETE FROM audit WHERE id = (SELECT min(id) FROM audit)",
        "DELETE FROM leaves WHERE log = 'filings' AND place = 3",
        "UPDATE leaves SET hash = (SELECT hash FROM leaves WHERE log = 'filings' AND place = 0) WHERE place = 2",
        "DELETE FROM checkpoints WHERE number = 1",
        "DELETE FROM sealed_filings WHERE position = 1",
        "UPDATE sealed_filings SET position = 5 - position WHERE seal = 2",
        "UPDATE seals SET statement = replace(statement, '\"grace_seconds\":0', '\"grace_seconds\":9')",
        "DELETE FROM seals WHERE number = 1",
    ],
)
def test_what_is_taken_out_or_moved_in_the_database_is_found(
    province: World, save: Callable[..., None], tmp_path: Path, statement: str
) -> None:
    save("filings", "audit", "leaves", "checkpoints", "seals", "sealed_filings")
    tamper(province, statement)
    assert findings(bundle(province, tmp_path / "bundle"))


def test_a_filing_put_in_after_the_seal_is_found(province: World, save: Callable[..., None], tmp_path: Path) -> None:
    save("filings")
    forge(province, province.keys.receipt_key[1])
    assert "it was altered, or put in" in findings(bundle(province, tmp_path / "bundle"))


# --- a history made anew ------------------------------------------------------------------------------


def made_anew(world: World, keys: SealKeys) -> None:
    """All logs and seals thrown away and made once more, over what the database holds now."""
    tables = ("leaves", "checkpoints", "seal_keys", "seals", "sealed_filings", "sealed_tallies", "seal_tiles")
    tamper(world, *(f"DELETE FROM {table}" for table in tables))  # noqa: S608 -- the names above
    for batch in ("2", "1"):
        sealing.seal(world.database, keys, batch)


def test_a_history_made_anew_is_found_by_an_earlier_bundle_a_saved_page_and_a_receipt(
    province: World, save: Callable[..., None], whole: Path, tmp_path: Path
) -> None:
    tables = (
        "leaves",
        "checkpoints",
        "seal_keys",
        "seals",
        "sealed_filings",
        "sealed_tallies",
        "seal_tiles",
        "filings",
        "audit",
    )
    keys = SealKeys.load(province.keys_directory)
    page, receipt = tmp_path / "roots.txt", receipt_of(province, tmp_path / "r.txt", 4)
    with province.database.reading() as connection:
        page.write_text(seals.published(connection).plain, encoding="utf-8")
    save(*tables)
    # the last filing of somebody disappears from everything there is, and the sealer himself signs it all anew
    gone = "candidate_id = (SELECT max(candidate_id) FROM filings WHERE number = 4) AND number = 4"
    tamper(
        province,
        "DELETE FROM audit a USING filings f WHERE f.number = 4 AND a.detail ->> 'digest' = encode(f.digest, 'hex')",
        f"DELETE FROM filings WHERE {gone}",  # noqa: S608 -- the words above
    )
    made_anew(province, keys)
    anew = bundle(province, tmp_path / "anew")
    assert findings(anew) == ""
    assert "has another root" in findings(anew, earlier=whole)
    assert "another seal" in findings(anew, earlier=whole)
    assert findings(anew, earlier=page)
    assert "is not in the log" in findings(anew, receipt=receipt)
    assert findings(whole, earlier=page) == ""


def test_a_history_signed_by_somebody_else_is_found_by_the_key_known_before(
    province: World, save: Callable[..., None], whole: Path, tmp_path: Path
) -> None:
    save("leaves", "checkpoints", "seal_keys", "seals", "sealed_filings", "sealed_tallies", "seal_tiles", "audit")
    keys = SealKeys.load(province.keys_directory)
    made_anew(province, SealKeys({1: Ed25519PrivateKey.generate()}, keys.receipts))
    anew = bundle(province, tmp_path / "anew")
    assert findings(anew, key=province.keys_directory / "seal_public.1.pem")
    assert "has other keys" in findings(anew, earlier=whole)


def test_an_earlier_bundle_is_the_beginning_of_a_later_one(province: World, tmp_path: Path) -> None:
    before = bundle(province, tmp_path / "before", "2")
    after = bundle(province, tmp_path / "after", "1")
    assert findings(after, earlier=before) == ""
    assert "something was taken away" in findings(before, earlier=after)


def test_the_logs_of_a_bundle_fit_the_trees_of_the_service(province: World) -> None:
    with province.database.transaction() as session:
        tree, _ = ledger.consistency(session, "filings", 1, 8)
        assert tree.root == ledger.head(session, "filings").root
