"""Measures the shortener on this machine; ``make load`` runs it. Needs wrk.

Redirects: wrk asks for 1,000 links in turn over 64 connections; of the shortener on SQLite, of one whose storage takes
20 ms longer for each request, and of a bare FastAPI route that answers with the same redirects. Each is one process, served
in the same way; they take turns, and the figures are medians of the rounds.

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
import tempfile
import time
from collections.abc import Iterator
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


APPS = {"bare FastAPI": "load:bare", "shortener": APP, "storage 20 ms away": "load:distant"}


@contextlib.contextmanager
def running(directory: Path) -> Iterator[dict[str, Server]]:
    """Run each application, on a storage of its own that has the links."""
    with contextlib.ExitStack() as stack:
        servers = {}
        for number, (name, app) in enumerate(APPS.items()):
            url = f"sqlite:///{directory / f'{number}.db'}"
            asyncio.run(make_links(url))
            servers[name] = stack.enter_context(served(url, directory / f"{number}.log", app=app))
        yield servers


async def make_links(url: str) -> None:
    async with open_storage(url) as storage:
        await Links(storage).add_items(Link(f"n{n}", f"{TARGET}n{n}", utc_now()) for n in range(LINKS))


def redirects(server: Server, seconds: int) -> dict[str, float]:
    """Return what wrk measures: rate, p50_ms, p99_ms, errors."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", SCRIPT, server.url]
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


KNOWN = {f"n{n}" for n in range(LINKS)}


def show(name: str, measured: dict[str, float]) -> None:
    print(f"{name:22}{measured['rate']:10,.0f} /s   p50 {measured['p50_ms']:7.2f} ms   p99 {measured['p99_ms']:7.2f} ms")


def main(rounds: int, seconds: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as directory, running(Path(directory)) as servers:
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
        for _ in range(rounds):
            for name, server in servers.items():
                measured[name].append(redirects(server, seconds))
        print(f"Redirects: {CONNECTIONS} connections, {LINKS} links, {rounds} rounds of {seconds} s, one process each")
        for name, found in measured.items():
            show(name, {key: statistics.median(one[key] for one in found) for key in found[0]})
            assert not any(one["errors"] for one in found), f"{name}: some requests failed"
        ratios = [ours["rate"] / bare["rate"] for bare, ours in zip(measured["bare FastAPI"], measured["shortener"], strict=True)]
        print(f"shortener to bare FastAPI: {statistics.median(ratios):.0%} ({min(ratios):.0%} to {max(ratios):.0%})")

        print(f"\nShortenings: {CONNECTIONS} connections, {count} links")
        for number, (name, server) in enumerate(servers.items()):
            if name != "bare FastAPI":
                made, found = asyncio.run(shortenings(server, count))
                show(name, found)
                print(f"  {asyncio.run(compare(f'sqlite:///{directory}/{number}.db', made, count))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--count", type=int, default=10_000)
    main(**vars(parser.parse_args()))
