"""Signed-in pages a second, by a constant page a second."""

from tests.bench.figures import Figure, ratio
from tests.bench.load import get, rate
from tests.bench.stage import PAGES, province

CROWD = 40
WARM_UP = 40
ROUNDS = 8
EACH = 200
CONSTANTS = 800


def read_page_ratio() -> list[Figure]:
    """The pages read most: all batches, the draft with ten institutions, the receipt."""
    with province() as stage:
        crowd = stage.crowd(CROWD)
        stage.filed(crowd)
        constants = [get("/constant")] * CONSTANTS
        rate(stage.reference, constants, 200)
        ratios = []
        for name in ("overview", "edit", "receipt"):
            requests = [get(PAGES[name], stage.cookies(crowd[at % CROWD])) for at in range(EACH)]
            stage.fresh()
            rate(stage.ours, requests[:WARM_UP], 200)

            def page(_: int, requests: list[bytes] = requests) -> float:
                return rate(stage.ours, requests, 200)

            def constant(_: int) -> float:
                return rate(stage.reference, constants, 200)

            ratios.append(ratio(name, page, constant, ROUNDS))
        return [Figure("read_page_ratio", min(ratios), 0.3)]
