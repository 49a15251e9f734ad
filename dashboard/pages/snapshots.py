"""`/snapshot.sqlite`: what may be seen of the database, as a file that `serve --database` opens.

One is made at a time, and given to all who ask within the next minutes.
"""

import shutil
import time
import weakref
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from dashboard.signin.visitors import require
from runner.core.access import Role
from runner.settings import settings
from runner.store.engine import Engine
from runner.store.snapshots import snapshot

_SECONDS = 600.0


class _Made:
    """The file, in a folder that is made for the first who asks, and goes with this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._path: Path | None = None
        self._alone = Lock()
        self._until = 0.0

    def file(self) -> Path:
        with self._alone:
            path = self._path = self._path or self._place()
            if time.monotonic() >= self._until:
                new = path.with_suffix(".new")
                new.unlink(missing_ok=True)
                snapshot(self._engine, new, runs=settings().snapshot_runs)
                # Who is being sent the earlier one goes on with it.
                new.replace(path)
                self._until = time.monotonic() + _SECONDS
        return path

    def _place(self) -> Path:
        folder = mkdtemp(prefix="export-matrix-snapshot-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder) / "snapshot.sqlite"


def routes(engine: Engine) -> APIRouter:
    router, made = APIRouter(), _Made(engine)

    @router.get("/snapshot.sqlite", response_class=FileResponse, responses=_SQLITE)
    def snapshot_sqlite(request: Request) -> FileResponse:
        """The newest runs and all that is said of them, without anything that is secret."""
        if settings().snapshot == "off":
            raise HTTPException(404, "snapshots are off here (EXPORT_MATRIX_SNAPSHOT)")
        if settings().snapshot == "admin":
            require(request, Role.ADMIN)
        headers = {"Cache-Control": "no-store"}
        return FileResponse(
            made.file(),
            media_type=_MEDIA,
            filename="export-matrix.sqlite",
            headers=headers,
        )

    return router


_MEDIA = "application/vnd.sqlite3"
_SQLITE: dict[int | str, dict[str, object]] = {
    200: {"content": {_MEDIA: {"schema": {"type": "string", "format": "binary"}}}}
}
