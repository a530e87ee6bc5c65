"""What the OpenAPI document promises is what is answered: Schemathesis, with a fixed seed.

The application is called in its own event loop; Schemathesis generates and judges in a thread.
Half of the cases carry ids of objects that exist, so that most of them get past the 404.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import hypothesis
import pytest
import requests
import schemathesis
from anyio import to_thread
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as conformance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from tests.campaign import Figures
from tests.contract.objects import CATALOGUE, caller
from tests.contract.sides import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(3600)]

SEED = 20261121
REQUESTS, REQUESTS_IN_CAMPAIGN = 1_000, 20_000
CASES_PER_ROUND = 5
ORDER = ("get", "post", "put", "patch", "delete")
FINDINGS_MAX = 20
CHECKS = [
    checks.not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_headers_conformance,
    conformance.response_schema_conformance,
    conformance.negative_data_rejection,
]


@dataclass
class Run:
    """Requests made so far, and what was found."""

    stage: Stage
    loop: asyncio.AbstractEventLoop
    wanted: int
    made: int = 0
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)

    def round(self, schema: OpenApiSchema, number: int) -> None:
        """Put some cases to every operation, deletions last."""
        operations = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
        operations.sort(key=lambda each: (ORDER.index(each.method), each.path))
        for operation in operations:
            if self.made < self.wanted:
                self.put(operation, SEED + number)

    def put(self, operation: Any, seed: int) -> None:
        """Put the cases of one seed to one operation."""

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=CASES_PER_ROUND,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
            database=None,
            deadline=None,
        )
        @hypothesis.given(case=self._cases(operation))
        def judged(case: Any) -> None:
            if self.made < self.wanted:
                self._judge(case)

        judged()

    def _cases(self, operation: Any) -> st.SearchStrategy[Any]:
        known = {**CATALOGUE, **self.stage.mine.ids, "merchant_id": self.stage.mine.merchant_id}
        positive, negative = (
            schemathesis.GenerationMode.POSITIVE,
            schemathesis.GenerationMode.NEGATIVE,
        )
        names = [parameter.name for parameter in operation.path_parameters]
        ways = [operation.as_strategy(generation_mode=positive)]
        if names and set(names) <= set(known):
            real = {name: known[name] for name in names}
            ways.append(operation.as_strategy(generation_mode=positive, path_parameters=real))
        if operation.body or operation.query:
            ways.append(operation.as_strategy(generation_mode=negative))
        return st.one_of(ways)

    def _judge(self, case: Any) -> None:
        self.made += 1
        answer = self._answer(case)
        label = f"{case.operation.method.upper()} {case.operation.path}"
        self.answers[label, answer.status_code] += 1
        if answer.status_code >= 400:
            kind = answer.headers.get("content-type")
            if kind != "application/problem+json":
                self.findings[f"{label}: refused as {kind}"] = answer.text[:300]
        try:
            case.validate_response(answer, checks=CHECKS)
        except (Failure, FailureGroup) as found:
            faults = found.exceptions if isinstance(found, FailureGroup) else [found]
            for fault in faults:
                title = f"{label}: {fault.title} {answer.status_code}"
                if len(self.findings) < FINDINGS_MAX:
                    self.findings.setdefault(title, str(found))

    def _answer(self, case: Any) -> httpx.Response:
        key = caller(self.stage, case.operation.definition.raw, case.operation.path)
        arguments = case.as_transport_kwargs(base_url="http://gateway")
        prepared = requests.Request(**arguments).prepare()
        headers = dict(prepared.headers)
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        if case.operation.method == "post" and not case.meta.generation.mode.is_negative:
            headers["Idempotency-Key"] = str(self.made)
        sent = self.stage.shop.client.request(
            prepared.method or "",
            prepared.url or "",
            headers=headers,
            content=prepared.body,
        )
        return asyncio.run_coroutine_threadsafe(sent, self.loop).result()


@pytest.mark.campaign
async def test_what_is_answered_is_what_is_documented(
    stage: Stage, long: bool, figures: Figures
) -> None:
    """No 5xx, no status, type, header or body beside the document; refusals are problems."""
    config = schemathesis.Config(seed=SEED)
    rejection = config.projects.default.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "413"]
    config.projects.default.generation.update(with_security_parameters=False, database="none")
    schema = schemathesis.openapi.from_dict(stage.document, config=config)
    run = Run(stage, asyncio.get_running_loop(), REQUESTS_IN_CAMPAIGN if long else REQUESTS)
    number = 0
    while run.made < run.wanted:
        await to_thread.run_sync(run.round, schema, number)
        number += 1
    asked = {label for label, _ in run.answers}
    accepted = {label for (label, status) in run.answers if status < 300}
    figures(
        f"schemathesis: {run.made} requests to {len(asked)} operations, {len(accepted)} accepted one"
    )
    paths = stage.document["paths"]
    assert asked == {f"{m.upper()} {path}" for path, methods in paths.items() for m in methods}
    assert not run.findings, "\n\n".join(f"{k}\n{v}" for k, v in run.findings.items())
