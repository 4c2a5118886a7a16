#!/usr/bin/env python3
"""Measures speed and memory, and prints them as ratios beside their limits.

usage: run.py [--pairs N] [NAME...]       the rows of these names, or all
       run.py tasks                       the rows about tasks, beside other runtimes'
       run.py --list                      their names
       run.py PROGRAM [ARGS...]           any other program of build/bench, on one core

The speed of a machine drifts, by more than what is measured. So two programs are run in turn,
pair after pair, and the figure is the median of the ratios of the pairs: only the ratio means
something, and under a tenth means nothing. Servers run on one core, what loads them on another.
"""
import argparse
import contextlib
import dataclasses
import os
import pathlib
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing

BUILD = pathlib.Path(__file__).resolve().parents[1] / "build"
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]

IN_FLIGHT = 64
LOAD_SECONDS = 1
FETCHES = 40_000
IDLE_CONNECTIONS = 10_000
SLEEPERS = 1_000_000
WATCHED = 1_000
WATCH_SECONDS = 40  # two rounds of checks
GIB = 1024 ** 3


class Unmeasured(Exception):
    """Why a row has no figure."""


# ---- processes ----------------------------------------------------------------------------------


def program(name):
    path = BUILD / name
    if not path.exists():
        raise Unmeasured(f"{path.name} is not built")
    return str(path)


