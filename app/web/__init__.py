"""What both portals share of HTTP: the gate, the headers, the limits, the pages that say no."""
