"""Everything that two officers can do together: the kinds of `admin.proposals`."""

from collections.abc import Mapping
from typing import Final

from admin import confirmations, creations, differences, reopenings, replacements, statements, window_acts, withdrawals
from admin.proposals import Kind

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        statements.TAKE_IN,
        differences.SETTLE,
        replacements.REPLACE,
        withdrawals.QUARANTINE,
        withdrawals.DESTROY,
        *window_acts.KINDS.values(),
        creations.CREATE,
        reopenings.REOPEN,
        confirmations.CONFIRM,
    )
}
