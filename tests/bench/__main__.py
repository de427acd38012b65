"""`python -m tests.bench [NAME …]`: measure everything, or the figures named."""

import sys
from collections.abc import Callable
from typing import Final

from tests.bench.completeness import completeness_pages, storm_ratio
from tests.bench.confirm import confirm_ratio
from tests.bench.figures import Figure
from tests.bench.loading import load_ratio
from tests.bench.lots import lot_figures, verifier_load
from tests.bench.reading import read_page_ratio
from tests.bench.round_trips import round_trips
from tests.bench.sign_in import sign_in_ratio
from tests.bench.sizes import sizes
from tests.bench.verifying import verify_rate

#: what is measured together, by every name it may be asked for
MEASUREMENTS: Final[dict[Callable[[], list[Figure]], tuple[str, ...]]] = {
    confirm_ratio: ("confirm_ratio",),
    round_trips: ("confirm_round_trips", "page_round_trips"),
    read_page_ratio: ("read_page_ratio",),
    sign_in_ratio: ("sign_in_ratio",),
    sizes: ("first_page_kb", "first_page_requests", "later_page_kb"),
    load_ratio: ("load_ratio", "load_memory_mib"),
    lot_figures: ("lot_ratio", "lot_memory_mib"),
    verifier_load: ("verifier_load_ratio",),
    completeness_pages: ("progress_page_ms", "class_names_ms", "progress_growth"),
    storm_ratio: ("storm_ratio",),
    verify_rate: ("verify_rows_per_second", "seal_seconds"),
}


def main(names: list[str]) -> int:
    """Print the figures named, all of them without a name; 2 for a name there is none of."""
    known = {name for measured in MEASUREMENTS.values() for name in measured}
    if unknown := set(names) - known:
        print(f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    for measure, measured in MEASUREMENTS.items():
        if not names or set(names) & set(measured):
            for figure in measure():
                print(figure, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
