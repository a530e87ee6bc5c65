"""Names of networks that both houses take, and names that both refuse.

Neither house imports the other, so each holds its own rule against these. A name that one takes
and the other refuses is found out only when the first address is asked for.
"""

TAKEN = ("ethereum", "eth_main", "base2", "x", "a_", "n" * 32)
REFUSED = ("eth-main", "Ethereum", "_ethereum", "2base", "n" * 33, "", "été", "a b", "a.b")
