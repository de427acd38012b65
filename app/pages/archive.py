"""My archive: every version with its time, device and digest, its receipt, and how to verify one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Blueprint, Response, make_response, render_template
from flask_babel import lazy_gettext
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from app import batches, catalogue, evidence, filings, preferences, printing, seals
from app.batches import Opened
from app.catalogue import Slice
from app.differences import Difference, differences
from app.errors import NotFound
from app.evidence import Receipt, ReceiptError
from app.pages import listing, papers
from app.pages.fetch import COSTLY, batch_code, session_key, visitor
from app.pages.words import _
from app.preferences import Sheet
from app.web.forms import Form
from app.web.limits import costly_flood, limiter
from app.web.portal import reading, services

pages = Blueprint("archive", __name__)


@pages.get("/filings")
def overview() -> str:
    """Every version of every batch, as any device shows it (L-06)."""
    with reading() as connection:
        lines = preferences.overview(connection, visitor())
        versions = filings.history(connection, visitor().candidate_id)
    by_batch = {code: list(rows) for code, rows in groupby(versions, lambda row: row["batch_code"])}
    return render_template(
        "archive/overview.html",
        filed=[line for line in lines if line.batch.code in by_batch],
        empty=[line for line in lines if line.batch.code not in by_batch],
        versions=by_batch,
    )


# --- one version -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Version:
    """One filing with all a page says about it."""

    row: Mapping[str, Any]
    #: the filing before it; None for the first
    before: Mapping[str, Any] | None
    #: the number in force now
    standing: int
    sheet: Sheet
    #: the batch and the catalogue as they were when it was filed
    batch: Opened
    whole: Slice

    @property
    def in_force(self) -> bool:
        """Whether it is the one that stands."""
        return bool(self.row["number"] == self.standing)

    @property
    def changes(self) -> list[Difference]:
        """What it changed against the filing before."""
        return differences(self.before["content"], self.row["content"]) if self.before else []

    def columns(self) -> list[listing.ShownColumn]:
        """The list by columns, empty ones left out."""
        shown = listing.columns(self.batch.spec, self.row["content"], self.whole)
        return [column for column in shown if column.filled]


def _version(batch: str, number: int) -> Version:
    with reading() as connection:
        found = preferences.sheet(connection, visitor(), batch_code(batch))
        rows = {row["number"]: row for row in filings.history(connection, visitor().candidate_id, batch)}
        if number not in rows:
            raise NotFound(f"no filing {number} in {batch}")
        row = rows[number]
        then = replace(found.batch, catalogue_version=row["catalogue_version"])
        whole = catalogue.of(connection, then, visitor().facts.subject_class)
    return Version(row, rows.get(number - 1), max(rows), found, then, whole)


@pages.get("/filings/<batch>/<int:number>")
def receipt(batch: str, number: int) -> str:
    """One version: what was filed, when, and the proof of it."""
    version = _version(batch, number)
    return render_template("archive/receipt.html", version=version, row=version.row, columns=version.columns())


@pages.get("/filings/<batch>/<int:number>.pdf")
@limiter.limit(COSTLY, key_func=session_key)
def receipt_pdf(batch: str, number: int) -> Response:
    """The receipt on one A4 page."""
    version = _version(batch, number)
    paper = papers.receipt(version.row, version.batch.spec, version.whole, visitor(), standing=version.in_force)
    return papers.answer(printing.receipt(paper), f"receipt-{batch}-{number}.pdf")


@pages.get("/filings/<batch>/<int:number>/qr.svg")
def qr(batch: str, number: int) -> Response:
    """The receipt as a QR code; an image of its own, for pages carry none inside them."""
    with reading() as connection:
        row = filings.one(connection, visitor().candidate_id, batch_code(batch), number)
    return Response(printing.qr_svg(row["receipt"]), mimetype="image/svg+xml")


@pages.get("/filings/<batch>/<int:number>/changes")
def changes(batch: str, number: int) -> str:
    """What a version changed against the one before."""
    version = _version(batch, number)
    if version.before is None:
        raise NotFound("the first version changed nothing")
    return render_template(
        "archive/changes.html",
        version=version,
        row=version.row,
        changes=listing.changes(version.batch.spec, version.changes, version.whole),
    )


# --- proof -------------------------------------------------------------------------------------------


@pages.get("/filings/<batch>/<int:number>/proof")
def proof(batch: str, number: int) -> str:
    """Where a version stands in the log and in the seal, and how anybody checks that (L-06)."""
    with reading() as connection:
        found = seals.proof(connection, visitor().candidate_id, batch_code(batch), number)
    return render_template("archive/proof.html", proof=found, row=found.row, found=found.inclusion)


@pages.get("/filings/<batch>/<int:number>/proof.json")
def proof_file(batch: str, number: int) -> Response:
    """The same as a file for `admin/verify.py`."""
    with reading() as connection:
        found = seals.proof(connection, visitor().candidate_id, batch_code(batch), number)
    name = f"proof-{found.row['batch_code']}-{number}.json"
    return Response(
        found.document,
        mimetype="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


# --- verify ------------------------------------------------------------------------------------------


class VerifyForm(Form):
    """A receipt to verify."""

    receipt = TextAreaField(
        lazy_gettext("Receipt"),
        validators=[
            InputRequired(lazy_gettext("Paste the receipt.")),
            Length(max=4000, message=lazy_gettext("This is too long for a receipt.")),
        ],
    )


@pages.route("/verify", methods=["GET", "POST"])
@limiter.limit(costly_flood, methods=["POST"])
def verify() -> Response:
    """Whether a receipt is ours and unchanged; open to anybody who holds one (L-04)."""
    form = VerifyForm()
    found: Receipt | None = None
    status = 200
    if form.validate_on_submit():
        try:
            found = evidence.verify_receipt(
                "".join((form.receipt.data or "").split()), services().keys.receipt_public_keys()
            )
        except ReceiptError as error:
            form.receipt.errors = [_(error.message)]
    if form.errors:
        status = 422
    return make_response(
        render_template("archive/verify.html", form=form, found=found, batch_name=_batch_name(found)), status
    )


def _batch_name(found: Receipt | None) -> str:
    if found is None:
        return ""
    try:
        with reading() as connection:
            return batches.one(connection, found.batch).name
    except NotFound:
        return found.batch


@pages.get("/receipt-key.pem")
def receipt_key() -> Response:
    """The public keys receipts are signed with, oldest first, for whoever verifies offline."""
    keys = services().keys.receipt_public_keys()
    body = "".join(
        f"key {name}\n{keys[name].public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()}"
        for name in sorted(keys, key=int)
    )
    return Response(body, mimetype="application/x-pem-file")
