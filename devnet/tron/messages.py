"""The Tron messages that the emulator speaks: field tables, enums and contract types.

Written from the protocol's public field numbers. A contract type that is not here is refused.
"""

from devnet.tron.protobuf import Schema, schema

CONTRACT_TYPES = {
    "AccountCreateContract": 0,
    "TransferContract": 1,
    "TransferAssetContract": 2,
    "AssetIssueContract": 6,
    "CreateSmartContract": 30,
    "TriggerSmartContract": 31,
    "FreezeBalanceV2Contract": 54,
    "UnfreezeBalanceV2Contract": 55,
    "WithdrawExpireUnfreezeContract": 56,
    "DelegateResourceContract": 57,
    "UnDelegateResourceContract": 58,
}
CONTRACT_NAMES = {number: name for name, number in CONTRACT_TYPES.items()}

TYPE_URL_PREFIX = "type.googleapis.com/protocol."

RESULTS = (
    *("DEFAULT", "SUCCESS", "REVERT", "BAD_JUMP_DESTINATION", "OUT_OF_MEMORY"),
    *("PRECOMPILED_CONTRACT", "STACK_TOO_SMALL", "STACK_TOO_LARGE", "ILLEGAL_OPERATION"),
    *("STACK_OVERFLOW", "OUT_OF_ENERGY", "OUT_OF_TIME", "JVM_STACK_OVER_FLOW", "UNKNOWN"),
)

_ENUMS = {
    "ContractType": CONTRACT_NAMES,
    "ContractResult": dict(enumerate(RESULTS)),
    "ResourceCode": dict(enumerate(("BANDWIDTH", "ENERGY", "TRON_POWER"))),
    "EntryType": dict(
        enumerate(
            (
                *("UnknownEntryType", "Constructor", "Function", "Event", "Fallback"),
                *("Receive", "Error"),
            )
        )
    ),
    "Mutability": dict(
        enumerate(("UnknownMutabilityType", "Pure", "View", "Nonpayable", "Payable"))
    ),
}

_MESSAGES = {
    "Any": "1 type_url text; 2 value bytes",
    "Contract": "1 type ContractType; 2 parameter Any; 5 Permission_id int",
    "Raw": (
        "1 ref_block_bytes bytes; 3 ref_block_num int; 4 ref_block_hash bytes;"
        "8 expiration int; 10 data bytes; 11 contract *Contract; 12 scripts bytes;"
        "14 timestamp int; 18 fee_limit int"
    ),
    "Result": "1 fee int; 2 ret int; 3 contractRet ContractResult",
    "Transaction": "1 raw_data Raw; 2 signature *bytes; 5 ret *Result",
    "BlockHeaderRaw": (
        "1 timestamp int; 2 txTrieRoot bytes; 3 parentHash bytes; 7 number int;"
        "9 witness_address address; 10 version int"
    ),
    "AccountCreateContract": "1 owner_address address; 2 account_address address; 3 type int",
    "TransferContract": "1 owner_address address; 2 to_address address; 3 amount int",
    "TransferAssetContract": (
        "1 asset_name name; 2 owner_address address; 3 to_address address; 4 amount int"
    ),
    "AssetIssueContract": (
        "1 owner_address address; 2 name name; 3 abbr name; 4 total_supply int;"
        "5 frozen_supply *FrozenSupply; 6 trx_num int; 7 precision int; 8 num int;"
        "9 start_time int; 10 end_time int; 11 order int; 16 vote_score int;"
        "20 description name; 21 url name; 22 free_asset_net_limit int;"
        "23 public_free_asset_net_limit int; 24 public_free_asset_net_usage int;"
        "25 public_latest_free_net_time int; 41 id text"
    ),
    "FrozenSupply": "1 frozen_amount int; 2 frozen_days int",
    "TriggerSmartContract": (
        "1 owner_address address; 2 contract_address address; 3 call_value int;"
        "4 data bytes; 5 call_token_value int; 6 token_id int"
    ),
    "CreateSmartContract": (
        "1 owner_address address; 2 new_contract SmartContract; 3 call_token_value int;"
        "4 token_id int"
    ),
    "SmartContract": (
        "1 origin_address address; 2 contract_address address; 3 abi ABI; 4 bytecode bytes;"
        "5 call_value int; 6 consume_user_resource_percent int; 7 name text;"
        "8 origin_energy_limit int"
    ),
    "ABI": "1 entrys *Entry",
    "Entry": (
        "1 anonymous bool; 2 constant bool; 3 name text; 4 inputs *Param; 5 outputs *Param;"
        "6 type EntryType; 7 payable bool; 8 stateMutability Mutability"
    ),
    "Param": "1 indexed bool; 2 name text; 3 type text",
    "FreezeBalanceV2Contract": (
        "1 owner_address address; 2 frozen_balance int; 3 resource ResourceCode"
    ),
    "UnfreezeBalanceV2Contract": (
        "1 owner_address address; 2 unfreeze_balance int; 3 resource ResourceCode"
    ),
    "WithdrawExpireUnfreezeContract": "1 owner_address address",
    "DelegateResourceContract": (
        "1 owner_address address; 2 resource ResourceCode; 3 balance int;"
        "4 receiver_address address; 5 lock bool; 6 lock_period int"
    ),
    "UnDelegateResourceContract": (
        "1 owner_address address; 2 resource ResourceCode; 3 balance int;"
        "4 receiver_address address"
    ),
}

TRON: Schema = schema(_MESSAGES, _ENUMS)
