"""Marks for texts that pure modules choose and pages translate.

A pure module cannot ask for the reader's language. It returns an English msgid, marked with `N_` so that
the extraction finds it, and parameters; words of our own among the parameters are `Term`s. `phrase` puts
them together in whatever language the page's `gettext` speaks.
"""

from collections.abc import Callable, Mapping
from typing import Final


def N_(msgid: str) -> str:  # noqa: N802 -- the keyword gettext's extraction looks for
    """Mark `msgid` for translation and return it unchanged."""
    return msgid


class Term(str):
    """A word of ours inside a message ("physics"): a msgid itself, translated when the message is."""

    __slots__ = ()


class Terms(tuple[Term, ...]):
    """Several terms, listed in a message one after the other."""

    __slots__ = ()

    def __str__(self) -> str:
        return SEPARATOR.join(self)


Param = str | int | Terms

#: between the terms of a list
SEPARATOR: Final = N_(", ")


def phrase(message: str, params: Mapping[str, Param], gettext: Callable[[str], str]) -> str:
    """Say `message` in the language `gettext` speaks, its terms translated too."""
    spoken: dict[str, object] = {}
    for name, value in params.items():
        if isinstance(value, Terms):
            spoken[name] = gettext(SEPARATOR).join(gettext(term) for term in value)
        else:
            spoken[name] = gettext(value) if isinstance(value, Term) else value
    return gettext(message) % spoken
