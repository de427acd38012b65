"""gettext with types, for the library has none."""

import flask_babel

__all__ = ["_", "ngettext"]


def _(msgid: str, **values: object) -> str:
    """`msgid` in the reader's language, its placeholders filled."""
    return str(flask_babel.gettext(msgid, **values))


def ngettext(singular: str, plural: str, num: int, **values: object) -> str:
    """The same for a number of things; `num` is a placeholder too."""
    return str(flask_babel.ngettext(singular, plural, num, **values))
