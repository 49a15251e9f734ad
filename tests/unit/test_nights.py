"""What a night is called, which one it is compared with, and what people are told of it."""

import socket
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from threading import Thread

import pytest

from harness.errors import NotifyError, RevisionError, SelectionError
from runner.core.nights import (
    Night,
    Told,
    beside_line,
    in_vain,
    last_complete,
    slack_text,
    stack_named,
)
from runner.core.report.told import State
from runner.core.runs import Run, Verdict
from runner.notify import mail
from runner.revisions.newest import newest_release
from runner.settings import Settings, without_secrets
from tests.pulls import a_diff

NIGHT = Night(stack="torch-nightly", day=date(2026, 11, 25), revision="5.23.0")


def _run(
    number: int, *, selection: str = "all", counts: Mapping[Verdict, int] | None = None
) -> Run:
    verdicts = {Verdict.PASS: 1} if counts is None else counts
    return Run(
        id=number,
        uid=NIGHT.uid,
        revision="5.23.0",
        stack={},
        selection=selection,
        started_at=datetime(2026, 11, number, tzinfo=UTC),
        closed_at=datetime(2026, 11, number, 1, tzinfo=UTC),
        expected=1,
        verdicts=verdicts,
    )


def test_a_nights_run_says_stack_day_and_revision() -> None:
    assert NIGHT.uid == "nightly--torch-nightly--2026-11-25--5.23.0"
    assert Night.of(_run(1)) == NIGHT


def test_other_runs_are_of_no_night() -> None:
    other = _run(1)
    named = Run(
        id=1,
        uid="20261125T1-5.23.0",
        revision="",
        stack={},
        selection="",
        started_at=other.started_at,
    )
    assert Night.of(named) is None


@pytest.mark.parametrize("name", ["", "a--b", "A", "-a", "a/b", "a b", "a-"])
def test_a_name_that_would_be_read_as_another_is_refused(name: str) -> None:
    with pytest.raises(SelectionError, match="no name for a stack"):
        stack_named(name)


def test_stacks_side_by_side_are_told_by_their_versions() -> None:
    cell = "llama/LlamaModel/forward-static/onnx"
    found = a_diff({cell: ((Verdict.FAIL, "no op"), (Verdict.PASS, None))})
    newer = replace(found, head=replace(found.head, stack={"torch": "2.14"}))
    told = beside_line("here", newer)
    assert told == "beside the stack here (torch 2.13 ⟹ 2.14): ✅ no export lost; 1 fixed"


def test_a_run_that_is_named_like_a_night_of_no_day_is_of_none() -> None:
    assert Night.of(replace(_run(1), uid="nightly--here--2026-13-99--5.23.0")) is None


def test_a_night_is_compared_with_the_last_complete_one_of_its_selection() -> None:
    head = _run(9)
    lacking = _run(8, counts={Verdict.MISSING: 1})
    nights = [head, lacking, _run(7, selection="smoke"), _run(6), _run(5)]
    assert last_complete(head, nights) == nights[3]
    assert last_complete(head, [head, lacking]) is None
    assert last_complete(head, [head, nights[2]]) == nights[2]


def test_a_night_is_compared_with_its_own_branch_or_one_of_which_nobody_knows() -> None:
    head, other, unknown, own = (
        replace(_run(number), branch=branch)
        for number, branch in [(9, "main"), (8, "v5-release"), (7, None), (6, "main")]
    )
    assert last_complete(head, [head, other, unknown, own]) == own
    assert last_complete(head, [head, other, unknown]) == unknown
    assert last_complete(head, [head, other]) is None


def test_a_night_of_which_nothing_was_run_is_incomplete_and_says_why() -> None:
    told = in_vain(NIGHT, "run ended with exit code 9")
    assert not told.complete
    text = slack_text(told, root="http://m.example")
    assert "incomplete" in text
    assert "exit code 9" in text
    assert "✅" not in text


def test_what_models_print_can_neither_mention_nor_link_in_a_message() -> None:
    told = Told(night=NIGHT, state=State.LOST, headline="<!channel> <http://evil|ok> &\nx", run=3)
    text = slack_text(told, root="http://m.example")
    assert "<!channel>" not in text
    assert text.count("<") == text.count(">") == 1
    assert "<http://m.example/runs/3/report|The report>" in text


def test_commands_that_run_cells_are_not_given_whom_to_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXPORT_MATRIX_SLACK_URL", "https://hooks.example/secret")
    monkeypatch.setenv("export_matrix_smtp_url", "smtp://u:secret@mail.example")
    assert "secret" in repr(Settings().slack_url and Settings().slack_url.get_secret_value())  # type: ignore[call-arg,union-attr]
    assert "secret" not in str(without_secrets())


def test_the_newest_release_is_no_pre_release() -> None:
    said = "transformers (5.9.0)\nAvailable versions: 6.0.0rc1, 5.23.0, 5.9.0\n"
    assert newest_release(pip=lambda words: (0, said)) == "5.23.0"


def test_an_index_that_can_not_be_reached_is_told() -> None:
    with pytest.raises(RevisionError, match="can't be reached"):
        newest_release(pip=lambda words: (1, "ERROR: No matching distribution"))


def test_no_password_is_sent_to_a_mail_server_without_tls() -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            line, _ = server.accept()
            with line, line.makefile("rb") as words:
                line.sendall(b"220 hello\r\n")
                for word in words:
                    heard.append(word)
                    line.sendall(b"221 bye\r\n" if word.startswith(b"QUIT") else b"250 me\r\n")

        talking = Thread(target=talk, daemon=True)
        talking.start()
        letter = mail.Letter(sender="m@x", to=["a@x"], subject="s", text="t", html="<p>t</p>")
        with pytest.raises(NotifyError, match="no password is sent"):
            mail.send(f"smtp://user:secret@127.0.0.1:{server.getsockname()[1]}", letter)
        talking.join(10)
    assert not any(b"secret" in each or each.startswith(b"AUTH") for each in heard)
