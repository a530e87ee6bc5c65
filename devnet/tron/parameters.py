"""Chain parameters as `getchainparameters` lists them; values of the mainnet. Unit: sun."""

SUN_PER_TRX = 1_000_000

BANDWIDTH_PRICE = 1_000
"""Per byte, once free and staked bandwidth do not cover a transaction."""
ENERGY_PRICE = 100
FREE_BANDWIDTH = 600
"""Bytes per account and day."""
CREATE_ACCOUNT_FEE = 100_000
"""In place of bandwidth where a transfer creates its recipient."""
NEW_ACCOUNT_FEE = 1_000_000
"""On top of `CREATE_ACCOUNT_FEE`."""
MEMO_FEE = 1_000_000
ASSET_ISSUE_FEE = 1_024_000_000
FEE_LIMIT_MAX = 15_000_000_000
TOTAL_BANDWIDTH = 43_200_000_000
TOTAL_ENERGY = 180_000_000_000
# Staked by everybody, in TRX. Fixed, so that a stake yields about what it does on the mainnet.
TOTAL_BANDWIDTH_STAKE = 26_000_000_000
TOTAL_ENERGY_STAKE = 19_000_000_000
UNFREEZE_DELAY_DAYS = 14

ENERGY_FACTOR_MAX = 34_000
"""Of a busy contract, in ten-thousandths on top of what its code uses."""
CODE_ENERGY_PER_BYTE = 200
"""For storing the code of a new contract."""
RECOVERY_MS = 86_400_000
"""Used bandwidth and energy come back over a day."""
EXPIRATION_MS = 60_000
"""A transaction that the node makes expires so long after the head block."""
EXPIRATION_MS_MAX = 86_400_000
"""At most so long after it any may expire."""
TRANSACTION_BYTES_MAX = 512_000

CHAIN_PARAMETERS = {
    "getCreateAccountFee": CREATE_ACCOUNT_FEE,
    "getTransactionFee": BANDWIDTH_PRICE,
    "getCreateNewAccountFeeInSystemContract": NEW_ACCOUNT_FEE,
    "getEnergyFee": ENERGY_PRICE,
    "getMaxFeeLimit": FEE_LIMIT_MAX,
    "getMemoFee": MEMO_FEE,
    "getFreeNetLimit": FREE_BANDWIDTH,
    "getTotalNetLimit": TOTAL_BANDWIDTH,
    "getTotalEnergyLimit": TOTAL_ENERGY,
    "getTotalEnergyCurrentLimit": TOTAL_ENERGY,
    "getUnfreezeDelayDays": UNFREEZE_DELAY_DAYS,
    "getAssetIssueFee": ASSET_ISSUE_FEE,
    "getAllowDynamicEnergy": 1,
    "getDynamicEnergyThreshold": 5_000_000_000,
    "getDynamicEnergyIncreaseFactor": 2_000,
    "getDynamicEnergyMaxFactor": ENERGY_FACTOR_MAX,
    "getMaxDelegateLockPeriod": 864_000,
    "getAllowTvmConstantinople": 1,
    "getAllowStakingV2": 1,
    "getForbidTransferToContract": 1,
}
