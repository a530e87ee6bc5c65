"""Guards of what reaches us in unusual places: beside a canonical account, or named anew."""

from tests.mutations.mutation import Mutation

SAME = "tests/watchers/test_rescan_same.py"
MOVEMENT = "tests/keystore/test_keystore_movement.py"
ALONE = f"{MOVEMENT}::test_what_lies_beside_a_canonical_account_goes_alone_and_nowhere_else"
HOME = (
    "tests/watchers/test_sweep_beside.py::"
    "test_case_62_what_lies_beside_the_canonical_account_is_brought_home_and_counts"
)
DECODE = "tests/networks/solana/test_solana_decode.py"

BESIDE = (
    Mutation(
        guard="a payment read again under another ordinal is the same",
        path="watchers/scan/rescan.py",
        old="            run = await recognised(session, track.network, self._assets(), run)\n            changed",
        new="            changed",
        tests=(f"{SAME}::test_a_payment_read_again_under_another_ordinal_counts_once",),
    ),
    Mutation(
        guard="as many payments are known as there are rows of them",
        path="watchers/scan/same.py",
        old="    del left[ordinal]\n",
        new="",
        tests=(f"{SAME}::test_payments_are_known_by_what_they_say",),
    ),
    Mutation(
        guard="tokens beside a canonical account go alone, and never to the hot wallet",
        path="keystore/movement.py",
        old='    if intent.asset == "native" or len(intent.sources) > 1:\n',
        new="    if False:\n",
        tests=(ALONE,),
    ),
    Mutation(
        guard="an account beside the canonical one is another one",
        path="keystore/networks/solana_sweep.py",
        old="    if account == canonical:\n",
        new="    if False:\n",
        tests=(
            (
                "tests/keystore/test_keystore_solana.py::"
                "test_tokens_beside_the_canonical_account_stay_their_addresss"
            ),
        ),
    ),
    Mutation(
        guard="what was brought home by our own transaction is a deposit",
        path="watchers/scan/inside.py",
        old="    AND NOT coalesce(intent->'sources'->0 ? 'account', false)\n",
        new="",
        tests=(HOME,),
    ),
    Mutation(
        guard="what lay beside is no holding that a sweep takes from",
        path="watchers/reconcile/inside.py",
        old=', ~BESIDE.has_key("account")',
        new="",
        tests=(HOME,),
    ),
    Mutation(
        guard="tokens that an owner brings home count where they arrive",
        path="watchers/networks/solana/gains.py",
        old="        return max(0, arrived)\n",
        new="        return max(0, min(self.units, arrived))\n",
        tests=(
            f"{DECODE}::test_case_62_tokens_moved_between_own_accounts_count_where_a_sweep_reaches_them",
        ),
    ),
    Mutation(
        guard="what our own transaction took is told by the node that is asked",
        path="watchers/scan/rises.py",
        old="    return bool(rose - shown + taken(sent, block) == inside)\n",
        new="    return bool(rose - shown == inside)\n",
        tests=(
            (
                "tests/watchers/test_second_look.py::"
                "test_what_our_own_transaction_took_in_the_same_block_is_told_by_the_second_node"
            ),
        ),
    ),
    Mutation(
        guard="nobody's address is compared, and nothing before the keystore's history is read",
        path="watchers/commands/look.py",
        old="        await require_history(settings, database, network)\n",
        new="",
        tests=(
            (
                "tests/watchers/test_recon_look.py::"
                "test_an_address_of_nobody_and_a_keystore_that_is_not_there_are_refused"
            ),
        ),
    ),
    Mutation(
        guard="what an address that nobody signed holds is paid to nobody",
        path="gateway/desk/ours.py",
        old="        return is_genuine(signed, public_key)\n",
        new="        return True\n",
        tests=(
            "tests/watchers/test_desk.py::test_what_an_address_that_nobody_signed_holds_is_paid_to_nobody",
        ),
    ),
)
