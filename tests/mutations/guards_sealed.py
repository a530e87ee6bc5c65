"""Guards of holds that go back: blocks proved by their own ids, signed by the chain's witnesses."""

from tests.mutations.mutation import Mutation

PROOF = "tests/watchers/test_pay_proof.py"
HIDDEN = "tests/watchers/test_pay_hidden.py"
TURNS = "tests/watchers/test_pay_turns_to_prove.py"
ROOT = "tests/networks/tron/test_tron_root.py"
LEFT_OUT = f"{HIDDEN}::test_a_payment_that_its_node_leaves_out_of_the_block_is_not_paid_again"
CALLED_FAILED = f"{HIDDEN}::test_a_payment_that_its_node_calls_failed_is_not_paid_again"
MADE_UP = f"{HIDDEN}::test_a_chain_that_a_node_makes_up_gives_nothing_back"
UNSIGNED = f"{PROOF}::test_blocks_that_a_node_makes_up_are_not_signed_by_the_chain_s_witnesses"
ALONE = "tests/watchers/test_pay_alone.py"
EDITED = "tests/watchers/test_pay_edited.py"
FAILED_ALONE = f"{ALONE}::test_a_failure_that_one_node_alone_shows_waits_for_a_person"
EXPIRED_ALONE = f"{ALONE}::test_what_one_node_alone_calls_expired_waits_for_a_person"
TRUSTED = f"{ALONE}::test_one_node_that_is_trusted_may_say_what_blocks_cannot_but_not_what_blocks_deny"
OTHERS = f"{ALONE}::test_enough_other_nodes_may_say_what_blocks_cannot_but_not_what_blocks_deny"
WIRED = f"{ALONE}::test_a_scanner_gets_what_bears_ends_out_from_its_network"
FREE_LANE = (
    "tests/watchers/test_pay_lanes.py::"
    "test_a_lane_is_free_when_what_stood_on_it_is_final_whoever_has_to_judge_its_end"
)
SEALED, WALK = "watchers/pay/sealed.py", "watchers/pay/proof.py"

