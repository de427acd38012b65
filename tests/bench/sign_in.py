"""Sign-ins a second over HTTP, by the Argon2 computations of the same cost the same cores can do."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from argon2.low_level import Type, hash_secret_raw

from app import passwords
from tests.bench.figures import Figure, ratio
from tests.bench.load import post, rate
from tests.bench.stage import DEVICE, Stage, province
from tests.makers import PASSWORD, Member

WARM_UP = 16
ROUNDS = 6
EACH = 160
PROCESSES = 2
SECONDS = 1.5


def sign_in_ratio() -> list[Figure]:
    """Everything between number and password and a session, against the password's Argon2 alone."""
    with province() as stage, ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        crowd = stage.crowd(WARM_UP + ROUNDS * EACH)
        requests = [_request(stage, at, member) for at, member in enumerate(crowd)]
        rate(stage.ours, requests[:WARM_UP], 303)
        list(pool.map(_argon2, [0.1] * PROCESSES))

        def signing_in(at: int) -> float:
            return rate(stage.ours, requests[WARM_UP + at * EACH :][:EACH], 303)

        def hashing(_: int) -> float:
            return sum(pool.map(_argon2, [SECONDS] * PROCESSES))

        return [Figure("sign_in_ratio", ratio("sign-in", signing_in, hashing, ROUNDS), 0.8)]


def _request(stage: Stage, at: int, member: Member) -> bytes:
    """One sign-in, from a network of its own."""
    fields = {"csrf_token": stage.csrf_token, "number": member.person.candidate_no, "password": PASSWORD}
    address = f"10.{at // 65536}.{at // 256 % 256}.{at % 256}"
    return post("/sign-in", {**stage.form_cookie, "__Host-device": DEVICE}, fields, **{"X-Real-IP": address})


def _argon2(seconds: float) -> float:
    """Computations a second, one after another."""
    cost, done, started = passwords.CANDIDATE, 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        hash_secret_raw(PASSWORD.encode(), b"s" * 16, cost.passes, cost.memory, cost.lanes, 32, Type.ID)
        done += 1
    return done / (time.perf_counter() - started)
