"""The main pages of a dashboard are asked for before anybody does."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from runner.cli.warming import keep_warm
from tests.conftest import wait_for


def test_main_pages_are_asked_for_by_the_public_address() -> None:
    asked: set[tuple[str, str | None]] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.add((self.path, self.headers["Host"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    keep_warm("0.0.0.0", server.server_port, public_url="https://matrix.example")
    assert wait_for(lambda: ("/feed.xml", "matrix.example") in asked)
    assert ("/", "matrix.example") in asked
    server.shutdown()
    server.server_close()
