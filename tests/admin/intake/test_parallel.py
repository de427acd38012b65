"""Work on chunks by several processes. Forking is for a process without threads, so each test starts its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MANY = 20
BEGINNING = """
import os, time
from admin.intake import parallel
os.sched_getaffinity = lambda _: {0, 1, 2}
"""


def started(program: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", BEGINNING + program]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(program: str) -> str:
    with started(program) as process:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output.strip()


def gone(pid: int) -> bool:
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return True


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, MANY])
def test_results_come_in_the_order_of_the_chunks(count: int) -> None:
    work = "lambda chunk: (time.sleep(0.02 * (chunk % 3)), chunk * chunk)[1]"
    assert said(f"print(list(parallel.in_order({work}, range({count}))))") == str([at * at for at in range(count)])


def test_the_work_is_spread() -> None:
    pids = said(f"print(*parallel.in_order(lambda _: os.getpid(), range({MANY})), os.getpid())").split()
    assert len(set(pids[:-1])) == 3
    assert pids[-1] not in pids[:-1]


def test_a_few_chunks_are_not_worth_a_process() -> None:
    pids = said("print(*parallel.in_order(lambda _: os.getpid(), range(3)), os.getpid())").split()
    assert len(set(pids)) == 1


def test_chunks_are_taken_as_they_are_needed() -> None:
    program = f"""
taken = []
chunks = (taken.append(at) or at for at in range({MANY}))
results = parallel.in_order(lambda chunk: chunk, chunks)
next(results)
print(len(taken))
results.close()
"""
    assert int(said(program)) <= 5


def test_what_a_worker_raises_is_raised_here() -> None:
    program = f"""
def work(chunk):
    if chunk == 7:
        raise ValueError("chunk seven")
    return chunk
got = []
try:
    got.extend(parallel.in_order(work, range({MANY})))
except ValueError as error:
    print(error, got)
"""
    assert said(program) == f"chunk seven {list(range(7))}"


def test_a_worker_that_is_gone_is_no_silence() -> None:
    program = f"""
def work(chunk):
    if chunk == 7:
        os._exit(1)
    return chunk
try:
    list(parallel.in_order(work, range({MANY})))
except ChildProcessError as error:
    print("noticed")
"""
    assert said(program) == "noticed"


def test_workers_of_a_killed_starter_end() -> None:
    program = """
for pid in parallel.in_order(lambda _: (time.sleep(0.05), os.getpid())[1], range(10_000)):
    print(pid, flush=True)
"""
    with started(program) as process:
        assert process.stdout is not None
        pids = {int(process.stdout.readline()) for _ in range(6)}
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert len(pids) == 3
    deadline = time.monotonic() + 20
    while not all(map(gone, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if not gone(pid)] == []
