"""Measures the shortener on this machine; ``make load`` runs it. Needs wrk.

Redirects: wrk asks for 1,000 links in turn over 64 connections: a bare FastAPI route that answers with the same
redirects, the shortener on SQLite, and one whose storage takes 20 ms longer for each request. Each is one process,
served in the same way; they take turns, and the figures are medians of the rounds.

Shortenings: 64 connections make 10,000 links; then what is stored is compared with what was answered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from fastapi import FastAPI, Response

from examples.url_shortener.shortener.app import create_app
from examples.url_shortener.shortener.models import Link, Links
from examples.url_shortener.shortener.service import Shortener, utc_now
from examples.url_shortener.tests.program import APP, Server, served
from ssshelf import open_storage
from ssshelf.storages.faulty import FaultyStorage

CONNECTIONS = 64
LINKS = 1_000
KNOWN = {f"n{n}" for n in range(LINKS)}
LATENCY_S = 0.02
TARGET = "https://www.python.org/dev/peps/"
SCRIPT = Path(__file__).with_suffix(".lua")


def bare() -> FastAPI:
    app = FastAPI()

    @app.get("/{slug}/")
    async def redirect(slug: str) -> Response:
        return Response(status_code=302, headers={"Location": f"{TARGET}{slug}"})

    return app


def distant() -> FastAPI:
    return create_app(Shortener(FaultyStorage(open_storage(), lambda _: LATENCY_S)))


BARE, OURS, DISTANT = "bare FastAPI", "shortener", "storage 20 ms away"
APPS = {BARE: "load:bare", OURS: APP, DISTANT: "load:distant"}


async def make_links(url: str) -> None:
    async with open_storage(url) as storage:
        await Links(storage).add_items(Link(slug, f"{TARGET}{slug}", utc_now()) for slug in KNOWN)


def redirects(server: Server, seconds: int) -> dict[str, float]:
    """Return what wrk measures: rate, p50_ms, p99_ms, errors."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(SCRIPT), server.url]
    said = subprocess.run(command, env={**os.environ, "LINKS": str(LINKS)}, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(said.stdout.splitlines()[-1])
    return measured


async def shortenings(server: Server, count: int) -> tuple[dict[str, str], dict[str, float]]:
    """Make links; return what was answered, by slug, and rate, p50_ms and p99_ms."""
    numbers, made, times = iter(range(count)), {}, []

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            started = time.perf_counter()
            async with session.post(f"{server.url}/new/", json={"url": f"https://example.org/{number}"}) as answer:
                answer.raise_for_status()
                link = await answer.json()
            times.append((time.perf_counter() - started) * 1e3)
            made[link["short_url"].split("/")[-2]] = link["original_url"]

    started = time.perf_counter()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(work(session))
    rate, percentiles = count / (time.perf_counter() - started), statistics.quantiles(times, n=100)
    return made, {"rate": rate, "p50_ms": percentiles[49], "p99_ms": percentiles[98]}


async def compare(url: str, made: dict[str, str], count: int) -> str:
    """Return what became of the links that were made."""
    async with open_storage(url) as storage:
        links = Links(storage)
        stored = {link.slug: link.url async for link in links.newest.prefix() if link.slug not in KNOWN}
        verified = await links.verify()
    lost, wrong = set(made) - set(stored), {slug for slug in stored if stored[slug] != made.get(slug)}
    doubled = count - len(set(stored.values()))
    clean = "verify clean" if verified.is_clean else f"verify found {verified.findings}"
    return f"{count} made, {len(stored)} stored, {len(lost)} lost, {doubled} doubled, {len(wrong)} wrong; {clean}"


def show(name: str, measured: dict[str, float]) -> None:
    rate, p50, p99 = (measured[key] for key in ("rate", "p50_ms", "p99_ms"))
    print(f"{name:22}{rate:10,.0f} /s   p50 {p50:7.2f} ms   p99 {p99:7.2f} ms")


def measure_redirects(servers: dict[str, Server], rounds: int, seconds: int) -> None:
    print(f"Redirects: {CONNECTIONS} connections, {LINKS} links, {rounds} rounds of {seconds} s, one process each")
    found = [{name: redirects(server, seconds) for name, server in servers.items()} for _ in range(rounds)]
    for name in servers:
        show(name, {key: statistics.median(one[name][key] for one in found) for key in found[0][name]})
        if any(one[name]["errors"] for one in found):
            sys.exit(f"{name}: some requests failed")
    ratios = [one[OURS]["rate"] / one[BARE]["rate"] for one in found]
    print(f"{OURS} to {BARE}: {statistics.median(ratios):.0%}, from {min(ratios):.0%} to {max(ratios):.0%}")


def measure_shortenings(servers: dict[str, Server], urls: dict[str, str], count: int) -> None:
    print(f"\nShortenings: {CONNECTIONS} connections, {count} links")
    for name in (OURS, DISTANT):
        made, measured = asyncio.run(shortenings(servers[name], count))
        show(name, measured)
        print(f"  {asyncio.run(compare(urls[name], made, count))}")


def main(rounds: int, seconds: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        urls = {name: f"sqlite:///{directory}/{name}.db" for name in APPS}
        servers = {}
        for name, app in APPS.items():
            asyncio.run(make_links(urls[name]))
            servers[name] = stack.enter_context(served(urls[name], Path(directory) / f"{name}.log", app=app))
        measure_redirects(servers, rounds, seconds)
        measure_shortenings(servers, urls, count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--count", type=int, default=10_000)
    main(**vars(parser.parse_args()))
