"""DBF: a header is believed only as far as the file bears it out."""

import random
import struct
from pathlib import Path

import dbf as peer
import pytest

from admin.intake.exchange import BadRow, BadTable, Row, Table, open_table, write_table
from admin.intake.layouts import CANDIDATES, REGIONS, SCHOOLS

ROW = {"code": "430102", "name": "芙蓉区", "parent": "430100", "level": "county"}


@pytest.fixture
def whole(tmp_path: Path) -> bytearray:
    write_table(tmp_path / "whole.dbf", REGIONS, [ROW] * 5)
    return bytearray((tmp_path / "whole.dbf").read_bytes())


def read(path: Path, data: bytes | bytearray) -> tuple[Table, list[Row | BadRow]]:
    path.write_bytes(data)
    with open_table(path, REGIONS) as table:
        return table, list(table)


def start_of(data: bytes | bytearray) -> int:
    start: int = struct.unpack_from("<H", data, 8)[0]
    return start


def length_of(data: bytes | bytearray) -> int:
    length: int = struct.unpack_from("<H", data, 10)[0]
    return length


def refused(path: Path, data: bytes | bytearray) -> str:
    with pytest.raises(BadTable) as caught:
        read(path, data)
    return str(caught.value)


def test_the_file_says_code_page_936(whole: bytearray) -> None:
    assert whole[29] == 0x7A
    assert whole.endswith(b"\x1a")


@pytest.mark.parametrize("count", [0, 1, 4, 6, 2**31, 2**32 - 1])
def test_a_wrong_count_is_refused(tmp_path: Path, whole: bytearray, count: int) -> None:
    struct.pack_into("<L", whole, 4, count)
    refused(tmp_path / "r.dbf", whole)


@pytest.mark.parametrize("cut", [1, 7, 40, 200])
def test_a_truncated_file_is_refused_or_whole(tmp_path: Path, whole: bytearray, cut: int) -> None:
    if cut == 1:  # only the end mark, which not every program writes
        assert len(read(tmp_path / "r.dbf", whole[:-cut])[1]) == 5
    else:
        refused(tmp_path / "r.dbf", whole[:-cut])


@pytest.mark.parametrize("size", [0, 1, 31, 32, 40, 100])
def test_a_piece_of_a_header_is_refused(tmp_path: Path, whole: bytearray, size: int) -> None:
    refused(tmp_path / "r.dbf", whole[:size])


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, 0x83),  # a memo file
        (0, 0x50),
        (2, 13),  # the month
        (29, 0x03),  # Western Europe
        (10, 3),  # length of a record
        (8, 20),  # length of the header
        (43, ord("M")),  # kind of the first field
        (48, 0),  # its length
        (48, 7),
    ],
)
def test_a_false_header_is_refused(tmp_path: Path, whole: bytearray, at: int, value: int) -> None:
    whole[at] = value
    assert "%(" not in refused(tmp_path / "r.dbf", whole)


def test_deleted_rows_are_skipped_and_counted(tmp_path: Path, whole: bytearray) -> None:
    for number in (1, 3):
        whole[start_of(whole) + number * length_of(whole)] = ord("*")
    table, found = read(tmp_path / "r.dbf", whole)
    assert [row.number for row in found if isinstance(row, Row)] == [1, 3, 5]
    assert table.deleted == 2


def test_a_broken_character_is_one_bad_place(tmp_path: Path, whole: bytearray) -> None:
    at = start_of(whole) + length_of(whole) + 1 + 6
    whole[at : at + 60] = b"\xdc" + b" " * 59  # half of a character
    whole[start_of(whole) + 2 * length_of(whole)] = ord("?")
    whole[start_of(whole) + 3 * length_of(whole) + 8] = 0x1F  # what the reader puts between fields
    _, found = read(tmp_path / "r.dbf", whole)
    assert [(row.row, row.column) for row in found if isinstance(row, BadRow)] == [(2, "DQMC"), (3, ""), (4, "DQMC")]
    assert [row.number for row in found if isinstance(row, Row)] == [1, 5]


def test_padding_with_zeros_is_padding(tmp_path: Path, whole: bytearray) -> None:
    at = start_of(whole) + 1 + 6 + 6
    whole[at : at + 54] = bytes(54)
    _, found = read(tmp_path / "r.dbf", whole)
    assert isinstance(found[0], Row)
    assert found[0]["name"] == "芙蓉区"


def test_no_mutation_loses_a_row_silently(tmp_path: Path, whole: bytearray) -> None:
    drawn = random.Random(5)
    refusals = 0
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(drawn.randint(1, 4)):
            # mostly in the header, where it hurts
            at = drawn.randrange(start_of(whole)) if drawn.random() < 0.6 else drawn.randrange(len(data))
            data[at] = drawn.randrange(256)
        try:
            table, found = read(tmp_path / "r.dbf", data)
        except BadTable:
            refusals += 1
            continue
        numbers = {row.row if isinstance(row, BadRow) else row.number for row in found}
        assert len(numbers) + table.deleted == 5
    assert refusals > 120


def test_a_peer_reads_what_we_write(tmp_path: Path) -> None:
    write_table(tmp_path / "ours.dbf", REGIONS, [ROW, ROW | {"name": "炎陵县·"}])
    with peer.Table(str(tmp_path / "ours.dbf"), codepage="cp936") as table:
        assert [record.DQMC.strip() for record in table] == ["芙蓉区", "炎陵县·"]
        assert [record.DQDM for record in table] == ["430102", "430102"]


@pytest.mark.parametrize("kind", ["db3", "vfp"])
def test_we_read_what_a_peer_writes(tmp_path: Path, kind: str) -> None:
    table = peer.Table(
        str(tmp_path / "theirs.dbf"),
        "KSH C(14); XM C(24); XBDM C(1); CSRQ D; ZJHM C(18); MZDM C(2); BMDDM C(10); BJ C(8); KLDM C(8);"
        " WYYZDM C(1); DQDM C(6); CJ N(6,1)",
        dbf_type=kind,
        codepage="cp936",
    )
    table.open(peer.READ_WRITE)
    born = peer.Date(1999, 3, 5)
    person = ("17430102150001", "张三", "1", born, "11010519491231002X", "01", "4301020001", "01", "5", "1", "430102")
    table.append((*person, 505.5))
    table.append((*person, None))
    peer.delete(table[1])
    table.close()
    with open_table(tmp_path / "theirs.dbf", CANDIDATES) as ours:
        (row,) = ours
        assert ours.deleted == 1
    assert isinstance(row, Row)
    assert (row["name"], row["birth_date"], row["score"]) == ("张三", "1999-03-05", "505.5")


def test_two_gigabytes_are_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("admin.intake.dbf._BIGGEST", 300)
    row = dict.fromkeys(SCHOOLS.by_field, "x")
    with pytest.raises(ValueError, match="two gigabytes"):
        write_table(tmp_path / "big.dbf", SCHOOLS, [row] * 5)
