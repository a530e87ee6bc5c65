"""Guards of the engine: what is believed, what is kept, what becomes money."""

from tests.mutations.mutation import Mutation

BOOK = "tests/watchers/test_book.py"
DEPOSITS = "tests/watchers/test_deposits.py"
PEERS = "tests/peers/test_peers_scanning.py"
SCAN, LANES = "tests/watchers/test_scan.py", "tests/watchers/test_scan_cases.py"
POOL = "tests/watchers/test_pool.py"
ONE = "tests/cases/test_one_identity.py"
FLOOD = "tests/cases/test_address_and_flood.py"
ATTRIBUTION = "tests/watchers/test_attribution.py"
STRAYS = "tests/watchers/test_strays.py"
CHAOS = "tests/chaos/test_cases_providers.py"
IDENTITY = "tests/watchers/providers/test_identity.py"
SILENT = "tests/watchers/test_recon_cases.py"

ENGINE = (
    Mutation(
        guard="link rule",
        path="watchers/scan/reorg.py",
        old="        if block.ref.parent_hash != parent_hash:\n            break\n",
        new="",
        tests=(
            f"{PEERS}::test_peer_shkeeper_a_reorganisation_after_the_scan_is_noticed",
            f"{DEPOSITS}::test_orphaned_payment_steps_the_invoice_back",
        ),
    ),
    Mutation(
        guard="finality",
        path="watchers/scan/final_lane.py",
        old="min(agreed, track.position.height)",
        new="track.position.height",
        tests=(f"{DEPOSITS}::test_payment_is_seen_at_once_and_credited_only_when_final",),
    ),
    Mutation(
        guard="nothing below finality is rolled back",
        path="watchers/scan/branches.py",
        old="        if final is not None and await self._stands(final.height, final.hash):",
        new="        if final is not None:",
        tests=(f"{DEPOSITS}::test_a_changed_final_block_stops_the_network",),
    ),
    Mutation(
        guard="a node behind us has no say",
        path="watchers/scan/branches.py",
        old="        if self.track.tip.head < self.track.position.height:\n            return\n",
        new="",
        tests=(f"{ONE}::test_a_node_that_is_behind_us_on_another_branch_has_no_say",),
    ),
    Mutation(
        guard="hysteresis",
        path="watchers/scan/reorg.py",
        old="        return votes.new >= WITNESSES or now - doubt.since >= self.seconds\n",
        new="        return True\n",
        tests=(f"{SCAN}::test_a_branch_is_believed_by_two_providers_or_by_two_sightings",),
    ),
    Mutation(
        guard="hysteresis: an equal number on our branch",
        path="watchers/scan/reorg.py",
        old="        if votes.ours and votes.new <= votes.ours:\n            return False\n",
        new="",
        tests=(f"{SCAN}::test_a_branch_is_believed_by_two_providers_or_by_two_sightings",),
    ),
    Mutation(
        guard="cursor compare-and-swap",
        path="watchers/store.py",
        old="    AND height = %(old_height)s AND hash = %(old_hash)s\n",
        new="",
        tests=(f"{ONE}::test_the_cursor_moves_only_from_where_it_was_believed_to_stand",),
    ),
    Mutation(
        guard="lease epoch",
        path="watchers/store.py",
        old="    AND epoch = %(epoch)s\n",
        new="",
        tests=(f"{DEPOSITS}::test_a_watcher_that_lost_its_lease_writes_nothing",),
    ),
    Mutation(
        guard="identity: a deposit is known again",
        path="gateway/deposits/service.py",
        old="        deposit = known.get(place)\n",
        new="        deposit = None\n",
        tests=(
            f"{DEPOSITS}::test_scanning_the_same_blocks_again_credits_nothing_twice",
            f"{DEPOSITS}::test_payment_that_moves_to_another_block_is_the_same_deposit",
        ),
    ),
    Mutation(
        guard="identity: the ordinal is part of it",
        path="gateway/deposits/service.py",
        old="        place = arrival.tx_hash, arrival.kind, arrival.ordinal\n",
        new="        place = arrival.tx_hash, arrival.kind, 0\n",
        tests=(f"{DEPOSITS}::test_several_transfers_of_one_transaction_are_several_deposits",),
    ),
    Mutation(
        guard="identity: unique in the database",
        path="migrations/sql/0001_3_money_in.sql",
        old="    UNIQUE (network_id, tx_hash, kind, ordinal),\n",
        new="",
        tests=(f"{ONE}::test_a_transfer_has_one_row_whoever_writes_it",),
    ),
    Mutation(
        guard="the book's perhaps is confirmed by a row",
        path="watchers/addresses.py",
        old="if t.recipient in rows or t.recipient in book.wallets]",
        new="if True]",
        tests=(f"{BOOK}::test_a_stranger_with_the_key_of_an_address_of_ours_is_no_arrival",),
    ),
    Mutation(
        guard="an address is watched before it can be shown",
        path="watchers/pool.py",
        old="        self.book.pool.update(row.address for row in rows)\n",
        new="",
        tests=(f"{POOL}::test_new_addresses_are_in_the_book_before_their_rows_are_written",),
    ),
    Mutation(
        guard="only the lease's holder adds addresses",
        path="watchers/pool.py",
        old="            await store.hold_lease(session, self.position)\n",
        new="",
        tests=(f"{POOL}::test_who_lost_the_lease_adds_no_addresses",),
    ),
    Mutation(
        guard="the book goes on where it stopped",
        path="watchers/addresses.py",
        old="            self.watermark = last\n",
        new="            self.watermark = last + 1\n",
        tests=(f"{BOOK}::test_the_book_is_read_in_slices_and_goes_on_where_it_stopped",),
    ),
    Mutation(
        guard="genuine pool signature",
        path="gateway/deposits/attribution.py",
        old="    if not genuine:\n        return",
        new="    if False:\n        return",
        tests=(f"{DEPOSITS}::test_payment_to_a_pool_row_edited_by_hand_credits_nobody",),
    ),
    Mutation(
        guard="late",
        path="gateway/deposits/arrival.py",
        old="        late=invoice is not None and arrival.block_time > invoice.expires_at,\n",
        new="        late=False,\n",
        tests=(
            f"{FLOOD}::test_case_74_a_payer_who_pays_an_old_address_again_pays_his_old_invoice",
            f"{ATTRIBUTION}::test_case_71_a_payment_after_expiry_is_late_and_credited",
        ),
    ),
    Mutation(
        guard="wrong asset",
        path="gateway/deposits/attribution.py",
        old="    if not accepted:\n        return",
        new="    if False:\n        return",
        tests=(f"{ATTRIBUTION}::test_case_71_a_listed_asset_that_the_invoice_does_not_take",),
    ),
    Mutation(
        guard="dust",
        path="gateway/deposits/attribution.py",
        old="        return self.standing >= self.minimum\n",
        new="        return True\n",
        tests=(
            f"{ATTRIBUTION}::test_case_08_dust_waits_until_the_total_reaches_the_minimum",
            f"{DEPOSITS}::test_dust_is_recorded_and_does_not_count_for_the_invoice",
        ),
    ),
    Mutation(
        guard="spam: a ration of rows",
        path="watchers/scan/ration.py",
        old="        return self.rows < ROWS_PER_DAY or larger\n",
        new="        return True\n",
        tests=(
            f"{STRAYS}::test_case_04_spam_beyond_the_ration_is_a_number",
            f"{FLOOD}::test_case_77_ten_thousand_worthless_tokens_are_a_ration_of_rows_and_a_number",
        ),
    ),
    Mutation(
        guard="spam: a ration of webhooks",
        path="gateway/deposits/announcements.py",
        old=" or told[owner] >= DEPOSITS_TOLD",
        new="",
        tests=(f"{FLOOD}::test_case_77_a_flood_of_real_payments_is_no_flood_of_webhooks",),
    ),
    Mutation(
        guard="our own payouts are known by hash",
        path="watchers/addresses.py",
        old="            or (transfer.recipient in self.wallets and transfer.tx_hash not in own_hashes)\n",
        new="            or transfer.recipient in self.wallets\n",
        tests=(f"{BOOK}::test_our_own_transaction_into_our_own_wallet_is_no_arrival",),
    ),
    Mutation(
        guard="a currency listed while watching",
        path="watchers/store.py",
        old="    if listed != {currency.id for currency in known}:\n",
        new="    if False:\n",
        tests=(f"{DEPOSITS}::test_a_currency_listed_while_watching_stops_the_cursor",),
    ),
    Mutation(
        guard="quorum of providers",
        path="watchers/scan/evidence.py",
        old="            if shown[claim.id] >= needed:\n",
        new="            if True:\n",
        tests=(f"{CHAOS}::test_case_36_what_one_node_invents_is_not_credited",),
    ),
    Mutation(
        guard="reconciler: no second credit",
        path="watchers/reconcile/credit.py",
        old="            if sorted(moves, key=_order) != sorted(before, key=_order):\n                return False\n",
        new="",
        tests=(
            "tests/cases/test_count_once.py::test_a_transfer_that_appears_while_its_difference_is_traced_is_not_credited_twice",
        ),
    ),
    Mutation(
        guard="quorum: as many call it final",
        path="watchers/scan/finality.py",
        old="    return highest[quorum - 1] if len(highest) >= quorum else None\n",
        new="    return highest[0]\n",
        tests=(f"{SCAN}::test_final_needs_the_quorum_and_says_who_is_missing",),
    ),
    Mutation(
        guard="quorum: as many show our block",
        path="watchers/scan/finality.py",
        old="    if agree >= quorum:\n        return None\n",
        new="    if agree >= 0:\n        return None\n",
        tests=(f"{SCAN}::test_a_provider_that_shows_another_final_block_is_named",),
    ),
    Mutation(
        guard="quorum: a second node shows the same transfer",
        path="watchers/scan/evidence.py",
        old="    if block.ref.hash != claim.block_hash:\n",
        new="    return None\n    if block.ref.hash != claim.block_hash:\n",
        tests=(
            f"{SCAN}::test_case_36_invented_transfer_above_the_quorum_value_is_not_credited",
        ),
    ),
    Mutation(
        guard="a process begins on the chain that was final",
        path="watchers/scan/final_lane.py",
        old="            if theirs.hash != ours.hash:\n                await self.branches.contradicted(theirs, ours.hash)\n                return False\n",
        new="",
        tests=(f"{SCAN}::test_a_process_that_begins_on_another_chain_pays_nothing",),
    ),
    Mutation(
        guard="blocks from the future are dated by our clock",
        path="watchers/scan/edge.py",
        old="    if block.ref.time <= now:\n        return block\n",
        new="    return block\n",
        tests=(f"{LANES}::test_case_40_block_from_the_future_does_not_make_a_payment_late",),
    ),
    Mutation(
        guard="a rescan records our own branch only",
        path="watchers/scan/rescan.py",
        old="                if block.ref.hash not in standing:\n",
        new="                if False:\n",
        tests=(f"{SCAN}::test_rescan_records_nothing_of_a_branch_that_is_not_ours",),
    ),
    Mutation(
        guard="identity pin: ethereum",
        path="watchers/networks/ethereum/reader.py",
        old="        if served != self.chain_id:\n",
        new="        if False:\n",
        tests=(
            "tests/networks/ethereum/test_ethereum_reader.py::test_the_chain_id_is_compared",
        ),
    ),
    Mutation(
        guard="identity pin: solana",
        path="watchers/networks/solana/reader.py",
        old="        if genesis != self.genesis_hash:\n",
        new="        if False:\n",
        tests=(
            "tests/networks/solana/test_solana_reader.py::test_another_genesis_is_another_chain",
        ),
    ),
    Mutation(
        guard="identity pin: tron",
        path="watchers/networks/tron/reader.py",
        old="        if found != self.genesis:\n",
        new="        if False:\n",
        tests=(
            "tests/networks/tron/test_tron_reader.py::test_another_genesis_is_another_chain",
        ),
    ),
    Mutation(
        guard="reconciler: a drift holds payouts",
        path="watchers/pay/claims.py",
        old="            if held is not None:\n                withdrawal.blocked_reason",
        new="            if False:\n                withdrawal.blocked_reason",
        tests=(
            "tests/watchers/test_recon_pause.py::test_theft_from_the_hot_wallet_holds_payouts_of_that_asset_alone",
        ),
    ),
    Mutation(
        guard="reconciler: one node cannot make money",
        path="watchers/reconcile/credit.py",
        old="        if agreeing >= needed:\n",
        new="        if True:\n",
        tests=("tests/watchers/test_recon_pause.py::test_one_lying_node_cannot_make_money",),
    ),
    Mutation(
        guard="reconciler: a transfer found later counts no more",
        path="migrations/sql/0001_9_reconciliation.sql",
        old="        NEW.reason := 'counted_as_balance';",
        new="        NEW.status := 'pending';",
        tests=(f"{SILENT}::test_transfer_found_later_is_not_credited_beside_the_balance",),
    ),
    Mutation(
        guard="identity pin: checked again after trouble",
        path="watchers/providers/endpoint.py",
        old="        self.known_connections = -1\n",
        new="",
        tests=(f"{IDENTITY}::test_case_35_a_node_is_checked_again_after_every_bench",),
    ),
)
