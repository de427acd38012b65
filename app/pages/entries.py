"""What is typed at the door: fields that forgive how a number is written, and say what is wrong with it.

Everything here is judged from the typing alone. Whether a number exists is asked at the door, and answered there
with one sentence for every reason.
"""

import re
from typing import Any, Final

from flask_babel import lazy_gettext
from wtforms import BooleanField, HiddenField, PasswordField, StringField, ValidationError
from wtforms.validators import InputRequired

from app import passwords
from app.errors import BadInput
from app.numbers import normalised
from app.pages.words import _
from app.passwords import Weakness
from app.web.forms import Form, Kept, OwnForm
from app.wording import N_
from cards import codes, serials
from cards.errors import MalformedCode, MalformedSerial

_DASHES: Final = re.compile(r"[\u2010-\u2015\u2212\u30fc-]")

SERIAL_TROUBLE: Final = {
    "not_digits": N_("A card serial is made of digits only. It stands outside the scratch film, above the barcode."),
    "length": N_("A card serial has 12 digits, printed in three groups of four. Compare it with the card."),
    "check_digit": N_("One digit of the serial is mistyped: the digits do not fit together. Compare it with the card."),
}
CODE_TROUBLE: Final = {
    "not_digits": N_("Code no. %(number)s: a code is made of digits only. Nothing was counted as a try."),
    "length": N_("Code no. %(number)s: a code has 8 digits, four and four. Nothing was counted as a try."),
    "check_digit": N_(
        "Code no. %(number)s: one digit is mistyped, for the digits do not fit together. Compare it with the card."
        " Nothing was counted as a try."
    ),
}
#: why a password is not good enough; said beside its field (A-05)
WEAK: Final[dict[Weakness, str]] = {
    "too_short": N_("The password is too short. Use 8 characters or more; three or four words are easy to remember."),
    "too_long": N_("The password is longer than 128 characters. Nothing was cut off; please choose a shorter one."),
    "control_characters": N_("The password contains a character that cannot be printed. Please type it by hand."),
    "common": N_(
        "This password is one of those that are tried first, or a simple row of characters. Please choose another one."
    ),
    "personal": N_(
        "This password contains your name, birthday, phone, school or one of your numbers. Classmates would try that"
        " first. Please choose another one."
    ),
}


def bare(text: str | None) -> str:
    """Typed digits as they are meant: full-width ones plain, blanks and hyphens out."""
    return _DASHES.sub("", normalised(text or ""))


class _TypedField(StringField):
    """A field whose text is read, not only taken."""

    @property
    def typed(self) -> str:
        """What was typed, as it was read."""
        return self.data or ""


class CandidateNumberField(_TypedField):
    """The fourteen digits of 考生号."""

    def pre_validate(self, _form: Any) -> None:
        """Read the number; a typing slip is told here, never counted."""
        number = bare(self.data)
        if not number:
            raise ValidationError(_("Enter your candidate number."))
        if len(number) != 14 or not (number.isascii() and number.isdigit()):
            raise ValidationError(_("A candidate number has 14 digits. Compare it with your admission card."))
        self.data = number


class SerialField(_TypedField):
    """The serial outside a card."""

    def pre_validate(self, _form: Any) -> None:
        """Read the serial, in whatever groups it was typed."""
        if not self.typed.strip():
            raise ValidationError(_("Enter the serial of your card."))
        try:
            self.data = serials.parse(self.typed).text
        except MalformedSerial as error:
            raise ValidationError(_(SERIAL_TROUBLE[error.reason])) from error


class CodeField(_TypedField):
    """One code of the card, asked by its number. Its page shows it with `code_field`, which gives nothing back."""

    #: the number printed beside the code
    number = 0

    def pre_validate(self, _form: Any) -> None:
        """Read the code; what no card can carry is told here and never counts (C-08)."""
        if not self.typed.strip():
            raise ValidationError(_("Enter code no. %(number)s of your card.", number=self.number))
        try:
            self.data = codes.normalise(self.typed)
        except MalformedCode as error:
            raise ValidationError(_(CODE_TROUBLE[error.reason], number=self.number)) from error


# Parts of forms. Their order here is the order in which a page lists what is to be corrected.


class Ticket:
    """What the counter printed, to be mixed into a form."""

    ticket = StringField(lazy_gettext("Reset ticket"))

    def validate_ticket(self, field: StringField) -> None:
        """Sixteen letters and digits, in any grouping."""
        field.data = bare(field.data)
        if not re.fullmatch(r"[A-Z0-9]{16}", field.data):
            raise ValidationError(
                _("A reset ticket has 16 letters and digits, printed in four groups. Compare it with the paper.")
            )


class Phone:
    """A phone number, to be mixed into a form."""

    mobile = _TypedField(lazy_gettext("New phone number"))

    def validate_mobile(self, field: _TypedField) -> None:
        """A mobile number of the mainland, with +86 or without."""
        field.data = re.sub(r"^(\+|00)86", "", bare(field.data))
        if not field.data:
            raise ValidationError(_("Enter the new phone number."))
        if not re.fullmatch(r"1[3-9][0-9]{9}", field.data):
            raise ValidationError(
                _("A mobile number has 11 digits and begins with 13 to 19. Check what you typed. Nothing was changed.")
            )


