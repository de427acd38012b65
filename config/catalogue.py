"""Every text a user sees has its Chinese: the gettext catalogue against the sources.

`python -m config.catalogue` prints what is missing, left over, fuzzy or differs in its placeholders.
`python -m config.catalogue update` brings new texts into the catalogue, untranslated, and drops old ones.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
LOCALE = "zh_Hans"
PO = ROOT / "app" / "translations" / LOCALE / "LC_MESSAGES" / "messages.po"
PARTS = ("app", "admin", "cards")
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2"), ("**/templates/**.txt", "jinja2")]
OPTIONS = {f"**/templates/**.{kind}": {"trimmed": "true", "silent": "false"} for kind in ("html", "txt")}
KEYWORDS = DEFAULT_KEYWORDS | {"lazy_gettext": None, "lazy_ngettext": (1, 2), "lazy_pgettext": ((1, "c"), 2)}
_PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]|%[a-z]|\{\w*\}")


def template() -> Catalog:
    """The texts as the sources have them now."""
    catalog = Catalog(project="zhiyuan", charset="utf-8")
    for part in PARTS:
        found = extract_from_dir(
            ROOT / part,
            METHODS,
            OPTIONS,
            keywords=KEYWORDS,
            comment_tags=("Translators:",),
            strip_comment_tags=True,
        )
        for file, _line, text, comments, context in found:
            catalog.add(text, None, [(f"{part}/{file}", 1)], auto_comments=comments, context=context)
    return catalog


def translated() -> Catalog:
    """The Chinese catalogue; an empty one when there is none yet."""
    if not PO.exists():
        return Catalog(locale=LOCALE)
    with PO.open("rb") as file:
        return read_po(file, locale=LOCALE)


def faults(sources: Catalog, chinese: Catalog) -> Iterator[str]:
    """Yield one line for each text that is not, or not rightly, translated."""
    for message in sources:
        if not message.id:
            continue
        ours = chinese.get(_key(message), message.context)
        if ours is None or not all(_forms(ours.string)):
            yield f"missing: {_key(message)!r} ({message.locations[0][0]})"
        elif ours.fuzzy:
            yield f"fuzzy: {_key(message)!r}"
        elif any(_placeholders(form) != _placeholders(_forms(message.id)[-1]) for form in _forms(ours.string)):
            yield f"placeholders differ: {_key(message)!r} -> {ours.string!r}"
    for message in chinese:
        if message.id and sources.get(_key(message), message.context) is None:
            yield f"left over: {_key(message)!r}"
    for message in chinese.obsolete.values():
        yield f"left over: {_key(message)!r}"


def update() -> None:
    """Write the catalogue anew from the sources, keeping the translations it has."""
    chinese = translated()
    chinese.update(template(), no_fuzzy_matching=True)
    chinese.obsolete.clear()
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, chinese, width=110, no_location=True, sort_output=True, omit_header=False)


def _key(message: Message) -> str:
    return _forms(message.id)[0]


def _forms(text: object) -> tuple[str, ...]:
    return tuple(map(str, text)) if isinstance(text, list | tuple) else (str(text),)


def _placeholders(text: str) -> list[str]:
    # a set: another language may have to name a thing twice
    return sorted({match[0] for match in _PLACEHOLDER.finditer(text.replace("%%", ""))})


def main(arguments: list[str]) -> int:
    """Check, or `update`; 0 when the catalogue is complete."""
    if arguments == ["update"]:
        update()
    found = list(faults(template(), translated()))
    print("\n".join(found) or "catalogue: complete")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
