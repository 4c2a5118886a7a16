#!/usr/bin/env python3
"""Measures speed and memory, and prints them as ratios beside their limits.

usage: run.py [--pairs N] [NAME...]       the rows of these names, or all
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


@dataclasses.dataclass
class Row:
    name: str
    unit: str
    limit: float
    what: str
    measure: typing.Callable


ROWS = [
    Row("server", "x", 1.15, "CPU per request, of a bare epoll loop's", measure_server),
    Row("client", "x", 0.6, "CPU per request, of libcurl multi's", measure_client),
    Row("idle", "KiB", 1.5, "memory of an idle keep-alive connection", measure_idle),
    Row("sleepers", "GiB", 4.6, "memory of a million sleeping tasks", measure_sleepers),
    Row("watch", "%", 5.0, "of a core for `rill watch`", measure_watch),
]


def show(row, options):
    try:
        figure = row.measure(options)
    except Unmeasured as why:
        print(f"{row.name:<9} {'-':>10}  {row.limit:>6g} {row.unit:<4} {row.what}: {why}")
        return
    verdict = "ok" if figure.value <= row.limit else "OVER"
    print(f"{row.name:<9} {figure.value:>6.2f} {row.unit:<3}  {row.limit:>6g} {row.unit:<4} "
          f"{verdict:<5} {row.what} ({figure.detail})")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("names", nargs="*")
    options, rest = parser.parse_known_args()
    rows = {row.name: row for row in ROWS}
    if options.list:
        print("\n".join(f"{row.name:<9} {row.what}" for row in ROWS))
        return
    unknown = [name for name in options.names if name not in rows]
    if unknown and unknown[0] == options.names[0] and (BUILD / "bench" / unknown[0]).exists():
        command = [program("bench/" + unknown[0]), *options.names[1:], *rest]
        sys.exit(subprocess.call(pinned(CLIENT_CORE, command)))
    if unknown or rest:
        parser.error(f"unknown: {' '.join(unknown + rest)} (--list)")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{'row':<9} {'measured':>10}  {'at most':>11}")
    for name in options.names or rows:
        show(rows[name], options)


if __name__ == "__main__":
    main()
