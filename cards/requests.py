"""The request for a lot: what is to be made, for whom, and the two people who approve exactly that (D-01).

The request is one canonical JSON file (RFC 8785). The requester signs its bytes, each approver signs the same
bytes: change one digit of it, and all three must sign anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Self

import rfc8785
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cards.codes import Algorithm
from cards.errors import LotRefused, NotGenuine
from cards.keys import Person, usable_recipient
from cards.lots import LotRequest
from cards.sheets import LAYOUTS, Imprint
from cards.signatures import Purpose, signed_by

APPROVERS: Final = 2
FEWEST_RECIPIENTS: Final = 2


class Named(BaseModel):
    """A person in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    key: str = Field(pattern="^[0-9a-f]{64}$")

    @property
    def person(self) -> Person:
        """The person."""
        return Person(self.name, self.key)


class Order(BaseModel):
    """What is asked for. `recipients` are the age recipients that can open the print file, and nobody else can."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Annotated[str, Field(pattern="^zhiyuan lot request 1$")] = "zhiyuan lot request 1"
    lot: str
    count: int
    codes_per_card: int
    layout: str
    imprint: Imprint
    algorithm: Algorithm
    key_version: int = Field(ge=1, le=9999)
    recipients: tuple[Annotated[str, AfterValidator(usable_recipient)], ...]
    requester: Named
    asked_at: str

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        _ = self.request
        layout = LAYOUTS.get(self.layout)
        if layout is None:
            raise ValueError(f"there is no layout {self.layout}; there are {', '.join(LAYOUTS)}")
        if self.codes_per_card > layout.most_codes:
            raise ValueError(f"layout {self.layout} has room for {layout.most_codes} codes")
        if len(set(self.recipients)) < FEWEST_RECIPIENTS:
            raise ValueError("two different recipients are needed: the print works, and one kept in a safe")
        return self

    @property
    def request(self) -> LotRequest:
        """The part that `cards.lots` makes."""
        return LotRequest(self.lot, self.count, self.codes_per_card, self.algorithm, self.key_version)

    @property
    def canonical(self) -> bytes:
        """The bytes that are signed."""
        return rfc8785.dumps(self.model_dump(mode="json"))

    @property
    def told(self) -> list[tuple[str, str]]:
        """What an approver reads before signing."""
        return [
            ("lot", self.lot),
            ("cards", f"{self.count:,}"),
            ("codes on a card", str(self.codes_per_card)),
            ("layout", self.layout),
            ("printed on it", f"{self.imprint.province}, {self.imprint.hotline}, {self.imprint.url}"),
            ("hash", str(self.algorithm)),
            ("card key", f"version {self.key_version}"),
            *(("can open the print file", recipient) for recipient in self.recipients),
            ("asked for by", self.requester.name),
            ("asked at", self.asked_at),
        ]


def parse(content: bytes) -> Order:
    """Read a request; raises `LotRefused` unless its bytes are exactly the canonical ones."""
    try:
        order = Order.model_validate_json(content)
    except ValidationError as error:
        raise LotRefused(f"This is no request for a lot: {_first(error)}.") from error
    if order.canonical != content:
        raise LotRefused("The request was edited by hand. Write it anew with `python -m cards request`.")
    return order


def ordered(**values: object) -> Order:
    """Make a request; raises `LotRefused` for one that could not be made or printed."""
    try:
        return Order.model_validate(values)
    except ValidationError as error:
        raise LotRefused(f"This lot cannot be asked for: {_first(error)}.") from error


def _first(error: ValidationError) -> str:
    one = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in one["loc"])
    said = one["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{place}: {said}" if place else said


@dataclass(frozen=True, slots=True)
class Approved:
    """A request that may be made."""

    order: Order
    approvers: tuple[Person, ...]


def asked_by(content: bytes, signature: bytes, trusted: Sequence[Person]) -> Order:
    """Read a request that the requester it names has signed; raises `LotRefused`, `NotGenuine`."""
    signer = signed_by(trusted, Purpose.REQUEST, content, signature)
    order = parse(content)
    if signer != order.requester.person:
        raise NotGenuine(f"The request names {order.requester.name}, but {signer.name} has signed it.")
    return order


def require_other(approver: Person, order: Order) -> None:
    """Raise `LotRefused` when who approves is who asks, by key or by name."""
    if approver.is_also(order.requester.person):
        raise LotRefused(f"{approver.name} has asked for the lot and cannot approve it. Another person must.")


def approved(content: bytes, signature: bytes, approvals: Sequence[bytes], trusted: Sequence[Person]) -> Approved:
    """Check everything about a request that somebody could have got wrong; raises `LotRefused`, `NotGenuine`."""
    order = asked_by(content, signature, trusted)
    approvers: list[Person] = []
    for approval in approvals:
        approver = signed_by(trusted, Purpose.APPROVAL, content, approval)
        require_other(approver, order)
        if any(approver.is_also(other) for other in approvers):
            raise LotRefused(f"{approver.name} approves twice. Two different people must.")
        approvers.append(approver)
    if len(approvers) != APPROVERS:
        raise LotRefused(f"{APPROVERS} people must approve a lot, besides the requester; {len(approvers)} did.")
    return Approved(order, tuple(approvers))
