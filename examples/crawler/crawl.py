"""Crawl a web site: several pages at a time, each page's links as soon as that page is in, busy answers tried again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http.client import HTTPConnection

import rustyray

LINK = re.compile(r'href="([^"]+)"')


class BusyError(Exception):
    """The server cannot answer just now; worth another try."""


class MissingError(Exception):
    """The server has no such page; another try would not help."""


@rustyray.remote(num_cpus=0.5, max_retries=3, retry_exceptions=[BusyError])
def fetch(server: tuple[str, int], page: str) -> str:
    """Fetches a page. It mostly waits, so two of them share a CPU.

    Raises:
        BusyError: The server was still busy in the last attempt.
        MissingError: There is no such page.
    """
    connection = HTTPConnection(*server, timeout=10)
    try:
        connection.request("GET", page)
        response = connection.getresponse()
        body = response.read().decode()
    finally:
        connection.close()
    if response.status == 503:
        raise BusyError(page)
    if response.status == 404:
        raise MissingError(page)
    return body


@dataclass
class Site:
    """What a crawl found: the text of each page, and the pages that could not be had, with the reason."""

    pages: dict[str, str] = field(default_factory=dict)
    broken: dict[str, Exception] = field(default_factory=dict)


def crawl(server: tuple[str, int], start: str) -> Site:
    """Fetches every page that can be reached from `start`, each once."""
    site = Site()
    pending = {fetch.remote(server, start): start}
    seen = {start}
    while pending:
        ready, _ = rustyray.wait(list(pending), num_returns=1)
        page = pending.pop(ready[0])
        try:
            site.pages[page] = rustyray.get(ready[0])
        except (BusyError, MissingError) as error:
            site.broken[page] = error
            continue
        for link in LINK.findall(site.pages[page]):
            if link not in seen:
                seen.add(link)
                pending[fetch.remote(server, link)] = link
    return site
