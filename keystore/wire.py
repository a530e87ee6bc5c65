"""Lines to requests and results to lines: the envelope of `keystore.api`, strictly read."""

from typing import Any

import msgspec

from keystore import api
from keystore.refusal import Refused

VERSION = 1
BRACKETS_MAX = 32
METHODS: dict[str, type[api.Request]] = {
    "status": api.StatusRequest,
    "wallets": api.WalletsRequest,
    "derive_pool": api.DerivePoolRequest,
    "sign": api.SignRequest,
    "sign_nonce_setup": api.SignNonceSetupRequest,
    "history": api.HistoryRequest,
    "rules": api.RulesRequest,
}


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request line: `params` is read by the type that `method` names."""

    v: int
    method: str
    params: msgspec.Raw


def request_line(request: api.Request) -> bytes:
    """Spell a request as one line."""
    params: dict[str, Any] = msgspec.to_builtins(request)
    body = {"v": VERSION, "method": params.pop("method"), "params": params}
    return msgspec.json.encode(body) + b"\n"


def read_request(line: bytes) -> api.Request:
    """Read one line; raise `Refused` (`malformed`, `unknown_method`)."""
    if line.count(b"{") + line.count(b"[") > BRACKETS_MAX:
        # Decoders recurse in C: what nests deeper than any request is not even looked at.
        raise Refused("malformed", "the line is not one JSON document")
    try:
        envelope = msgspec.json.decode(line, type=Envelope)
        if envelope.v != VERSION:
            raise Refused("malformed", f"v: this keystore speaks version {VERSION}")
        kind = METHODS.get(envelope.method)
        if kind is None:
            raise Refused("unknown_method", "method: not one of " + ", ".join(METHODS))
        return msgspec.json.decode(envelope.params, type=kind)
    except msgspec.ValidationError as fault:
        raise Refused("malformed", _without_values(str(fault))) from fault
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise Refused("malformed", "the line is not one JSON document") from fault


def result_line(result: msgspec.Struct) -> bytes:
    """Spell a result as one line."""
    return _line(api.Reply(result=msgspec.Raw(msgspec.json.encode(result))))


def refusal_line(code: str, message: str) -> bytes:
    """Spell a refusal as one line."""
    return _line(api.Reply(error=api.ErrorBody(code=code, message=message)))


def _line(reply: api.Reply) -> bytes:
    return msgspec.json.encode(reply) + b"\n"


def _without_values(sentence: str) -> str:
    """Keep msgspec's words about types and places, at a length fit for a log line."""
    return sentence[:200]
