"""`keystore approve` and `keystore approver-key`: a person, a key of one's own, a yes or a no."""

import argparse
import getpass
import os
import re
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keystore import settings
from keystore.api import order_message
from keystore.approving import key_file, show
from keystore.approving.wire import Denied, Document, Gateway, address_of
from keystore.refusal import Unfit

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
PASSPHRASE_BYTES_MIN = 12


def run(asked: argparse.Namespace) -> None:
    """Do what the command line says."""
    if asked.command == "approver-key":
        public = key_file.create(asked.file, _new_passphrase(asked), os.urandom)
        print(f"public key for the policy: {public}")
        return
    if asked.yes and asked.order is None:
        raise Unfit("--yes: only with --order: nobody approves what was not named")
    if asked.refuse is not None and asked.order is None:
        raise Unfit("--refuse: only with --order")
    if not (asked.yes or asked.refuse) and not sys.stdin.isatty():
        raise Unfit("approve: there is no terminal to ask at; --yes answers for one --order")
    if NAME.fullmatch(asked.name) is None:
        raise Unfit("--name: up to 64 of A-Z, a-z, 0-9, ., _ and -")
    file = key_file.read(asked.key)
    key = key_file.opened(file, b"" if file.seed is not None else _passphrase(asked))
    gateway = Gateway(address_of(asked.url), asked.name, key, _unix_seconds, asked.ca)
    try:
        _through(gateway, asked, key)
    except Denied as fault:
        raise Unfit(f"gateway: {show.letters(str(fault))}") from fault


def _through(gateway: Gateway, asked: argparse.Namespace, key: Ed25519PrivateKey) -> None:
    one: str | None = asked.order
    found = gateway.waiting() if one is None else [gateway.order(one)]
    print(f"{len(found)} to look at" if found else "nothing waits for anybody")
    for document in found:
        show.require_readable(document)
        print()
        for line in show.lines(document):
            print(line)
        _one(gateway, asked, key, document)


def _one(
    gateway: Gateway, asked: argparse.Namespace, key: Ed25519PrivateKey, document: Document
) -> None:
    reason = _against(asked, document) or _another(asked, document)
    if reason is not None:
        if asked.order is not None:
            raise Unfit(reason)
        print(reason)
        return
    if asked.refuse is not None:
        _told(gateway.refuse(document.id, asked.refuse))
        return
    said = "y" if asked.yes else input("Approve (y), refuse (r), leave it (Enter)? ").strip()
    if said == "y":
        # What was shown, never bytes that the gateway sent.
        signature = key.sign(order_message(document.order)).hex()
        _told(gateway.approve(document.id, signature))
    elif said == "r":
        _told(gateway.refuse(document.id, input("Why? ").strip()))
    else:
        print("left as it is")


def _against(asked: argparse.Namespace, document: Document) -> str | None:
    """Return why this person has nothing to say to this order."""
    if document.own_request or document.order.requested_by in {asked.name, asked.subject}:
        return "four eyes: this is your own request; somebody else has to approve it"
    if document.order.expires_ms <= _unix_seconds() * 1000:
        return "expired: another revision will be asked for"
    if asked.refuse is None and asked.name in document.approved_by:
        return "you have approved it already"
    if document.status not in {"waiting", "approved"}:
        return f"nothing to say any more: it is {show.letters(document.status)}"
    return None


def _another(asked: argparse.Namespace, document: Document) -> str | None:
    """Say whether the gateway sent another order than the one that was asked for."""
    if asked.order is not None and document.id != asked.order:
        return f"the gateway sent {show.letters(document.id)}, not {asked.order}"
    if asked.yes is not None and asked.yes.lower() != show.digest(document.order):
        return "--yes: this order has another digest: it is not the one that you looked at"
    return None


def _told(document: Document) -> None:
    have, need = document.approvals.have, document.approvals.need
    print(f"{show.letters(document.status)}: {have} of {need}")


def _new_passphrase(asked: argparse.Namespace) -> bytes:
    if asked.no_passphrase:
        return b""
    if asked.passphrase_file is not None:
        typed = settings.read_passphrase(asked.passphrase_file)
    elif sys.stdin.isatty():
        typed = getpass.getpass("Passphrase of the new key: ").encode()
        if getpass.getpass("Once more: ").encode() != typed:
            raise Unfit("passphrase: the two differ")
    else:
        raise Unfit("--passphrase-file or --no-passphrase: there is no terminal to ask at")
    if len(typed) < PASSPHRASE_BYTES_MIN:
        raise Unfit(f"passphrase: must have at least {PASSPHRASE_BYTES_MIN} bytes")
    return typed


def _passphrase(asked: argparse.Namespace) -> bytes:
    file: Path | None = asked.passphrase_file
    if file is not None:
        return settings.read_passphrase(file)
    if not sys.stdin.isatty():
        raise Unfit("--passphrase-file: is not given, and there is no terminal to ask at")
    return getpass.getpass("Passphrase of your key: ").encode()


def _unix_seconds() -> int:
    return time.time_ns() // 1_000_000_000