def pinned(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(process, port, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise Unmeasured(f"{process.args[-2]} does not listen")


@contextlib.contextmanager
def server(name, core=SERVER_CORE):
    """Runs a server program on a free port; gives its process and the port."""
    port = free_port()
    process = subprocess.Popen(pinned(core, [program(name), port]), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
    try:
        wait_for_port(process, port)
        yield process, port
    finally:
        process.kill()
        process.wait()


def cpu_seconds(pid):
    """CPU time of all threads of a process so far."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total / 1e9


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run_to_end(command):
    """Runs a program to its end; returns what it used."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Unmeasured(f"{' '.join(map(str, command))}: status {process.returncode}")
    return usage


# ---- what is measured ---------------------------------------------------------------------------


@dataclasses.dataclass
class Figure:
    """A measured value, in the unit of its row, and what stands behind it."""

    value: float
    detail: str
    limit: typing.Optional[float] = None  # where that was measured too


def in_turn(reference, subject, pairs):
    """The median of the ratios subject / reference; both are functions that measure once."""
    reference(), subject()  # warm up
    rows = []
    for i in range(pairs):
        first, second = (reference, subject) if i % 2 == 0 else (subject, reference)
        values = {first: first()}
        values[second] = second()
        rows.append((values[subject] / values[reference], values[reference], values[subject]))
    ratio, of_reference, of_subject = (statistics.median(column) for column in zip(*rows))
    ratios = [row[0] for row in rows]
    return Figure(ratio, f"{of_subject * 1e6:.2f} us against {of_reference * 1e6:.2f}; "
                         f"{pairs} pairs, {min(ratios):.2f} to {max(ratios):.2f}")


def load(process, port):
    """CPU time of the server per request of wrk."""
    before = cpu_seconds(process.pid)
    done = subprocess.run(pinned(CLIENT_CORE, ["wrk", "-t1", f"-c{IN_FLIGHT}", f"-d{LOAD_SECONDS}s",
                                               f"http://127.0.0.1:{port}/"]),
                          capture_output=True, text=True, check=False)
    used = cpu_seconds(process.pid) - before
    requests = re.search(r"(\d+) requests in", done.stdout)
    if not requests or re.search(r"Socket errors|Non-2xx", done.stdout):
        raise Unmeasured(f"wrk: {done.stdout} {done.stderr}")
    return used / int(requests.group(1))


def measure_server(options):
    with server("bench/epoll_limit") as reference, server("bench/hello") as subject:
        return in_turn(lambda: load(*reference), lambda: load(*subject), options.pairs)


def measure_client(options):
    with server("bench/epoll_limit") as (_, port):
        url = f"http://127.0.0.1:{port}/"

        def cpu(name, count):
            usage = run_to_end(pinned(CLIENT_CORE, [program(name), url, count, IN_FLIGHT]))
            return usage.ru_utime + usage.ru_stime

        def per_request(name):
            start_up = cpu(name, IN_FLIGHT)
            return lambda: (cpu(name, FETCHES) - start_up) / (FETCHES - IN_FLIGHT)

        return in_turn(per_request("bench/curl_multi"), per_request("bench/fetch_many"),
                       options.pairs)


def measure_idle(_options):
    with server("bench/hello") as (process, port):
        before = resident_bytes(process.pid)
        with subprocess.Popen([program("bench/idle_clients"), str(port), str(IDLE_CONNECTIONS),
                               "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as clients:
            if not clients.stdout.readline().startswith("ready"):
                raise Unmeasured("the connections could not be opened")
            time.sleep(1)
            after = resident_bytes(process.pid)
            clients.stdin.close()
            closed = int(clients.stdout.readline().split()[1])
        if closed:
            raise Unmeasured(f"the server closed {closed} idle connections")
        return Figure((after - before) / IDLE_CONNECTIONS / 1024,
                      f"{IDLE_CONNECTIONS} connections, resident {before >> 20} to "
                      f"{after >> 20} MiB")


def available_memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(re.search(r"MemAvailable:\s+(\d+)", file.read()).group(1)) * 1024


def measure_sleepers(_options):
    path = program("bench/sleepers")
    count = SLEEPERS if available_memory() > 7 * GIB else SLEEPERS // 10
    usage = run_to_end([path, str(count)])
    return Figure(usage.ru_maxrss * 1024 / GIB * SLEEPERS / count,
                  f"{count} tasks, {usage.ru_maxrss >> 10} MiB resident at most, "
                  f"{usage.ru_utime + usage.ru_stime:.1f} s of CPU")


def measure_watch(_options):
    rill = program("rill")
    with server("bench/epoll_limit") as (_, target), tempfile.TemporaryDirectory() as folder:
        port = free_port()
        urls = [f"http://127.0.0.1:{target}/{i}" for i in range(WATCHED)]
        command = [rill, "watch", "--every", "20s", "--listen", f"127.0.0.1:{port}",
                   "--db", os.path.join(folder, "history.db"), *urls]
        with open(os.path.join(folder, "log"), "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for_port(process, port)
            time.sleep(2)  # start-up is not what is measured
            before = cpu_seconds(process.pid)
            time.sleep(WATCH_SECONDS)
            used = cpu_seconds(process.pid) - before
            if process.poll() is not None:
                raise Unmeasured(f"rill watch ended with status {process.returncode}")
        finally:
            process.kill()
            process.wait()
        return Figure(100 * used / WATCH_SECONDS,
                      f"{WATCHED} endpoints every 20 s, for {WATCH_SECONDS} s")


# ---- tasks, and other runtimes' -----------------------------------------------------------------

# What others took on the machine that the limits were set on: for those that are measured here only
# where their package is installed, and for those that have none.
PUBLISHED = {
    "minicoro": {"switch_ns": 14.7},
    "libdill": {"yield_ns": 34.7, "spawn_join_ns": 55.8},
    "neco": {"yield_ns": 64.3},
    "State Threads": {"yield_ns": 45.6, "spawn_join_ns": 199},
    "Go": {"yield_ns": 73.5, "spawn_join_ns": 378, "channel_ns": 165, "million_sleeps_cpu_s": 4.0},
}


def values_of(command):
    """What a program prints, one `name value` a line."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, "GOMAXPROCS": "1"}, check=False)
    if done.returncode != 0:
        raise Unmeasured(done.stderr.strip() or f"{command[-1]}: status {done.returncode}")
    return {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}


def go_program():
    source = pathlib.Path(__file__).with_name("go_tasks.go")
    path = BUILD / "bench/go_tasks"
    if not path.exists() or path.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["go", "build", "-o", path, source], stdin=subprocess.DEVNULL, check=True)
    return str(path)


def peer_value(peer, name):
    """Measures a peer once; None where that cannot be."""
    try:
        if peer == "Go":
            return values_of(pinned(CLIENT_CORE, [go_program(), name])).get(name)
        if peer == "State Threads":
            return values_of(pinned(CLIENT_CORE, [program("bench/st_tasks")])).get(name)
    except (Unmeasured, OSError, subprocess.CalledProcessError):
        pass
    return None


def measure_tasks(name, limits, scale=1, most=5):
    """A row of bench/tasks. Its limit is the least of what `limits` says: of each peer, the part of
    its figure that ours may be. All are run in turn, and each figure is a median."""
    command = pinned(CLIENT_CORE, [program("bench/tasks"), name])

    def measure(options):
        ours, theirs = [], {peer: [] for peer in limits}
        for _ in range(min(options.pairs, most)):
            ours.append(values_of(command)[name])
            for peer, values in theirs.items():
                values.append(peer_value(peer, name))
        median = statistics.median(ours) / scale
        least, details = None, [f"{min(ours) / scale:.4g} to {max(ours) / scale:.4g}"]
        for peer, values in theirs.items():
            measured = None not in values
            value = statistics.median(values) if measured else PUBLISHED[peer][name]
            details.append(f"{peer} {value:.4g}{'' if measured else ' as published'}")
            allowed = value * limits[peer] / scale
            least = allowed if least is None else min(least, allowed)
        return Figure(median, "; ".join(details), least)

    return measure


@dataclasses.dataclass
class Row:
    name: str
    unit: str
    limit: typing.Optional[float]
    what: str
    measure: typing.Callable


ROWS = [
    Row("server", "x", 1.15, "CPU per request, of a bare epoll loop's", measure_server),
    Row("client", "x", 0.6, "CPU per request, of libcurl multi's", measure_client),
    Row("idle", "KiB", 1.5, "memory of an idle keep-alive connection", measure_idle),
    Row("sleepers", "GiB", 4.6, "memory of a million sleeping tasks", measure_sleepers),
    Row("watch", "%", 5.0, "of a core for `rill watch`", measure_watch),
]

TASK_ROWS = [
    Row("switch", "ns", None, "a bare switch, one way",
        measure_tasks("switch_ns", {"minicoro": 1})),
    Row("yield", "ns", None, "a yield through the scheduler",
        measure_tasks("yield_ns", {"libdill": 0.6, "Go": 1, "State Threads": 1, "neco": 1})),
    Row("spawn", "ns", None, "spawn and join of an empty task",
        measure_tasks("spawn_join_ns", {"libdill": 1, "Go": 1 / 6})),
    Row("mutex", "ns", 5, "a mutex, locked and unlocked", measure_tasks("mutex_ns", {})),
    Row("semaphore", "ns", 5, "a semaphore, acquired and released",
        measure_tasks("semaphore_ns", {})),
    Row("event", "ns", 5, "a wait for an event that is set", measure_tasks("event_ns", {})),
    Row("channel", "ns", None, "a value from task to task by a channel",
        measure_tasks("channel_ns", {"Go": 1 / 3})),
    Row("timer", "ns", 20, "a timer set and cancelled, 100,000 pending",
        measure_tasks("timer_ns", {})),
    Row("asleep", "KiB", 4.2, "memory of a sleeping task, of a million",
        measure_tasks("sleeping_bytes", {}, scale=1024, most=1)),
    Row("sleeps", "s", None, "CPU of a million tasks that sleep 0 to 1 s",
        measure_tasks("million_sleeps_cpu_s", {"Go": 0.8}, most=3)),
]


def limit_text(limit):
    return "-" if limit is None else f"{limit:.4g}"


def show(row, options):
    try:
        figure = row.measure(options)
    except Unmeasured as why:
        print(f"{row.name:<9} {'-':>10}  {limit_text(row.limit):>6} {row.unit:<4} {row.what}: "
              f"{why}")
        return
    limit = row.limit if figure.limit is None else figure.limit
    verdict = "ok" if figure.value <= limit else "OVER"
    print(f"{row.name:<9} {figure.value:>6.2f} {row.unit:<3}  {limit_text(limit):>6} {row.unit:<4} "
          f"{verdict:<5} {row.what} ({figure.detail})")
    sys.stdout.flush()


def rows_of(names, rows):
    """The rows of these names, "tasks" being all of TASK_ROWS; all when there are no names."""
    chosen = []
    for name in names or rows:
        chosen += TASK_ROWS if name == "tasks" else [rows[name]]
    return chosen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("names", nargs="*")
    options, rest = parser.parse_known_args()
    rows = {row.name: row for row in ROWS + TASK_ROWS}
    if options.list:
        print("\n".join(f"{row.name:<9} {row.what}" for row in rows.values()))
        print(f"{'tasks':<9} all from {TASK_ROWS[0].name} on")
        return
    unknown = [name for name in options.names if name not in rows and name != "tasks"]
    if unknown and unknown[0] == options.names[0] and (BUILD / "bench" / unknown[0]).exists():
        command = [program("bench/" + unknown[0]), *options.names[1:], *rest]
        sys.exit(subprocess.call(pinned(CLIENT_CORE, command)))
    if unknown or rest:
        parser.error(f"unknown: {' '.join(unknown + rest)} (--list)")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{'row':<9} {'measured':>10}  {'at most':>11}")
    for row in rows_of(options.names, rows):
        show(row, options)


if __name__ == "__main__":
    main()
