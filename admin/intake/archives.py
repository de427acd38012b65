"""What a zip archive says of itself, checked before anything in it is unpacked (I-01, I-05).

Sizes in a directory can lie; whatever unpacks the members must therefore still count bytes, or run under a
memory limit as the workbook reader does.
"""

import stat
import struct
import zipfile
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from admin.intake.rows import BadTable, Limits
from app.wording import N_

_END: Final = struct.Struct("<4s4H2LH")
_END_MAGIC: Final = b"PK\x05\x06"
_END64_LOCATOR: Final = b"PK\x06\x07"
_END64_LOCATOR_SIZE: Final = 20
_LONGEST_END: Final = _END.size + 0xFFFF
#: generous for one directory entry of a workbook: header, name, extra field
_ENTRY_BYTES: Final = 512
_ENCRYPTED: Final = 0x1
_NESTED: Final = frozenset((".zip", ".xlsx", ".xlsm", ".docx", ".jar", ".rar", ".7z", ".gz", ".bz2", ".xz"))
#: below this size no ratio is suspicious: an empty sheet packs very well
_SMALL: Final = 2**20


def check_archive(stream: BinaryIO, file: str, limits: Limits) -> list[zipfile.ZipInfo]:
    """The members of the archive; raises `BadTable` for anything a harmless archive does not have."""
    _check_directory(stream, file, limits)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise BadTable(N_("The archive is damaged. Save it again and hand it in once more."), file=file) from error
    for member in members:
        _check_member(member, file, limits)
    if len({member.filename.casefold() for member in members}) != len(members):
        raise BadTable(N_("The archive holds two members of the same name."), file=file)
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.unpacked:
        raise BadTable(
            N_("Unpacked, the file would take %(found)s MB; at most %(most)s MB are taken. Split it."),
            file=file,
            found=-(-unpacked // 2**20),
            most=limits.unpacked // 2**20,
        )
    return members


def _check_directory(stream: BinaryIO, file: str, limits: Limits) -> None:
    """Refuse a directory too large to be read, without reading it."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _LONGEST_END))
    tail = stream.read()
    at = tail.rfind(_END_MAGIC)
    if at < 0 or len(tail) - at < _END.size:
        raise BadTable(N_("The archive has no end: it was cut off. Hand it in again."), file=file)
    if tail.find(_END64_LOCATOR, max(0, at - _END64_LOCATOR_SIZE), at) >= 0:
        raise BadTable(N_("The archive is in the Zip64 form. Save it again as a smaller one."), file=file)
    _, _, _, _, members, directory, _, _ = _END.unpack_from(tail, at)
    if members > limits.members or directory > limits.members * _ENTRY_BYTES:
        raise BadTable(N_("The archive has more than %(most)s members. Split it."), file=file, most=limits.members)


def _check_member(member: zipfile.ZipInfo, file: str, limits: Limits) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    name = repr(member.filename)[:80]
    if path.is_absolute() or ".." in path.parts or ":" in member.filename or "\0" in member.orig_filename:
        raise BadTable(N_("The archive holds a member that points outside it: %(name)s."), file=file, name=name)
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadTable(N_("The archive holds a link or device: %(name)s."), file=file, name=name)
    if member.flag_bits & _ENCRYPTED:
        raise BadTable(N_("The archive is protected by a password. Save it without one."), file=file)
    if path.suffix.lower() in _NESTED:
        raise BadTable(N_("The archive holds another archive: %(name)s."), file=file, name=name)
    if member.file_size > _SMALL and member.file_size > limits.ratio * max(member.compress_size, 1):
        raise BadTable(
            N_("A member is packed more than %(ratio)s times: %(name)s. No real table is."),
            file=file,
            ratio=limits.ratio,
            name=name,
        )
