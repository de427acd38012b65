"""gunicorn for one portal: `gunicorn -c config/gunicorn.py 'wsgi:candidates()'`.

Few synchronous workers behind nginx: with threads, transactions were slower and the slowest twice as slow.
Without nginx in front (THREADS above 1: demo and tests) a browser's idle connections would hold such a worker.
"""

import os
import sys
from pathlib import Path

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WORKERS", "2"))
threads = int(os.environ.get("THREADS", "1"))
worker_class = "sync" if threads == 1 else "gthread"
umask = 0o007  # the socket is for nginx's group, nobody else

# nginx holds slow clients; a request that takes longer than this is stuck, the database gives up in 3 s.
timeout = 30
graceful_timeout = 30
# After so many requests a worker is replaced, so that no leak lives through a filing week.
max_requests = 20_000
max_requests_jitter = 2_000
# Workers tell that they are alive through a file; on a disk under load that would stall them.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 -- a memory file system

# A form of ours is a few kilobytes; what is longer than this is no candidate.
limit_request_line = 4_094
limit_request_fields = 50
limit_request_field_size = 8_190

# The service reads the client's address from nginx's header itself (`BEHIND_PROXY`), from nobody else's.
forwarded_allow_ips = ""
control_socket_disable = True

# nginx writes a JSON line for each request, the service one more for what it refuses, under the same request id;
# gunicorn speaks only of itself.
accesslog = None
errorlog = "-"
loglevel = "info"
proc_name = f"zhiyuan {sys.argv[-1]}"
