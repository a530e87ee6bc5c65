"""Calls that build, simulate and broadcast transactions."""

import json
from typing import Any

from eth_hash.auto import keccak

from devnet.tron import address, forms
from devnet.tron.energy import penalty
from devnet.tron.evm import GAS_MAX, Call, Run
from devnet.tron.execution import MESSAGES
from devnet.tron.forms import Json, text
from devnet.tron.parameters import EXPIRATION_MS
from devnet.tron.protobuf import Message
from devnet.tron.query import Query
from devnet.tron.reads import Handler
from devnet.tron.transaction import (
    BadSignature,
    Transaction,
    raw_data,
    read,
    read_whole,
    reference,
    signer,
)
from devnet.tron.validation import Refused, check_contract

SELECTOR_BYTES = 4


def _unsigned(query: Query, kind: str, value: Message, **fields: Any) -> Transaction:
    node = query.node
    memo = query.text("extra_data")
    if memo:
        fields["data"] = memo.encode() if query.visible else bytes.fromhex(memo)
    return read(
        raw_data(
            kind,
            value,
            **reference(node.head.id),
            expiration=node.head.time_ms + EXPIRATION_MS,
            timestamp=node.now_ms(),
            permission_id=query.number("Permission_id"),
            **fields,
        )
    )


def building(kind: str) -> Handler:
    """Return the call that builds an unsigned transaction with this contract."""

    async def build(query: Query) -> Json:
        value = forms.from_json(kind, dict(query.fields), visible=query.visible)
        transaction = _unsigned(query, kind, value)
        state = query.node.view(solid=False).state
        balance = await query.node.evm.balance(transaction.owner, state.mark)
        try:
            check_contract(transaction, state.world, balance)
        except Refused as refusal:
            fault = "class org.tron.core.exception.ContractValidateException"
            return {"Error": f"{fault} : {refusal.message}"}
        return _built(transaction, query)

    return build


def _built(transaction: Transaction, query: Query) -> Json:
    document = forms.transaction(transaction, visible=query.visible)
    return {"visible": query.visible, **document}


def _call(query: Query) -> Call:
    data = query.hex("data")
    if selector := query.text("function_selector"):
        data = keccak(selector.encode())[:SELECTOR_BYTES] + query.hex("parameter")
    return Call(
        query.address("owner_address"),
        query.address("contract_address"),
        data,
        query.number("call_value"),
    )


def _trigger(call: Call) -> Message:
    return {
        "owner_address": call.sender,
        "contract_address": call.recipient,
        "call_value": call.value,
        "data": call.data,
    }


def _no_contract(query: Query, message: str) -> Json:
    code = "CONTRACT_VALIDATE_ERROR"
    return {"result": {"code": code, "message": text(message, visible=query.visible)}}


async def trigger_constant_contract(query: Query) -> Json:
    """Run a call without effects in the state of this tree."""
    call, state = _call(query), query.view.state
    if call.recipient not in state.world.contracts:
        return _no_contract(query, "Smart contract is not exist.")
    run = await query.node.evm.try_run(call, GAS_MAX, state.mark)
    extra = penalty(run, GAS_MAX, state.world.factors.get(call.recipient, 0))
    transaction = _built(_unsigned(query, "TriggerSmartContract", _trigger(call)), query)
    result: Json = {"result": True}
    if run.error:
        result["message"] = text(_why(run), visible=query.visible)
    return {
        "result": result,
        "energy_used": run.energy + extra,
        **({"energy_penalty": extra} if extra else {}),
        "constant_result": [run.output.hex()],
        "transaction": {**transaction, "ret": [{"ret": "FAILED"} if run.error else {}]},
    }


def _why(run: Run) -> str:
    return MESSAGES["REVERT"].decode() if "revert" in run.error else run.error


