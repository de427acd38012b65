"""What our pages are held against: Flask and psycopg with nothing of ours between, under the same gunicorn."""

import os

import psycopg
from flask import Flask

#: as many as `SCHEMA` makes
ROWS = 400_000
SCHEMA = """
    CREATE TABLE reference_rows (id bigint PRIMARY KEY, tries integer NOT NULL);
    CREATE TABLE reference_filings (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, row_id bigint, content text);
    CREATE TABLE reference_audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, row_id bigint, detail text);
    INSERT INTO reference_rows SELECT n, 0 FROM generate_series(1, 400000) n;
"""
CONTENT = "f" * 600
DETAIL = "a" * 200


def application() -> Flask:
    """The reference: `POST /transaction/ROW` runs the transaction, `GET /constant` does nothing."""
    app = Flask(__name__)
    connection = psycopg.connect(os.environ["REFERENCE_DATABASE"])

    @app.post("/transaction/<int:row>")
    def transaction(row: int) -> str:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SELECT tries FROM reference_rows WHERE id = %s FOR UPDATE", (row,))
            cursor.execute("UPDATE reference_rows SET tries = tries + 1 WHERE id = %s", (row,))
            cursor.execute("INSERT INTO reference_filings (row_id, content) VALUES (%s, %s)", (row, CONTENT))
            cursor.execute("INSERT INTO reference_audit (row_id, detail) VALUES (%s, %s)", (row, DETAIL))
        return "done"

    @app.get("/constant")
    def constant() -> str:
        return "<!DOCTYPE html><title>constant</title>"

    return app