class OldPassword:
    """The password until now, to be mixed into a form."""

    old = PasswordField(
        lazy_gettext("Current password"), validators=[InputRequired(lazy_gettext("Enter your current password."))]
    )


class _SecondCodeField(CodeField):
    """A second code, asked where two are due; without a number it is not asked."""

    def pre_validate(self, _form: Any) -> None:
        """Read the code, if it is asked."""
        if self.number:
            super().pre_validate(_form)


class OneOrTwo:
    """One code or two, whichever the card asks, to be mixed into a form."""

    #: the numbers asked when the page was made: codes for others are never compared
    asked = HiddenField()
    code_first = CodeField()
    code_second = _SecondCodeField()

    def ask(self, numbers: tuple[int, ...]) -> None:
        """Ask for the codes of these numbers."""
        self.asked.data = " ".join(map(str, numbers))
        self.code_first.number, self.code_second.number, *_ = *numbers, 0

    def ask_again(self) -> None:
        """Ask what the page asked; raises `BadInput` where that is not one number or two."""
        numbers = re.fullmatch(r"([0-9]{1,4})(?: ([0-9]{1,4}))?", self.asked.data or "", re.ASCII)
        if numbers is None:
            raise BadInput("not what a page asks", place="asked")
        self.ask(tuple(int(number) for number in numbers.groups() if number))

    @property
    def shown(self) -> tuple[int, ...]:
        """The numbers asked."""
        return tuple(number for number in (self.code_first.number, self.code_second.number) if number)

    @property
    def given(self) -> tuple[str, ...]:
        """The codes as typed, normalised."""
        return (self.code_first.typed, self.code_second.typed)[: len(self.shown)]


class Pair:
    """Two codes, to be mixed into a form."""

    code_first = CodeField()
    code_second = CodeField()

    def ask(self, pair: tuple[int, int]) -> None:
        """Ask for the codes of these numbers."""
        self.code_first.number, self.code_second.number = pair

    @property
    def given(self) -> tuple[str, str]:
        """The codes as typed, normalised."""
        return self.code_first.typed, self.code_second.typed


class NewPassword:
    """A new password, twice, to be mixed into a form."""

    password = PasswordField(
        lazy_gettext("New password"), validators=[InputRequired(lazy_gettext("Enter a new password."))]
    )
    again = PasswordField(
        lazy_gettext("The new password once more"),
        validators=[InputRequired(lazy_gettext("Enter the new password a second time."))],
    )

    def validate_password(self, field: PasswordField) -> None:
        """What can be said of a password without knowing whose it is."""
        if weak := passwords.weakness(field.data or ""):
            raise ValidationError(_(WEAK[weak]))

    def validate_again(self, field: PasswordField) -> None:
        """The two must be the same."""
        if (field.data or "") != (self.password.data or ""):
            raise ValidationError(_("The two passwords differ. Type the new password again in both fields."))

    def refuse(self, weak: Weakness) -> None:
        """Say beside the field why the door found the password too easy."""
        self.password.errors = [_(WEAK[weak])]


class PersonForm(Form):
    """First page of activation: who, which card."""

    number = CandidateNumberField(lazy_gettext("Candidate number"))
    serial = SerialField(lazy_gettext("Serial of your card"))
    tail = StringField(lazy_gettext("Last six characters of your identity number"))
    agree = BooleanField(
        lazy_gettext("I have read the privacy notice and agree to it"),
        validators=[
            InputRequired(
                lazy_gettext("Please read the privacy notice and tick the box. Filing is not possible without.")
            )
        ],
    )

    def validate_tail(self, field: StringField) -> None:
        """Five digits, then a digit or X."""
        field.data = bare(field.data)
        if not re.fullmatch(r"[0-9]{5}[0-9X]", field.data):
            raise ValidationError(
                _("Enter the last six characters of your identity number: digits, and perhaps an X at the end.")
            )


class ActivationForm(NewPassword, Pair, Form):
    """Second page of activation."""


class NumberForm(Form):
    """First page of a new password."""

    number = CandidateNumberField(lazy_gettext("Candidate number"))


class CardNumberForm(Kept, NumberForm):
    """First page of signing in with the card."""


class SignInForm(Kept, Form):
    """Number and password; never a code (A-16)."""

    number = CandidateNumberField(lazy_gettext("Candidate number"))
    password = PasswordField(lazy_gettext("Password"), validators=[InputRequired(lazy_gettext("Enter your password."))])


class CardSignInForm(Pair, Kept, Form):
    """Second page of signing in with the card."""

    password = PasswordField(lazy_gettext("Password"), validators=[InputRequired(lazy_gettext("Enter your password."))])


class ResetForm(NewPassword, Pair, Ticket, Form):
    """Second page of a new password: the counter's ticket, two codes, the password."""


class PasswordForm(NewPassword, OldPassword, OwnForm):
    """A new password from inside."""


class PhoneForm(OneOrTwo, OldPassword, Phone, OwnForm):
    """A new phone number, from inside."""


class BindForm(OwnForm):
    """Which card is to be bound."""

    serial = SerialField(lazy_gettext("Serial of the new card"))


class BindCodesForm(Pair, OwnForm):
    """Two codes of the card to be bound."""
