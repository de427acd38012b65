"""How values read on a page: times in Asia/Shanghai, digests in groups, codes four and four."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from flask import Flask

from app.evidence import masked
from app.web.languages import gettext, language
from cards.serials import grouped

ZONE: Final = ZoneInfo("Asia/Shanghai")


def moment(value: datetime | None, *, seconds: bool = False) -> str:
    """A time for reading: "6月27日 18:00" or "27 Jun 18:00", in the province's zone."""
    if value is None:
        return ""
    local = value.astimezone(ZONE)
    clock = local.strftime("%H:%M:%S" if seconds else "%H:%M")
    if language() == "zh_Hans":
        return f"{local.month}月{local.day}日 {clock}"
    return f"{format_datetime(local, 'd MMM', locale='en')} {clock}"


def full_moment(value: datetime | None) -> str:
    """A time for evidence: year, weekday and seconds."""
    if value is None:
        return ""
    local = value.astimezone(ZONE)
    if language() == "zh_Hans":
        weekday = "一二三四五六日"[local.weekday()]
        return f"{local.year}年{local.month}月{local.day}日（星期{weekday}）{local:%H:%M:%S}"
    return f"{format_datetime(local, 'EEEE d MMMM y', locale='en')}, {local:%H:%M:%S}"


def span(seconds: int) -> str:
    """A length of time: "1 d 3 h 12 min"; the seconds where there are no days."""
    units = gettext("{d} d|{h} h|{m} min|{s} s").split("|")
    parts = {"d": seconds // 86400, "h": seconds // 3600 % 24, "m": seconds // 60 % 60, "s": seconds % 60}
    shown = [unit.format(**parts) for unit in units]
    first = next((at for at, (unit, number) in enumerate(parts.items()) if number or unit == "s"), 3)
    return " ".join(shown[first : 3 if parts["d"] else 4])


def machine(value: datetime | None) -> str:
    """A time for `<time datetime>` and scripts."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds") if value else ""


def digest(value: bytes | str) -> str:
    """The first twenty hexadecimal digits in groups of four."""
    text = value.hex() if isinstance(value, bytes) else value
    return " ".join(text[at : at + 4] for at in range(0, 20, 4))


def device(label: str) -> str:
    """What `app.web.portal.device_label` said of a browser, in the reader's language where it is no name."""
    return label.replace("Browser", gettext("Browser"), 1) if label.startswith("Browser") else label


def set_up(app: Flask) -> None:
    """Make the formats filters of every template."""
    app.jinja_env.filters.update(
        moment=moment,
        span=span,
        full_moment=full_moment,
        machine=machine,
        digest=digest,
        device=device,
        serial=grouped,
        masked=masked,
    )