async def estimate_energy(query: Query) -> Json:
    """Say how much energy a call needs."""
    call, state = _call(query), query.view.state
    if call.recipient not in state.world.contracts:
        return _no_contract(query, "Smart contract is not exist.")
    run = await query.node.evm.try_run(call, GAS_MAX, state.mark)
    if run.error:
        message = text(_why(run), visible=query.visible)
        return {"result": {"code": "CONTRACT_EXE_ERROR", "message": message}}
    extra = penalty(run, GAS_MAX, state.world.factors.get(call.recipient, 0))
    return {"result": {"result": True}, "energy_required": run.energy + extra}


async def trigger_smart_contract(query: Query) -> Json:
    """Build a contract call."""
    call = _call(query)
    if call.recipient not in query.view.state.world.contracts:
        message = "Contract validate error : No contract or not a valid smart contract"
        return _no_contract(query, message)
    fee_limit = query.number("fee_limit")
    transaction = _unsigned(query, "TriggerSmartContract", _trigger(call), fee_limit=fee_limit)
    return {"result": {"result": True}, "transaction": _built(transaction, query)}


async def get_sign_weight(query: Query) -> Json:
    """Say who may sign a transaction, and its id, which tronpy signs unseen."""
    transaction = forms.transaction_from_json(dict(query.fields), visible=query.visible)
    answer: Json = {
        "result": {"code": "NOT_ENOUGH_PERMISSION"},
        "transaction": {
            "result": {"result": True},
            "txid": transaction.id,
            "transaction": forms.transaction(transaction, visible=query.visible),
        },
    }
    if transaction.owner not in query.view.state.world.accounts:
        problem = {"code": "PERMISSION_ERROR", "message": "Account does not exist!"}
        return {**answer, "result": problem}
    shown = address.shown(transaction.owner, visible=query.visible)
    keys = [{"address": shown, "weight": 1}]
    answer["permission"] = {"permission_name": "owner", "threshold": 1, "keys": keys}
    try:
        approved = [signer(transaction, signature) for signature in transaction.signatures]
    except BadSignature as trouble:
        return {**answer, "result": {"code": "SIGNATURE_FORMAT_ERROR", "message": str(trouble)}}
    if approved == [transaction.owner]:
        answer |= {"result": {}, "current_weight": 1, "approved_list": [shown]}
    return answer


async def broadcast_transaction(query: Query) -> Json:
    """Take a signed transaction as JSON."""
    transaction = forms.transaction_from_json(dict(query.fields), visible=query.visible)
    refusal = await _submitted(query, transaction)
    if refusal is None:
        return {"result": True, "txid": transaction.id}
    message = text(refusal.message, visible=query.visible)
    return {"code": refusal.code, "txid": transaction.id, "message": message}


async def broadcast_hex(query: Query) -> Json:
    """Take a signed transaction as encoded bytes."""
    transaction = read_whole(query.hex("transaction"))
    refusal = await _submitted(query, transaction)
    return {
        "result": refusal is None,
        "code": refusal.code if refusal else "SUCCESS",
        "message": refusal.message if refusal else "",
        "transaction": json.dumps(forms.transaction(transaction, visible=True)),
        "txid": transaction.id,
    }


async def _submitted(query: Query, transaction: Transaction) -> Refused | None:
    try:
        await query.node.submit(transaction)
    except Refused as refusal:
        return refusal
    return None


CALLS: dict[str, Handler] = {
    "triggerconstantcontract": trigger_constant_contract,
    "estimateenergy": estimate_energy,
    "triggersmartcontract": trigger_smart_contract,
    "getsignweight": get_sign_weight,
    "broadcasttransaction": broadcast_transaction,
    "broadcasthex": broadcast_hex,
    "createtransaction": building("TransferContract"),
    "transferasset": building("TransferAssetContract"),
    "createassetissue": building("AssetIssueContract"),
    "createaccount": building("AccountCreateContract"),
    "freezebalancev2": building("FreezeBalanceV2Contract"),
    "unfreezebalancev2": building("UnfreezeBalanceV2Contract"),
    "withdrawexpireunfreeze": building("WithdrawExpireUnfreezeContract"),
    "delegateresource": building("DelegateResourceContract"),
    "undelegateresource": building("UnDelegateResourceContract"),
}
