"""Answers of the right kind with absurd values, for every question that a watcher asks a node."""

from base64 import b64encode
from random import Random
from typing import Any

ETHEREUM_ID, TRON_ID = "1", "0" * 16 + "a" * 48
SOLANA_ID = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
BIG = (0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**64 - 1, 10**30, -(2**63))
QUANTITIES = (
    *("0x0", "0x1", "0x5208", "0x", "", "0x-1", "zz", "x\x00y", "\u202e"),
    *("0x" + "f" * digits for digits in (8, 64, 65)),
    *("0x" + "0" * 64, "0x" + "0" * 63 + "1", "0x" + "1" * 64),
)
SYSTEM = "11111111111111111111111111111111"
TOKENS = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
TOKENS_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
ACCOUNT_SIZES = (0, 1, 80, 82, 165, 166, 170, 200, 355)


class Absurd:
    """A node that keeps to the protocol and to nothing else; the seed decides what it says."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)

    def one(self, *choices: Any) -> Any:
        """Choose."""
        return self.dice.choice(choices)

    def big(self) -> int:
        """Return a number at some edge."""
        return int(self.dice.choice(BIG))

    def quantity(self) -> str:
        """Return what should be a hexadecimal quantity."""
        return self.dice.choice(QUANTITIES)

    def ethereum(self, method: str, params: list[Any]) -> Any:
        """Answer JSON-RPC of an EVM node."""
        del params
        quantity, one = self.quantity, self.one
        match method:
            case "eth_chainId":
                return hex(int(ETHEREUM_ID))
            case "eth_feeHistory":
                base = one([], [quantity() for _ in range(3)])
                return {"baseFeePerGas": base, "reward": one(None, [], [[quantity()]], [[]])}
            case "eth_getBlockByNumber":
                header = {"hash": "0x" + "1" * 64, "parentHash": "0x0", "miner": "q"}
                times = {"number": quantity(), "timestamp": quantity()}
                return one(None, header | times | {"transactions": []})
            case "eth_getLogs":
                return one(None, [], [{"topics": ["0x0", quantity(), quantity()]}])
            case "eth_getTransactionReceipt":
                known = {"transactionHash": "0x" + "22" * 32, "blockNumber": quantity()}
                return one(None, known)
        return quantity()

    def solana(self, method: str, params: list[Any]) -> Any:
        """Answer JSON-RPC of a Solana node."""
        one, big, context = self.one, self.big, {"slot": self.one(1, 100, self.big())}
        if method == "getMultipleAccounts":
            return {"context": context, "value": [self._account() for _ in params[0]]}
        newest = {"blockhash": one("x", "1" * 44, ""), "lastValidBlockHeight": 1}
        block = {
            "blockhash": "b" * 44,
            "previousBlockhash": "a" * 44,
            "blockTime": big(),
            "blockHeight": big(),
            "parentSlot": one(4, big()),
            "transactions": [],
        }
        answers: dict[str, Any] = {
            "getGenesisHash": SOLANA_ID,
            "getBalance": {"context": context, "value": big()},
            "getRecentPrioritizationFees": one([], [{"slot": 1, "prioritizationFee": big()}]),
            "getLatestBlockhash": {"context": context, "value": newest},
            "getSignatureStatuses": {
                "context": context,
                "value": one([], [None], [{"slot": big()}]),
            },
            "getBlocks": one([], [params[0] if params else 0], [big()]),
            "getBlock": block,
        }
        return answers.get(method, big())

    def tron(self, path: str, query: dict[str, Any]) -> Any:
        """Answer a Tron node's HTTP interface."""
        one, big, quantity = self.one, self.big, self.quantity
        if "getblock" in path:
            if query.get("id_or_num") == "0":
                return {"blockID": TRON_ID, "block_header": {"raw_data": {}}}
            raw = {"number": one(5, big()), "parentHash": "b" * 64, "timestamp": big()}
            name = one(f"{5:016x}" + "a" * 48, "", "zz", "0" * 64)
            return one({}, {"blockID": name, "block_header": {"raw_data": raw}})
        if "getchainparameters" in path:
            names = ("EnergyFee", "TransactionFee", "CreateNewAccountFeeInSystemContract")
            named = [f"get{name}" for name in (*names, "CreateAccountFee", "FreeNetLimit")]
            return {"chainParameter": [{"key": name, "value": big()} for name in named]}
        if "triggerconstant" in path:
            found = one([], ["0" * 63 + "1"], ["z" * 64], ["f" * 64])
            done = {"result": {"result": True}, "transaction": {"ret": [{}]}}
            return done | {"energy_used": big(), "constant_result": found}
        answers: dict[str, Any] = {
            "getaccountresource": {
                name: big()
                for name in ("freeNetUsed", "NetLimit", "EnergyLimit", "TotalEnergyWeight")
            },
            "getaccount": {
                "address": one("41" + "1" * 40, "zz"),
                "balance": big(),
                "type": one("", "Contract"),
                "assetV2": [{"key": "1", "value": big()}],
            },
            "resourceaccountindex": {"toAccounts": one([], ["zz"], ["41" + "1" * 40], [""])},
            "delegatedresourcev2": {
                "delegatedResource": [{"frozen_balance_for_energy": big()}]
            },
            "candelegated": {"max_size": big()},
            "getcontract": {"bytecode": one("zz", "00", "0")},
            "gettransactioninfobyid": {"id": "22" * 32, "blockNumber": big()},
        }
        for part, answer in answers.items():
            if part in path:
                return one({}, answer)
        return {"result": self.big() > 0, "code": one("", quantity()), "message": quantity()}

    def _account(self) -> Any:
        data = bytearray(self.dice.randbytes(self.one(*ACCOUNT_SIZES)))
        for place, values in ((45, (0, 1)), (108, (1, 2)), (165, (1, 2, 3))):
            if len(data) > place:
                data[place] = self.one(*values)
        encoded = self.one("!!", *3 * [b64encode(bytes(data)).decode()])
        return self.one(
            None,
            {
                "lamports": self.big(),
                "owner": self.one(SYSTEM, TOKENS, TOKENS_2022, "x"),
                "data": [encoded, "base64"],
                "executable": False,
                "rentEpoch": self.big(),
                "space": len(data),
            },
        )
