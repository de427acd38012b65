"""The second factor: time-based one-time passwords (RFC 6238), six digits, thirty seconds.

Pure: secrets and time are arguments.
"""

import hmac
from datetime import datetime
from typing import Final

import pyotp

ISSUER: Final = "Zhiyuan"
STEP_S: Final = 30
#: steps before and after the present one that are accepted: telephones' clocks are not exact
DRIFT: Final = 1
DIGITS: Final = 6


def new_secret() -> str:
    """A fresh shared secret, 160 bits in base 32."""
    return pyotp.random_base32()


def address(secret: str, login: str) -> str:
    """The otpauth:// address an authenticator reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)


def step_of(secret: str, given: str, now: datetime) -> int | None:
    """The time step `given` belongs to, or None when it belongs to none near `now`. All are always compared."""
    generator = pyotp.TOTP(secret)
    present = int(now.timestamp()) // STEP_S
    found = None
    for step in range(present - DRIFT, present + DRIFT + 1):
        if hmac.compare_digest(generator.generate_otp(step).encode(), given.encode()):
            found = step
    return found


def shown_at(secret: str, now: datetime) -> str:
    """What an authenticator with this secret shows at `now`."""
    return pyotp.TOTP(secret).generate_otp(int(now.timestamp()) // STEP_S)
