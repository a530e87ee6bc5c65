"""What is left to do about tokens beside the canonical account of an address of ours (Solana).

The keystore brings them home for the pool addresses that it derives, and for no wallet of the house.
"""

GATHER = "`watchers sweeps NETWORK --gather ID` brings it to where it counts"
STAYS = (
    "the keystore signs nothing for such an account of the operator's own wallet, so it stays there: "
    "a program that moves it by the wallet's words knows every key of the house"
)
