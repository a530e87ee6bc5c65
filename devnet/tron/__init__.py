"""A Tron node emulator: java-tron's HTTP surface over a private EVM.

Real: transaction encoding, ids and signatures, block ids and links, reference blocks and
expiration, fees, bandwidth and energy, contract execution, logs, a solid state behind the
head, reorganisations. Not emulated: other nodes, votes and rewards, TRC-10, multi-signature
permissions, dynamic energy, opcodes and precompiles that only Tron has.
"""

from devnet.tron.local import TronChain
from devnet.tron.start import attached, running

__all__ = ["TronChain", "attached", "running"]