SEALED_GUARDS = (
    Mutation(
        guard="a lone node's word about an end is not enough where blocks can be hashed",
        path="watchers/scan/ends.py",
        old="        if self.track.quorum == 1 and self._proof is None:\n",
        new="        if self.track.quorum == 1:\n",
        tests=(LEFT_OUT, CALLED_FAILED, MADE_UP),
    ),
    Mutation(
        guard="what a hashed block shows stands in it, whatever the scan was shown",
        path=SEALED,
        old="        if link.names is not None and holds(link.names, name):\n",
        new="        if False:\n",
        tests=(LEFT_OUT,),
    ),
    Mutation(
        guard="blocks that nobody knows who signed end nothing",
        path=SEALED,
        old="    if count < needed(known):\n        told",
        new="    if False:\n        told",
        tests=(UNSIGNED, MADE_UP),
    ),
    Mutation(
        guard="only who made blocks below the reference is a witness",
        path=SEALED,
        old="    count = len(signed & known)\n",
        new="    count = len(signed)\n",
        tests=(UNSIGNED,),
    ),
    Mutation(
        guard="more than two thirds of a chain's witnesses",
        path=SEALED,
        old="    return len(known) * 2 // 3 + 1\n",
        new="    return len(known) * 2 // 3\n",
        tests=(f"{PROOF}::test_more_than_two_thirds_are_needed",),
    ),
    Mutation(
        guard="witnesses are those of the chain on which the bytes can land",
        path=SEALED,
        old="    if links[window.anchor].ref.hash != window.anchor_hash:\n",
        new="    if False:\n",
        tests=(f"{PROOF}::test_a_chain_made_up_from_before_the_reference_is_another_chain",),
    ),
    Mutation(
        guard="the first block past the expiration may hold it still",
        path=SEALED,
        old="each.ref.height <= end], name_of",
        new="each.ref.height < end], name_of",
        tests=(f"{PROOF}::test_a_late_block_may_hold_what_expires_before_it",),
    ),
    Mutation(
        guard="signatures count above an unbroken chain",
        path=SEALED,
        old="if each.signed and each.ref.height in read}",
        new="if each.signed and each.ref.height >= end}",
        tests=(f"{PROOF}::test_signatures_above_a_hole_say_nothing_about_the_blocks_below_it",),
    ),
    Mutation(
        guard="blocks that are read again follow one another",
        path=WALK,
        old="        if not fits or (above is not None",
        new="        if False and (above is not None",
        tests=(f"{PROOF}::test_blocks_of_two_chains_prove_nothing_and_are_all_read_again",),
    ),
    Mutation(
        guard="a failure is what the hashed block says of it",
        path=WALK,
        old="        if said is None:\n",
        new="        if said:\n            return None\n        if said is None:\n",
        tests=(f"{PROOF}::test_a_failure_is_what_the_hashed_block_says", CALLED_FAILED),
    ),
    Mutation(
        guard="a block is signed by the witness that its header names",
        path="watchers/networks/tron/reader.py",
        old="    return Seal(ref, witness, signer == witness)\n",
        new="    return Seal(ref, witness, bool(signer))\n",
        tests=(
            f"{ROOT}::test_a_signature_of_somebody_else_is_not_the_witness_s",
            MADE_UP,
        ),
    ),
    Mutation(
        guard="a lie is told from what cannot be hashed",
        path="watchers/networks/tron/root.py",
        old='        raise Incomplete(f"block {number}: its root is not that of its transactions")\n',
        new='        raise Untold(f"block {number}: its root is not that of its transactions")\n',
        tests=(f"{ROOT}::test_what_cannot_be_hashed_is_told_from_a_lie",),
    ),
    Mutation(
        guard="where money is real a lone node's word gives nothing back",
        path="watchers/scan/ends.py",
        old="            if self.track.lone_word:\n",
        new="            if True:\n",
        tests=(FAILED_ALONE, EXPIRED_ALONE),
    ),
    Mutation(
        guard="one node is trusted where that is said, or where the money is for tests",
        path="gateway/settings/networks.py",
        old="        return self.test or self.quorum == 1\n",
        new="        return True\n",
        tests=(WIRED,),
    ),
    Mutation(
        guard="a scanner gets what reads back the bytes of its network's payments",
        path="watchers/parts.py",
        old="            verify=self.chain.writer.verify,\n",
        new="",
        tests=(WIRED,),
    ),
    Mutation(
        guard="under a hash that its bytes do not have nothing is given back",
        path="watchers/pay/settler.py",
        old="        if gives_back(attempt) and (reason := edited(attempt) or against(attempt_id)):\n",
        new="        if gives_back(attempt) and (reason := against(attempt_id)):\n",
        tests=(f"{EDITED}::test_a_hash_edited_to_a_stranger_s_that_failed_gives_nothing_back",),
    ),
    Mutation(
        guard="what may have landed under another hash is not taken back",
        path="watchers/pay/outbids.py",
        old="            self._require_unedited(order)\n",
        new="",
        tests=(f"{EDITED}::test_a_hash_edited_while_it_waits_is_not_taken_back",),
    ),
    Mutation(
        guard="a lane is kept while the block of what stands on it may be given up",
        path="watchers/pay/slots.py",
        old="        landed.block_height <= final,\n",
        new="",
        tests=(FREE_LANE,),
    ),
    Mutation(
        guard="a scanner gets what hashes its network's blocks",
        path="watchers/parts.py",
        old="            seals=self.chain.seals,\n",
        new="",
        tests=(WIRED,),
    ),
    Mutation(
        guard="what a node knows in a block has not expired, whoever says so",
        path="watchers/pay/judged.py",
        old="        if height is not None:\n",
        new="        if False:\n",
        tests=(EXPIRED_ALONE,),
    ),
    Mutation(
        guard="a person ends what expired only where a node was heard",
        path="watchers/pay/judged.py",
        old='    if not answered:\n        raise NotSettled(f"{id_}: no node answers',
        new='    if False:\n        raise NotSettled(f"{id_}: no node answers',
        tests=(EXPIRED_ALONE,),
    ),
    Mutation(
        guard="a person ends nothing whose bytes may still land",
        path="watchers/pay/judged.py",
        old='    return attempt.state == "signed" and settler.expired(attempt, final_ms)\n',
        new='    return attempt.state == "signed"\n',
        tests=(f"{ALONE}::test_what_has_not_expired_yet_is_nobody_s_to_end",),
    ),
    Mutation(
        guard="what blocks deny no number of nodes may say",
        path="watchers/scan/ends.py",
        old="            if doubt is not None and not (doubt.others and self._enough):\n",
        new="            if doubt is not None and not self._enough:\n",
        tests=(OTHERS,),
    ),
    Mutation(
        guard="what blocks cannot show one node alone may not say",
        path="watchers/scan/ends.py",
        old="            if doubt is not None and not (doubt.others and self._enough):\n",
        new="            if doubt is not None and not doubt.others:\n",
        tests=(TRUSTED,),
    ),
    Mutation(
        guard="where it may stand is what its signed bytes say, not its row",
        path=WALK,
        old="            return Doubt(differs)\n",
        new="            pass\n",
        tests=(f"{PROOF}::test_a_row_that_is_not_its_signed_bytes_gives_nothing_back",),
    ),
    Mutation(
        guard="an end is proved on the chain that our scan followed",
        path="watchers/scan/ends.py",
        old="        return None if rows[0][0] == window.anchor_hash else Doubt(STRANGE)\n",
        new="        return None\n",
        tests=(f"{TURNS}::test_a_reference_that_our_scan_did_not_pass_proves_nothing",),
    ),
    Mutation(
        guard="a reference above all that is final was not passed",
        path="watchers/scan/ends.py",
        old="        if window.anchor > final_height:\n",
        new="        if False:\n",
        tests=(
            f"{TURNS}::test_a_reference_at_no_height_of_a_chain_is_none_that_our_scan_passed",
        ),
    ),
    Mutation(
        guard="what cannot be proved keeps nothing else from being proved",
        path="watchers/scan/ends.py",
        old="            del self._doubts[end]\n            if reason is None:\n",
        new="            if reason is None:\n                del self._doubts[end]\n",
        tests=(f"{TURNS}::test_what_cannot_be_proved_keeps_nobody_else_from_it",),
    ),
    Mutation(
        guard="what is settled troubles nobody any more",
        path="watchers/scan/ends.py",
        old="told for end, told in self._doubts.items() if end in ends}",
        new="told for end, told in self._doubts.items()}",
        tests=(f"{ALONE}::test_what_a_person_settled_troubles_nobody_any_more",),
    ),
    Mutation(
        guard="a lone node's word that waits for a person is told",
        path="watchers/scan/ends.py",
        old="            self.waiting = _told([_not_settled(each, ONE_ALONE) for each in found])\n",
        new="",
        tests=(FAILED_ALONE,),
    ),
    Mutation(
        guard="who waits for a person keeps no blocks of others",
        path=WALK,
        old="        if links[height].ref.time < until + KEPT_ABOVE:\n",
        new="        if until > EPOCH:\n",
        tests=(f"{PROOF}::test_who_waits_for_a_person_keeps_no_blocks_but_his_own",),
    ),
)
