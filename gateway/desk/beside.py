"""What is left to do about tokens beside the canonical account of an address of ours (Solana).

The keystore brings them home for the pool addresses that it derives, and for no wallet of the house.
"""

GATHER = "`watchers sweeps NETWORK --gather ID` brings it to where it counts"
STAYS = (
    "the keystore gathers for pool addresses alone, so it stays there: a program that moves it by its "
    "wallet's words knows every key that comes of them"
)
