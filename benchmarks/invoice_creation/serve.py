"""One server process: `python -m benchmarks.invoice_creation.serve ours|peer FILE PORT`."""

import os
import sys
from pathlib import Path
from typing import Any, TextIO

import uvicorn

from benchmarks.invoice_creation import fastapi_orm
from benchmarks.invoice_creation.shop import read_settings
from gateway import garbage, logs
from gateway.app import create_api
from gateway.commands.api import IDLE_SECONDS
from gateway.db import Database
from gateway.postgres.url import role_url


def main() -> None:
    """Serve until told to stop."""
    which, file, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    with Path(os.devnull).open("w") as nowhere:
        _serve(which, file, port, nowhere)


def _serve(which: str, file: Path, port: int, nowhere: TextIO) -> None:
    logs.configure("info", stream=nowhere)  # a line for each request, as operators have it
    settings = read_settings(file)
    app: Any
    if which == "ours":
        database = Database(
            role_url(settings, "api"),
            pool_size=settings.database.pool_size,
            idle_seconds=IDLE_SECONDS,
        )
        app = create_api(settings, database).asgi
    else:
        app = fastapi_orm.create_app(settings)
    # From here on as `gateway api` does, for the peer too.
    garbage.settle()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
