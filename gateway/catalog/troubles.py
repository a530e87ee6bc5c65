"""What troubles watchers and holds assets back, in the worker's metrics: as their rows say."""

import time
from functools import partial

from prometheus_client import CollectorRegistry, Gauge

from gateway.catalog import repository
from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment

SCAN = "scan"


class Troubles:
    """One series for each task that waits, each network's last sign of life, and each hold."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting = Gauge(
            "gateway_watcher_waiting",
            "1 for each task of a watcher that waits for something in the world.",
            ["network", "task"],
            registry=registry,
        )
        self._age = Gauge(
            "gateway_watcher_age_seconds",
            "Time since a network's watcher published how far it has come.",
            ["network"],
            registry=registry,
        )
        self._held = Gauge(
            "gateway_asset_held",
            "1 for each cause that lets payouts of a payment method wait until somebody looked.",
            ["payment_method", "cause"],
            registry=registry,
        )

    async def round(self, database: Database, moment: Moment) -> None:
        """Read what the watchers published."""
        async with database.unit_of_work(CROSS_TENANT) as session:
            rows = await repository.published_health(session)
            held = await repository.causes_of_holds(session)
        self._held.clear()
        for payment_method, causes in held.items():
            for cause in causes:
                self._held.labels(payment_method, cause).set(1)
        self._waiting.clear()
        for row in rows:
            waiting = [*row.troubles, *([SCAN] if row.trouble is not None else [])]
            for task in waiting:
                self._waiting.labels(row.network_id, task).set(1)
            heard = time.monotonic() - (moment.at - row.updated_at).total_seconds()
            # It grows where nobody can look any more, too.
            self._age.labels(row.network_id).set_function(partial(_since, heard))


def _since(instant: float) -> float:
    return time.monotonic() - instant
