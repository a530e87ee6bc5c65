"""A seed as words a person can write down: BIP-39 English, 24 of them for 256 bits."""

from bip_utils import (
    Bip39Languages,
    Bip39MnemonicDecoder,
    Bip39MnemonicGenerator,
    MnemonicChecksumError,
)
from bip_utils.bip.bip39.bip39_mnemonic_utils import Bip39WordsListGetter

from keystore.refusal import Unfit

COUNTS = (12, 15, 18, 21, 24)
_LIST = Bip39WordsListGetter().GetByLanguage(Bip39Languages.ENGLISH)


def words_of(entropy: bytes | bytearray) -> list[str]:
    """Return the words of a seed, its checksum in the last one."""
    generator = Bip39MnemonicGenerator(Bip39Languages.ENGLISH)
    return str(generator.FromEntropy(bytes(entropy))).split()


def entropy_of(text: str, field: str) -> bytearray:
    """Read words back, on one line or many.

    Raises `Unfit` naming `field` and, where it can be known, the place of the word; never a
    word itself.
    """
    words: list[str] = []
    for number, line in enumerate(text.lower().splitlines(), start=1):
        for word in line.split():
            words.append(word)
            if not _is_listed(word):
                place = f"{field}: word {len(words)} (line {number})"
                raise Unfit(f"{place} is not of the BIP-39 English list")
    if len(words) not in COUNTS:
        raise Unfit(f"{field}: {len(words)} words; there must be 12, 15, 18, 21 or 24")
    try:
        decoder = Bip39MnemonicDecoder(Bip39Languages.ENGLISH)
        return bytearray(decoder.Decode(" ".join(words)))
    except MnemonicChecksumError:
        raise Unfit(
            f"{field}: the words' checksum is wrong: each of the {len(words)} is on the list, "
            "but one is another one, or two changed places"
        ) from None


def places_to_check(words: int, random: bytes, count: int = 3) -> list[int]:
    """Choose `count` different places among `words` to ask for again, from random bytes."""
    chosen: list[int] = []
    for value in random:
        if value % words not in chosen:
            chosen.append(value % words)
        if len(chosen) == count:
            break
    return sorted(chosen)


def _is_listed(word: str) -> bool:
    try:
        _LIST.GetWordIdx(word)
    except ValueError:
        return False
    return True
