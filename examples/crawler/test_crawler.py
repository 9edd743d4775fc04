"""The crawler against a real server on this machine, which is busy and incomplete on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import pytest

import rustyray
from examples.crawler.crawl import BusyError, MissingError, crawl, fetch
from rustyray.exceptions import RayTaskError

pytestmark = [pytest.mark.usefixtures("rustyray_local"), pytest.mark.rustyray(num_cpus=2)]

PAGES = 25


class WebServer(ThreadingHTTPServer):
    """Serves pages /0 to /24, a binary tree of links; two links at its end lead nowhere."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.busy: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.lock = Lock()

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server_port)

    def answer(self, path: str) -> tuple[int, str]:
        with self.lock:
            self.requests[path] += 1
            if self.busy[path]:
                self.busy[path] -= 1
                return 503, "busy"
        number = int(path.removeprefix("/"))
        if number >= PAGES:
            return 404, "missing"
        links = "".join(f'<a href="/{child}">' for child in (2 * number + 1, 2 * number + 2, 0) if child < PAGES + 2)
        return 200, f"page {number} {links}"


class Handler(BaseHTTPRequestHandler):
    server: WebServer

    def do_GET(self) -> None:
        status, text = self.server.answer(self.path)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Stays quiet."""


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_every_page_is_fetched_once(web: WebServer) -> None:
    site = crawl(web.address, "/0")
    assert sorted(site.pages) == sorted(f"/{number}" for number in range(PAGES))
    assert set(web.requests.values()) == {1}


def test_missing_pages_are_reported_and_not_asked_for_again(web: WebServer) -> None:
    site = crawl(web.address, "/0")
    assert set(site.broken) == {"/25", "/26"}
    assert all(isinstance(error, MissingError) for error in site.broken.values())
    assert (web.requests["/25"], web.requests["/26"]) == (1, 1)


def test_busy_pages_are_asked_for_again(web: WebServer) -> None:
    web.busy.update({"/0": 1, "/3": 3, "/7": 2})
    site = crawl(web.address, "/0")
    assert len(site.pages) == PAGES
    assert (web.requests["/0"], web.requests["/3"], web.requests["/7"]) == (2, 4, 3)


def test_a_page_that_stays_busy_is_given_up(web: WebServer) -> None:
    web.busy["/2"] = 1000
    site = crawl(web.address, "/0")
    assert isinstance(site.broken["/2"], BusyError)
    assert web.requests["/2"] == 4
    assert "/5" not in site.pages


def test_retries_can_be_chosen_for_one_call(web: WebServer) -> None:
    web.busy["/1"] = 2
    with pytest.raises(BusyError) as caught:
        rustyray.get(fetch.options(max_retries=0).remote(web.address, "/1"))
    assert isinstance(caught.value, RayTaskError)
    assert web.requests["/1"] == 1
    assert rustyray.get(fetch.remote(web.address, "/1")).startswith("page 1")
