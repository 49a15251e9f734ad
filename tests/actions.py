"""Runs a shipped workflow here: its own `run` steps in bash, and of `uses` what they do to files.

A job has a folder of its own and the variables that the workflow gives it, and no others but the
machine's. Expressions are those that the shipped workflows use; an unknown action is an error.
"""

import fnmatch
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

WORKFLOWS = ROOT / ".github/workflows"
_EXPRESSION = re.compile(r"\$\{\{((?:(?!\}\}).)*)\}\}", re.DOTALL)
_STEP_S = 300


class _Context(dict[str, Any]):
    """What GitHub gives where nothing is: nothing."""

    def __missing__(self, key: str) -> "_Context":
        return _Context()

    def __str__(self) -> str:
        return json.dumps(self) if self else ""


@dataclass
class Actions:
    """A machine that runs workflows of a repository."""

    folder: Path
    #: owner/name -> its git repository; `tool` is this project
    remotes: Mapping[str, Path]
    repository: str
    event: Mapping[str, Any]
    inputs: Mapping[str, Any]
    #: what the machine has whatever runs there
    machine: Mapping[str, str]
    token: str
    api_url: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    #: artifacts that never arrive
    lost: set[str] = field(default_factory=set)
    cache: dict[str, bytes] = field(default_factory=dict)
    #: variables and name of every job whose steps were run
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    #: exit codes, by job
    ended: dict[str, list[int]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def _nested(self, told: Mapping[str, Any], context: dict[str, Any]) -> None:
        values = {name: self._value(each, context) for name, each in told["with"].items()}
        self.run(Path(told["uses"]).name, values)

    def run(self, name: str, called_with: Mapping[str, Any] | None = None) -> None:
        """All jobs of a workflow, each after those that it needs."""
        workflow = yaml.safe_load((WORKFLOWS / name).read_text())
        given = workflow[True]["workflow_call"]["inputs"]
        inputs = {key: each.get("default") for key, each in given.items()} | dict(
            self.inputs if called_with is None else called_with
        )
        needs: dict[str, Any] = {}
        for job, told in workflow["jobs"].items():
            wanted = told.get("needs", [])
            known = {
                each: needs[each] for each in ([wanted] if isinstance(wanted, str) else wanted)
            }
            context = self._context(inputs, known)
            condition = str(told.get("if", "true"))
            failed = any(each["result"] != "success" for each in known.values())
            skipped = failed and "cancelled()" not in condition
            if skipped or not self._value(condition, context):
                needs[job] = {"outputs": {}, "result": "skipped"}
                continue
            if "uses" in told:
                self._nested(told, context)
                needs[job] = {"outputs": {}, "result": "success"}
                continue
            rows = self._matrix(told, context)
            outputs: dict[str, str] = {}
            begun = len(self.ended)
            for row in rows:
                here = context | {"matrix": _Context(row)}
                outputs = self._job(f"{job}-{len(self.ended)}", workflow, told, here)
            codes = [code for name in list(self.ended)[begun:] for code in self.ended[name]]
            result = "failure" if any(codes) else "success"
            needs[job] = {"outputs": outputs, "result": result}

    def _context(self, inputs: Mapping[str, Any], needs: Mapping[str, Any]) -> dict[str, Any]:
        github = {
            "repository": self.repository,
            "token": self.token,
            "api_url": self.api_url,
            "event": self.event,
            "run_id": str(len(self.cache)),
            "server_url": "https://github.example",
        }
        made = {"github": github, "inputs": inputs, "needs": needs, "secrets": self.secrets}
        return {name: _deep(each) for name, each in made.items()}

    def _matrix(self, job: Mapping[str, Any], context: dict[str, Any]) -> list[dict[str, Any]]:
        found = self._value(job.get("strategy", {}).get("matrix", ""), context)
        return list(found["include"]) if found else [{}]

    def _job(
        self,
        name: str,
        workflow: Mapping[str, Any],
        job: Mapping[str, Any],
        context: dict[str, Any],
    ) -> dict[str, str]:
        home = self.folder / name
        home.mkdir(parents=True)
        (home / "event.json").write_text(json.dumps(self.event))
        output, summary = home / "output.txt", home / "summary.md"
        output.touch()
        shared = {
            **self.machine,
            "GITHUB_EVENT_PATH": str(home / "event.json"),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            **self._texts(workflow.get("env", {}), context),
            **self._texts(job.get("env", {}), context),
        }
        codes = self.ended.setdefault(name, [])
        for step in job["steps"]:
            condition = str(step.get("if", "true"))
            if any(codes) and "always()" not in condition:
                continue
            if not self._value(condition, context):
                continue
            env = shared | self._texts(step.get("env", {}), context)
            if "run" in step:
                codes.append(self._run(home, name, str(step["run"]), env))
            else:
                self._use(home, step["uses"], self._texts(step.get("with", {}), context))
            lines = output.read_text().splitlines()
            outputs = _Context(line.split("=", 1) for line in lines)
            if "id" in step:
                context.setdefault("steps", _Context())[step["id"]] = {"outputs": outputs}
        return self._texts(job.get("outputs", {}), context)

    def _run(self, home: Path, name: str, script: str, env: dict[str, str]) -> int:
        assert "${{" not in script, "an expression in a shell script is code of whoever wrote it"
        self.seen.append((name, env))
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=home,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=_STEP_S,
        )
        self.said.append(f"[{name}] {script}\n{done.stdout}{done.stderr}-> {done.returncode}")
        return done.returncode

    def _use(self, home: Path, action: str, given: Mapping[str, str]) -> None:
        name, _, version = action.partition("@")
        assert re.fullmatch("[0-9a-f]{40}", version), f"{action} is not pinned"
        match name:
            case "actions/checkout":
                self._checkout(home, given)
            case "actions/setup-python":
                pass
            case "actions/cache/restore":
                if kept := [each for key, each in self.cache.items() if _restored(key, given)]:
                    (home / given["path"]).write_bytes(kept[-1])
            case "actions/cache/save":
                self.cache[given["key"]] = (home / given["path"]).read_bytes()
            case "actions/upload-artifact":
                self._upload(home, given)
            case "actions/download-artifact":
                self._download(home, given)
            case _:
                raise NotImplementedError(name)

    def _checkout(self, home: Path, given: Mapping[str, str]) -> None:
        assert given["persist-credentials"].lower() == "false"
        repository = given.get("repository") or self.repository
        if repository == "o/export-matrix":
            (home / given["path"]).symlink_to(ROOT)
            return
        source, target = str(self.remotes[repository]), str(home / given["path"])
        subprocess.run(["git", "clone", "-q", source, target], check=True)

    def _upload(self, home: Path, given: Mapping[str, str]) -> None:
        root = home / given["path"]
        if not root.exists():
            assert given.get("if-no-files-found") != "error", f"{root} is not there"
            return
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(root.rglob("*")):
                within = file.relative_to(root)
                if file.is_file() and not any(part.startswith(".") for part in within.parts):
                    archive.write(file, within)
        if given["name"] not in self.lost:
            self.artifacts[given["name"]] = packed.getvalue()

    def _download(self, home: Path, given: Mapping[str, str]) -> None:
        pattern = given.get("name") or given["pattern"]
        for name, content in self.artifacts.items():
            if fnmatch.fnmatch(name, pattern):
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    archive.extractall(home / given["path"])

    def _texts(self, given: Mapping[str, Any], context: dict[str, Any]) -> dict[str, str]:
        values = {name: self._value(each, context) for name, each in given.items()}
        return {name: _text(each) for name, each in values.items()}

    def _value(self, told: object, context: dict[str, Any]) -> Any:  # noqa: ANN401  (JSON)
        if not isinstance(told, str):
            return told
        if whole := _EXPRESSION.fullmatch(told):
            return _evaluated(whole[1], context)
        if "${{" in told:
            return _EXPRESSION.sub(lambda found: _text(_evaluated(found[1], context)), told)
        return _evaluated(told, context) if _is_condition(told) else told


