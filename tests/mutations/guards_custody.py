"""Guards of the keystore file, of what is imported into it, of the drill, and of the journal's pace."""

from tests.mutations.mutation import Mutation

_TESTS = "tests/keystore/test_keystore_"
CUSTODY = (
    Mutation(
        "custody: a new passphrase opens the old seal first",
        "keystore/vault.py",
        "    unsealed(document, bytearray(file_key)).wipe()\n",
        "",
        (f"{_TESTS}bits.py::test_a_new_passphrase_does_not_bless_an_altered_entry",),
    ),
    Mutation(
        "custody: a file has one spelling",
        "keystore/vault_file.py",
        " or spelled(document) != raw",
        "",
        (f"{_TESTS}bits.py::test_every_bit_of_a_file_is_guarded_without_the_passphrase",),
    ),
    Mutation(
        "custody: an imported file's MAC is checked",
        "keystore/imported.py",
        "if not hmac.compare_digest(mac,",
        "if False and not hmac.compare_digest(mac,",
        (f"{_TESTS}import.py::test_every_bit_of_ciphertext_iv_and_mac_counts",),
    ),
    Mutation(
        "custody: an imported file's address is its key's",
        "keystore/imported.py",
        "if found.address and",
        "if False and",
        (f"{_TESTS}import.py::test_every_bit_of_ciphertext_iv_and_mac_counts",),
    ),
    Mutation(
        "custody: scrypt's costs are bounded",
        "keystore/imported.py",
        "cost.n & (cost.n - 1) == 0",
        "True",
        (f"{_TESTS}import.py::test_scrypt_costs_are_bounded",),
    ),
    Mutation(
        "custody: the drill compares addresses",
        "keystore/drill.py",
        "(place.address, place.path) == (row.address, row.path)",
        "place.path == row.path",
        (f"{_TESTS}drill.py::test_a_row_that_was_edited_by_hand_is_named",),
    ),
    Mutation(
        "custody: leaves end where hardened children begin",
        "keystore/derivation.py",
        "if not 0 <= index < INDEX_END:",
        "if False:",
        (f"{_TESTS}vectors_seeds.py::test_there_are_no_leaves_beyond_the_child_numbers",),
    ),
    Mutation(
        "custody: the newest number is found by its index",
        "keystore/entries.py",
        "where network = ? and number is not null",
        "where network = ?",
        (f"{_TESTS}journal_cost.py::test_a_signature_costs_the_same_in_a_long_journal",),
    ),
    Mutation(
        "custody: refusals are counted for whoever asks",
        "keystore/server.py",
        "refused=dict(self.refusals)",
        "refused={}",
        (f"{_TESTS}fuzz.py::test_bad_lines_over_the_socket_are_counted_and_change_nothing",),
    ),
)
