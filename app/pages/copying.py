"""Institutions appended to a column of the draft: from another batch's list, or one out of the catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from app import catalogue, preferences
from app.catalogue import Slice
from app.choices import Choice, ColumnChoices, Preferences, from_content, to_content
from app.errors import BadInput
from app.pages.fetch import batch_code, visitor
from app.pages.sent import sent
from app.pages.words import _, ngettext
from app.preferences import Source
from app.specs import ColumnSpec
from app.web.portal import reading, transaction


@dataclass(slots=True)
class Appending:
    """A change of a list, for `preferences.amend`: choices appended to one column as far as there is room."""

    column: ColumnSpec
    choices: Sequence[Choice]
    added: list[Choice] = field(default_factory=list)
    #: what stands there already, or finds no room
    left: list[Choice] = field(default_factory=list)
    #: the last choice's number in the column; 0 when it is not there
    number: int = 0

    def into(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the list with the choices appended, and note what became of each."""
        columns = dict(from_content(content).columns)
        held = columns.get(self.column.code, ColumnChoices())
        slots = [slot for slot in held.slots if slot is not None]
        numbers = {slot.key: number for number, slot in enumerate(slots, 1)}
        for choice in self.choices:
            if choice.key in numbers or len(slots) >= self.column.slots:
                self.left.append(choice)
            else:
                slots.append(choice)
                numbers[choice.key] = len(slots)
                self.added.append(choice)
            self.number = numbers.get(choice.key, 0)
        columns[self.column.code] = replace(held, slots=tuple(slots))
        return to_content(Preferences(columns))


@dataclass(frozen=True, slots=True)
class Offered:
    """A filled column of another batch, to copy from; `value` names it in the form."""

    value: str
    label: str
    choices: tuple[Choice, ...]


def copy(batch: str) -> str:
    """GET /preferences/<batch>/copy: what other batches hold that could be copied here."""
    with reading() as connection:
        found = preferences.sheet(connection, visitor(), batch_code(batch))
        others = preferences.sources(connection, visitor(), but=batch)
    return render_template("preferences/copy.html", found=found, offered=_offered(others))


def copy_into(batch: str) -> BaseResponse:
    """POST /preferences/<batch>/copy: append to a column what the plan offers there, and say what it does not."""
    given = sent("source", "column")
    with reading() as connection:
        found = preferences.sheet(connection, visitor(), batch_code(batch))
        others = preferences.sources(connection, visitor(), but=batch)
        whole = catalogue.of(connection, found.batch, visitor().facts.subject_class)
    source = next((each for each in _offered(others) if each.value == given["source"]), None)
    column = found.batch.spec.column(given["column"])
    if source is None or column is None:
        raise BadInput("choose what to copy and where", place="source")
    fitting = [new for each in source.choices if (new := _fitting(each, column, whole)) is not None]
    copying = Appending(column, fitting)
    with transaction() as session:
        preferences.amend(session, visitor(), batch, copying.into)
    _tell(copying, source)
    return redirect(url_for("preferences.edit", batch=batch, _anchor=f"{column.code}-column"), 303)


def _tell(copying: Appending, source: Offered) -> None:
    copied = {choice.key for choice in copying.added}
    flash(
        ngettext(
            "%(num)d institution was copied into the draft. The draft is not in force.",
            "%(num)d institutions were copied into the draft. The draft is not in force.",
            len(copied),
        ),
        "success" if copied else "info",
    )
    left = [choice.code for choice in source.choices if choice.key not in copied]
    if left:
        text = _(
            "Not copied, because this column does not offer them, holds them already or is full: %(codes)s",
            codes=_(", ").join(left),
        )
        flash(text, "warning")


def _offered(others: Sequence[Source]) -> list[Offered]:
    return [
        Offered(
            f"{source.batch.code} {column.code}",
            _("%(batch)s, %(column)s", batch=source.batch.name, column=column.name),
            tuple(choice for _number, choice in held.filled()),
        )
        for source in others
        for column in source.batch.spec.columns
        if (held := from_content(source.content).columns.get(column.code)) is not None and held.used
    ]


def _fitting(choice: Choice, column: ColumnSpec, whole: Slice) -> Choice | None:
    """The choice as far as the column offers it: majors it does not have are left out. None: not at all."""
    entry = whole.entry(column.code, choice.institution, choice.group)
    if entry is None:
        return None
    majors = tuple(code for code in choice.majors if code in entry.offer.majors)
    adjust = choice.major_adjust if column.major_adjust else None
    return replace(choice, majors=majors[: column.majors_per_institution], major_adjust=adjust)