def _restored(key: str, given: Mapping[str, str]) -> bool:
    return key == given["key"] or key.startswith(given["restore-keys"])


def _is_condition(text: str) -> bool:
    return bool(re.search(r"^true$|fromJSON\(|always\(\)|[!=]=", text))


def _evaluated(expression: str, context: dict[str, Any]) -> Any:  # noqa: ANN401  (JSON)
    spelled = re.sub(r"\.([A-Za-z_][\w-]*)", r'["\1"]', expression.strip())
    spelled = spelled.replace("&&", " and ").replace("||", " or ")
    spelled = re.sub(r"!(?!=)", " not ", spelled)
    names = {
        "fromJSON": lambda text: _deep(json.loads(text)) if text else _Context(),
        "always": lambda: True,
        "cancelled": lambda: False,
        "true": True,
        "false": False,
    }
    found = {"matrix": _Context(), "steps": _Context(), **context, **names}
    return eval(spelled, {"__builtins__": {}}, found)


def _deep(value: Any) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, Mapping):
        return _Context({name: _deep(each) for name, each in value.items()})
    return [_deep(each) for each in value] if isinstance(value, list) else value


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def commands(folder: Path) -> Iterator[str]:
    """Folders for PATH: `export-matrix` is this checkout's, and `pip` has nothing to do."""
    folder.mkdir()
    scripts = {
        "export-matrix": f'exec {sys.executable} -m runner.cli "$@"',
        "pip": 'echo "pip $*"',
    }
    for name, line in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    yield str(folder)
    yield from ("/usr/local/bin", "/usr/bin", "/bin")
