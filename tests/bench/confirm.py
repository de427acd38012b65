"""Confirmations a second over HTTP, by the reference transaction a second."""

from tests.bench.figures import Figure, ratio
from tests.bench.load import post, rate
from tests.bench.reference import ROWS
from tests.bench.stage import CONFIRM, province

WARM_UP = 80
ROUNDS = 8
EACH = 240


def confirm_ratio() -> list[Figure]:
    """Everything between a press of the button and the receipt, against lock, update, two inserts, commit."""
    with province() as stage:
        crowd = stage.crowd(WARM_UP + ROUNDS * EACH)
        asked = stage.drafted(crowd)
        confirmations = [
            post(CONFIRM, stage.cookies(member), stage.confirmation(member, question))
            for member, question in zip(crowd, asked, strict=True)
        ]
        apart = ROWS // (WARM_UP + ROUNDS * EACH)
        transactions = [post(f"/transaction/{1 + at * apart}", {}, {}) for at in range(len(confirmations))]
        stage.fresh()
        rate(stage.ours, confirmations[:WARM_UP], 303)
        rate(stage.reference, transactions[:WARM_UP], 200)

        def confirming(at: int) -> float:
            stage.fresh()
            return rate(stage.ours, confirmations[WARM_UP + at * EACH :][:EACH], 303)

        def writing(at: int) -> float:
            return rate(stage.reference, transactions[WARM_UP + at * EACH :][:EACH], 200)

        return [Figure("confirm_ratio", ratio("confirm", confirming, writing, ROUNDS), 0.4)]
