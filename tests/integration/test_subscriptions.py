"""Who subscribed to a search is told what came and went: signed, once, and until it is taken."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from xml.etree.ElementTree import fromstring

import pytest
from fastapi.testclient import TestClient

from dashboard.app import create_app
from harness.errors import NotifyError, SelectionError
from runner.core.access import Scope
from runner.core.webhook import signature
from runner.notify.hook import deliver
from runner.settings import Settings
from runner.steps.subscribing import handlers, new_subscription, news
from runner.steps.working import do, working_beside
from runner.store import queue, reads, writes
from runner.store.engine import Engine
from runner.store.subscriptions import active, one, unsubscribe
from runner.store.tokens import create_token
from tests.conftest import wait_for
from tests.seed import seed

SEARCH = "model:mamba backend:onnx outcome:fail"
HERE = Settings(hooks_private=True, public_url="https://matrix.example")  # type: ignore[call-arg]  # the rest has defaults


@dataclass(kw_only=True)
class Receiver:
    """A server elsewhere: keeps what comes, and answers as it is told."""

    url: str
    answers: list[int] = field(default_factory=list)
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver(url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.came.append((dict(self.headers), body))
            self.send_response(found.answers.pop(0) if found.answers else 204)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/hook?a=b"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def _work(engine: Engine, *, later: timedelta = timedelta(0)) -> int:
    """All work that there is by then; how many pieces."""
    done = 0
    while taken := queue.take(engine, "tests", now=datetime.now(UTC) + later):
        do(engine, handlers(engine, HERE), taken)
        done += 1
    return done


def _close_again(engine: Engine) -> None:
    run = next(run for run in writes.reads.runs(engine) if run.complete)
    writes.close_run(engine, run.uid, closed_at=datetime.now(UTC), duration_s=None)


def test_news_of_a_search_are_delivered_signed_and_once(engine: Engine, receiver: Receiver) -> None:
    seed(engine)
    made = new_subscription(engine, receiver.url, SEARCH, by="tests")
    _close_again(engine)
    _work(engine)
    ((headers, body),) = receiver.came
    told = json.loads(body)["data"]
    assert (told["came_count"], told["found"]) == (4, 4)
    assert {each["cell"].split("/")[0] for each in told["came"]} == {"mamba"}
    assert told["came"][0]["url"].startswith("https://matrix.example/cells/mamba/")
    assert headers["webhook-signature"] == signature(
        made.secret,
        message=headers["webhook-id"],
        timestamp=int(headers["webhook-timestamp"]),
        body=body,
    )
    _close_again(engine)
    assert _work(engine) > 0
    assert len(receiver.came) == 1


def test_what_is_not_taken_is_sent_again_later(engine: Engine, receiver: Receiver) -> None:
    seed(engine)
    new_subscription(engine, receiver.url, SEARCH, by="tests")
    receiver.answers = [503]
    _close_again(engine)
    _work(engine)
    assert len(receiver.came) == 1
    assert _work(engine) == 0
    assert _work(engine, later=timedelta(minutes=2)) == 1
    ids = {headers["webhook-id"] for headers, _ in receiver.came}
    assert (len(receiver.came), len(ids)) == (2, 1)


def test_a_dashboard_delivers_by_itself_what_runs_that_ended_queued(
    engine: Engine, receiver: Receiver
) -> None:
    seed(engine)
    new_subscription(engine, receiver.url, SEARCH, by="tests")
    each = handlers(engine, HERE)
    with working_beside(engine, each), working_beside(engine, each):
        _close_again(engine)
        assert wait_for(lambda: bool(active(engine)[0].told), 30)
    assert len(receiver.came) == 1


def test_a_subscription_that_has_ended_gets_nothing_and_is_forgotten(
    engine: Engine, receiver: Receiver
) -> None:
    seed(engine)
    made = new_subscription(engine, receiver.url, SEARCH, by="tests")
    _close_again(engine)
    unsubscribe(engine, made.id)
    _work(engine)
    assert receiver.came == []
    with pytest.raises(SelectionError, match="no subscription"):
        one(engine, made.id)


def test_no_delivery_goes_into_a_private_network_or_follows_a_redirect(receiver: Receiver) -> None:
    for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(NotifyError, match="private network"):
            deliver(url, b"{}", {}, private=False)
    assert receiver.came == []
    receiver.answers = [302]
    with pytest.raises(NotifyError, match="answered 302"):
        deliver(receiver.url, b"{}", {}, private=True)
    assert len(receiver.came) == 1


def test_a_token_that_may_triage_subscribes_and_nobody_else(engine: Engine) -> None:
    wanted = {"url": "https://hooks.example/a", "search": SEARCH}
    _, triages = create_token(engine, "ci", "*", scope=Scope.TRIAGE)
    _, reads = create_token(engine, "ci", "*", scope=Scope.READ)
    with TestClient(create_app(engine), base_url="http://127.0.0.1") as client:

        def post(secret: str | None, **changed: str) -> int:
            headers = {"Authorization": f"Bearer {secret}"} if secret else {}
            address = "/api/v1/subscriptions"
            return client.post(address, json=wanted | changed, headers=headers).status_code

        assert (post(None), post(reads), post(triages)) == (401, 403, 201)
        assert post(triages, url="file:///etc/passwd") == post(triages, search="no:such") == 400
        bearer = {"Authorization": f"Bearer {triages}"}
        (listed,) = client.get("/api/v1/subscriptions", headers=bearer).json()
        assert (listed["search"], listed["secret"]) == (SEARCH, None)
        address = f"/api/v1/subscriptions/{listed['id']}"
        assert client.delete(address, headers=bearer).status_code == 204
    assert active(engine) == []


def test_the_feed_of_a_search_tells_what_came_and_went(engine: Engine) -> None:
    seed(engine)
    with TestClient(create_app(engine)) as client:
        feed = fromstring(client.get("/feed.xml", params={"q": SEARCH}).text)
        atom = "{http://www.w3.org/2005/Atom}"
        titles = [each.findtext(f"{atom}title") or "" for each in feed.iter(f"{atom}entry")]
        assert [title for title in titles if "4 came" in title]
        assert client.get("/feed.xml?q=no:such").status_code == 404


def test_news_of_a_search_that_names_a_stack_are_of_runs_on_it_alone(engine: Engine) -> None:
    seed(engine)
    _, newer, older = reads.runs(engine)
    of_older = news(engine, newer, "stack:transformers==5.22* outcome:fail")
    assert (of_older.came, of_older.went, of_older.found) == ((), (), 0)
    assert news(engine, older, "stack:transformers==5.22* outcome:fail").found > 0
    alone = news(engine, newer, "stack:transformers==5.23* outcome:fail")
    assert alone.before is None
    assert news(engine, newer, "outcome:fail").before == older
