"""Limits against floods, by network; counted in Redis, in memory when Redis is away (R-08).

They hold nothing that matters: guesses are counted in PostgreSQL (R-09), and a whole computer room behind
one address stays far below every limit here (R-02).
"""

from typing import Final

from flask import Flask
from flask_limiter import Limiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.web.portal import network, services

REDIS_PATIENCE_S: Final = 0.2
#: sign-ins, activations and resets of one network: a school of 2 000 in its busiest minute is a third of it
SIGN_IN_FLOOD: Final = 1_200
#: searches of the catalogue, documents: costly pages, a minute and network
COSTLY_FLOOD: Final = 600

limiter = Limiter(network, headers_enabled=False, swallow_errors=False)


def sign_in_flood() -> str:
    """The limit of sign-ins a network, for a decorator; divided among workers when each counts alone."""
    return f"{SIGN_IN_FLOOD} per minute"


def costly_flood() -> str:
    """The limit of costly pages a network."""
    return f"{COSTLY_FLOOD} per minute"


def set_up(app: Flask) -> None:
    """Count in Redis with short patience; fall back to this process's memory."""
    here = services(app)
    app.config.update(
        RATELIMIT_STORAGE_URI=here.settings.redis_url.replace("unix://", "redis+unix://", 1),
        RATELIMIT_STORAGE_OPTIONS={
            "socket_timeout": REDIS_PATIENCE_S,
            "socket_connect_timeout": REDIS_PATIENCE_S,
            "retry": Retry(NoBackoff(), 0),  # a frozen Redis costs one wait, not the client's four with pauses
        },
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=True,
        RATELIMIT_IN_MEMORY_FALLBACK=f"{max(1, SIGN_IN_FLOOD // here.settings.workers)} per minute",
        RATELIMIT_STRATEGY="fixed-window",
    )
    limiter.init_app(app)
    # Pages with a limit ask for themselves. What the library would ask before every other page finds nothing, and
    # while Redis is away it would limit each of them as if it were a sign-in.
    app.before_request_funcs[None].remove(limiter._check_request_limit)  # noqa: SLF001 -- it offers no other way
