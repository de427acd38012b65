"""What our small forms and addresses send, read strictly: known fields, once each, for this candidate (F-13)."""

from typing import Final

from flask import request
from werkzeug.datastructures import MultiDict

from app.errors import BadInput
from app.web.forms import require_mark

#: every form of ours on a signed-in page carries these
OURS: Final = frozenset({"csrf_token", "mark"})


def sent(*names: str) -> dict[str, str]:
    """The fields `names` of a small form, "" where one is missing.

    Raises `BadInput` for a field there is none of, or one sent twice, `OutOfDate` for another session's form.
    """
    known = {*names, *OURS}
    require_known(request.form, known)
    require_mark(request.form.get("mark", ""))
    return {name: request.form.get(name, "") for name in names}


def asked(*names: str) -> dict[str, str]:
    """The same of an address's query."""
    require_known(request.args, set(names))
    return {name: request.args.get(name, "") for name in names}


def require_known(given: MultiDict[str, str], known: set[str]) -> None:
    """Raise `BadInput` for a field that is not `known`, or one sent twice (F-13)."""
    for name, values in given.lists():
        if name not in known:
            raise BadInput(f"no such field: {name[:60]!r}", place=name[:60])
        if len(values) > 1:
            raise BadInput(f"{name} was sent {len(values)} times", place=name)


def whole_number(text: str, place: str) -> int:
    """A number written by a form of ours; raises `BadInput`."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadInput(f"{place} should be a number", place=place)
    return int(text)


def octets(text: str, place: str) -> bytes:
    """Bytes written in hexadecimal by a form of ours; raises `BadInput`."""
    try:
        return bytes.fromhex(text) if len(text) <= 128 else b""
    except ValueError as error:
        raise BadInput(f"{place} should be hexadecimal", place=place) from error
