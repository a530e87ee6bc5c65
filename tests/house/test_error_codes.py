"""Every code that a problem may have stands in `docs/errors.md` under its status, and no other does."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import get_args

from gateway.catalog.availability import NETWORK_LAGGING, POOL_EMPTY, PRICE_STALE, SUSPENDING
from gateway.domain.addresses import AddressFault
from gateway.domain.errors import Refusal
from gateway.http.errors import _CODES
from gateway.merchants.referrers import _WORDS

ROOT = Path(__file__).parent.parent.parent
INVALID = 422
UNAVAILABLE = 503
FOREIGN = {
    # Where a code is no constant: what it may be instead. `None` passes on what was raised before.
    "gateway/address_book/payable.py: fault.code": get_args(AddressFault),
    "gateway/http/errors.py: _CODES[status]": None,
    "gateway/http/errors.py: code": None,
    "gateway/http/errors.py: refusal.code": None,
    "gateway/http/reading.py: code": ("type", "invalid"),
    "gateway/domain/errors.py: code": None,
    "gateway/invoices/offers.py: faults[0].code": None,
    "gateway/invoices/offers.py: refused[name]": None,
    "gateway/merchants/referrers.py: refusal": tuple(_WORDS),
    "gateway/subscriptions/service.py: fault.code": None,
    "gateway/withdrawals/batches.py: fault.code": None,
    "gateway/withdrawals/batches.py: refusal.code": None,
    "gateway/withdrawals/destinations.py: finding.refusal": None,
}
"""By file and expression."""

Pair = tuple[int, str]


def documented() -> set[Pair]:
    """Return status and code of every row; a row may name the status where its section does not."""
    found: set[Pair] = set()
    section = 0
    for line in (ROOT / "docs" / "errors.md").read_text().splitlines():
        if heading := re.match(r"## (\d{3}):", line):
            section = int(heading.group(1))
        elif line.startswith("## "):
            section = 0
        elif row := re.match(r"\| `(\w+)` \| (?:(\d{3}): )?\S", line):
            found.add((int(row.group(2) or section), row.group(1)))
    return found


def classes() -> dict[str, type[Refusal]]:
    """Return every kind of refusal by its name."""
    import_module("gateway.app")  # it imports every room, and so every refusal
    found, waiting = {}, [Refusal]
    while waiting:
        kind = waiting.pop()
        if kind.__module__.startswith("gateway."):
            found[kind.__name__] = kind
        waiting += kind.__subclasses__()
    return found


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Yield every module of the gateway by its path."""
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def constants() -> dict[str, str]:
    """Return what names in capitals stand for, where it is a word."""
    return {
        target.id: node.value.value
        for _, tree in trees()
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }


def name_of(function: ast.expr) -> str:
    """Return `Conflict` or `Invalid.field`, nothing for what is called in any other way."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def code_of(call: ast.Call, kinds: dict[str, type[Refusal]]) -> tuple[int, ast.expr] | None:
    """Return the status and the code that a call makes a refusal of, None where it says none."""
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    name = name_of(call.func)
    if name in {"Invalid.field", "FieldFault"}:
        return INVALID, named.get("code") or call.args[1]
    if name == "problem":
        return 400, call.args[2]
    if name in kinds and "code" in named:
        return kinds[name].status, named["code"]
    return None


def raised() -> tuple[set[Pair], set[str]]:
    """Return status and code of everything that is raised, and the expressions that are no constants."""
    kinds, words = classes(), constants()
    found = {(kind.status, kind.code) for kind in kinds.values()}
    strange: set[str] = set()
    for path, tree in trees():
        for node in ast.walk(tree):
            said = code_of(node, kinds) if isinstance(node, ast.Call) else None
            if said is None:
                continue
            status, code = said
            text = ast.unparse(code)
            if isinstance(code, ast.Constant):
                found.add((status, str(code.value)))
            elif text in words:
                found.add((status, words[text]))
            else:
                strange.add(f"{path}: {text}")
                found |= {(status, each) for each in FOREIGN.get(f"{path}: {text}") or ()}
    return found, strange


def findings() -> set[str]:
    """Return what networks say of destinations that cannot receive."""
    found: set[str] = set()
    for path in (ROOT / "watchers" / "networks").glob("*/destination.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and name_of(node.func) == "Finding":
                words = node.args[1:2]
            elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
                words = node.value.elts[:1]
            else:
                continue
            found |= {str(word.value) for word in words if isinstance(word, ast.Constant)}
    return found


def test_every_code_is_in_the_docs_and_no_other() -> None:
    """Programs go by them: one that is raised under a status and not told of is a surprise."""
    told, (known, strange) = documented(), raised()
    assert strange == set(FOREIGN)
    assert len(findings()) > 5
    known |= {(INVALID, word) for word in findings()}
    known |= set(_CODES.items())
    reasons = {NETWORK_LAGGING, POOL_EMPTY, PRICE_STALE, *SUSPENDING.values()}
    known |= {(UNAVAILABLE, word) for word in reasons}
    assert told - known == set()
    assert known - told == set()
