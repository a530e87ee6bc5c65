"""A seed as words a person can write down: BIP-39, 24 English words for 256 bits."""

from bip_utils import (
    Bip39Languages,
    Bip39MnemonicDecoder,
    Bip39MnemonicGenerator,
    MnemonicChecksumError,
)

from keystore.refusal import Unfit


def words_of(entropy: bytes | bytearray) -> list[str]:
    """Return the words of a seed, its checksum in the last one."""
    generator = Bip39MnemonicGenerator(Bip39Languages.ENGLISH)
    return str(generator.FromEntropy(bytes(entropy))).split()


def entropy_of(text: str, field: str) -> bytearray:
    """Read words back; raise `Unfit` naming `field`, and never the words."""
    spelled = " ".join(text.lower().split())
    try:
        return bytearray(Bip39MnemonicDecoder(Bip39Languages.ENGLISH).Decode(spelled))
    except MnemonicChecksumError:
        raise Unfit(
            f"{field}: the words' checksum is wrong: one is misspelled or moved"
        ) from None
    except ValueError:
        raise Unfit(f"{field}: not 12 to 24 words of the BIP-39 English list") from None


def places_to_check(words: int, random: bytes, count: int = 3) -> list[int]:
    """Choose `count` different places among `words` to ask for again, from random bytes."""
    chosen: list[int] = []
    for value in random:
        if value % words not in chosen:
            chosen.append(value % words)
        if len(chosen) == count:
            break
    return sorted(chosen)
