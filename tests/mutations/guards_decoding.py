"""Guards of the decoders: what a block must prove, and what counts in it."""

from tests.mutations.mutation import Mutation

ETHEREUM, TRON, SOLANA = (
    f"watchers/networks/{name}" for name in ("ethereum", "tron", "solana")
)
WITHDRAWN = "tests/networks/ethereum/test_ethereum_withdrawals_root.py"
DECODED = "tests/networks/ethereum/test_cases_decode.py"
COMPLETE = "tests/networks/ethereum/test_cases_complete.py"
ROOTED = "tests/networks/tron/test_tron_root.py"
RECORDINGS = "tests/networks/solana/test_solana_recordings.py"
EDITED = "tests/networks/ethereum/test_ethereum_edited.py"
CONTRADICTED = "tests/networks/ethereum/test_ethereum_decode.py"
TRACED = "tests/networks/ethereum/test_ethereum_traces.py"
PARSED = "tests/networks/tron/test_tron_decode.py"
ATTACKS = "tests/networks/tron/test_tron_attacks.py"
ASSETS = "tests/networks/tron/test_tron_assets.py"
READ = "tests/networks/tron/test_tron_reader.py"
BALANCES = "tests/networks/solana/test_solana_decode.py"

DECODING = (
    Mutation(
        guard="ethereum: success",
        path=f"{ETHEREUM}/decode.py",
        old="        if receipt.status != SUCCEEDED:\n            continue\n",
        new="",
        tests=(f"{DECODED}::test_case_01_value_of_a_failed_transaction_is_not_credited",),
    ),
    Mutation(
        guard="ethereum: allow-list",
        path=f"{ETHEREUM}/transfers.py",
        old="    return {each: lower for each in spelled if (lower := each.lower()) in listed}\n",
        new="    return {each: each.lower() for each in spelled}\n",
        tests=(
            f"{DECODED}::test_case_04_a_perfect_log_of_another_contract_is_a_stray",
            f"{DECODED}::test_case_05_a_contract_is_its_address_whatever_it_calls_itself",
        ),
    ),
    Mutation(
        guard="ethereum: tokenId is no amount",
        path=f"{ETHEREUM}/erc20.py",
        old="len(data) != WORD_HEX or len(topics) != TRANSFER_TOPICS:",
        new="len(data) != WORD_HEX or len(topics) < TRANSFER_TOPICS:",
        tests=(f"{DECODED}::test_case_06_four_topics_are_a_collectible",),
    ),
    Mutation(
        guard="ethereum: as many receipts as transactions",
        path=f"{ETHEREUM}/proof.py",
        old="    if len(receipts) != len(block.transactions):\n        raise",
        new="    if False:\n        raise",
        tests=(f"{COMPLETE}::test_case_32_receipts_must_be_as_many_and_in_place",),
    ),
    Mutation(
        guard="ethereum: each receipt is of its transaction",
        path=f"{ETHEREUM}/proof.py",
        old="        if receipt.transaction_hash != sent.hash:",
        new="        if False:",
        tests=(f"{CONTRADICTED}::test_receipts_in_another_order_are_refused",),
    ),
    Mutation(
        guard="ethereum: block hash of logs",
        path=f"{ETHEREUM}/proof.py",
        old='    if log.removed or (log.block_hash or "").lower() != block_hash:',
        new="    if False:",
        tests=(f"{COMPLETE}::test_case_34_logs_of_a_stale_fork_are_refused",),
    ),
    Mutation(
        guard="ethereum: header bloom",
        path=f"{ETHEREUM}/proof.py",
        old="    if block.logs_bloom is not None and bloom_of(block.logs_bloom) != union:",
        new="    if False:",
        tests=(
            f"{COMPLETE}::test_case_33_without_receipt_blooms_the_logs_themselves_are_summed",
        ),
    ),
    Mutation(
        guard="ethereum: transactions root",
        path=f"{ETHEREUM}/proof.py",
        old="    if (root.lower() == EMPTY_ROOT) != (count == 0):",
        new="    if False:",
        tests=(f"{COMPLETE}::test_case_32_an_empty_answer_does_not_make_a_full_block_empty",),
    ),
    Mutation(
        guard="ethereum: reverted subtree",
        path=f"{ETHEREUM}/traces.py",
        old="        if frame.error:\n            continue\n",
        new="",
        tests=(f"{DECODED}::test_case_16_what_a_reverted_inner_call_paid_never_happened",),
    ),
    Mutation(
        guard="ethereum: borrowed code moves no value",
        path=f"{ETHEREUM}/traces.py",
        old="units = 0 if value is None or kind in STILL else quantity(value)",
        new="units = 0 if value is None else quantity(value)",
        tests=(f"{DECODED}::test_case_17_borrowed_code_moves_no_value",),
    ),
    Mutation(
        guard="ethereum: traces are of this block",
        path=f"{ETHEREUM}/decode.py",
        old="            prove_executions(block.transactions, receipts, traced)\n",
        new="            pass\n",
        tests=(f"{TRACED}::test_traces_that_do_not_fit_the_block_are_incomplete",),
    ),
    Mutation(
        guard="ethereum: logged value counts once",
        path=f"{ETHEREUM}/logged.py",
        old="    return True, moves[1:]\n",
        new="    return True, moves\n",
        tests=(f"{DECODED}::test_case_23_logged_value_has_one_source",),
    ),
    Mutation(
        guard="ethereum: withdrawals are gwei",
        path=f"{ETHEREUM}/transfers.py",
        old="WEI_PER_GWEI = 10**9",
        new="WEI_PER_GWEI = 1",
        tests=(f"{DECODED}::test_case_18_a_beacon_withdrawal_is_gwei",),
    ),
    Mutation(
        guard="ethereum: announced withdrawals are there",
        path=f"{ETHEREUM}/proof.py",
        old="    if told is None or not _is_of_op_stack(block):\n",
        new="    if told is not None and not _is_of_op_stack(block):\n",
        tests=(f"{WITHDRAWN}::test_announced_withdrawals_that_are_not_there_are_incomplete",),
    ),
    Mutation(
        guard="ethereum: whole blocks are held to their withdrawals",
        path=f"{ETHEREUM}/proof.py",
        old="    prove_withdrawals(block)\n    position = 0\n",
        new="    position = 0\n",
        tests=(f"{WITHDRAWN}::test_announced_withdrawals_that_are_not_there_are_incomplete",),
    ),
    Mutation(
        guard="ethereum: recorded blocks are held to their withdrawals",
        path=f"{ETHEREUM}/proof.py",
        old="    prove_withdrawals(block)\n    present",
        new="    present",
        tests=(f"{EDITED}::test_what_shows_that_something_is_missing_ends_with_three",),
    ),
    Mutation(
        guard="ethereum: a recorded log counts once",
        path=f"{ETHEREUM}/proof.py",
        old="        if times > 1:\n",
        new="        if False:\n",
        tests=(f"{EDITED}::test_what_shows_that_something_is_missing_ends_with_three",),
    ),
    Mutation(
        guard="ethereum: the last receipt stands at the last place",
        path=f"{ETHEREUM}/last.py",
        old="        if place is not None and quantity(place) != len(receipts) - 1:\n",
        new="        if False:\n",
        tests=(
            f"{COMPLETE}::test_case_32_where_the_chain_logs_value_gas_is_counted_otherwise",
        ),
    ),
    Mutation(
        guard="ethereum: the gas of a block is used up by its transactions",
        path=f"{ETHEREUM}/last.py",
        old="        if quantity(used) != quantity(block.gas_used):\n",
        new="        if False:\n",
        tests=(f"{COMPLETE}::test_case_32_a_transaction_that_both_answers_lack_is_missed",),
    ),
    Mutation(
        guard="ethereum: a node says where a block ends",
        path=f"{ETHEREUM}/last.py",
        old='            raise Incomplete(f"nothing says that',
        new='            continue\n            raise Incomplete(f"nothing says that',
        tests=(
            f"{COMPLETE}::test_case_32_a_node_that_does_not_say_where_a_block_ends_proves_none",
        ),
    ),
    Mutation(
        guard="tron: success",
        path=f"{TRON}/transfers.py",
        old="            found.failed.append(info.id)\n            continue\n",
        new="            found.failed.append(info.id)\n",
        tests=(
            f"{ATTACKS}::test_case_41_a_failed_call_pays_nobody",
            f"{ATTACKS}::test_case_42_a_trx_transfer_without_success_pays_nobody",
        ),
    ),
    Mutation(
        guard="tron: block and info agree",
        path=f"{TRON}/outcomes.py",
        old="    if (ran and in_info != in_block) or (info.result and in_block == SUCCESS):",
        new="    if False:",
        tests=(f"{ATTACKS}::test_case_41_block_and_info_that_disagree_are_not_believed",),
    ),
    Mutation(
        guard="tron: a transfer that cannot be read is not passed over",
        path=f"{TRON}/transfers.py",
        old='        raise ValueError(f"a {contract.type} without its parameter")\n',
        new="        return ContractValue()\n",
        tests=(f"{PARSED}::test_a_contract_of_any_shape_stops_nothing_unless_it_may_pay",),
    ),
    Mutation(
        guard="tron: allow-list",
        path=f"{TRON}/transfers.py",
        old="        token = tokens.get(log.address)\n",
        new="        token = canonical(log.address)\n",
        tests=(f"{ATTACKS}::test_case_52_only_the_contract_that_speaks_counts",),
    ),
    Mutation(
        guard="tron: id sets match",
        path=f"{TRON}/decode.py",
        old="        if len(infos) != len(ids) or info_of.keys() != set(ids):",
        new="        ids = [tx_id for tx_id in ids if tx_id in info_of]\n        if False:",
        tests=(
            f"{ATTACKS}::test_case_43_no_infos_for_a_block_with_transactions_is_incomplete",
            f"{ATTACKS}::test_case_44_infos_of_another_block_are_incomplete",
        ),
    ),
    Mutation(
        guard="tron: infos are of this block",
        path=f"{TRON}/decode.py",
        old="        if info.block_number != height or (info.block_time != time and info.block_time):",
        new="        if False:",
        tests=(
            f"{ATTACKS}::test_case_44_infos_of_the_same_transactions_in_another_block_are_incomplete",
        ),
    ),
    Mutation(
        guard="tron: rejected",
        path=f"{TRON}/inner.py",
        old="        if internal.rejected or _burns",
        new="        if _burns",
        tests=(f"{ATTACKS}::test_case_48_a_rejected_inner_call_is_skipped",),
    ),
    Mutation(
        guard="tron: what some nodes add renames no payment",
        path=f"{TRON}/inner.py",
        old=" if each.note in MOVES_VALUE]",
        new="]",
        tests=(f"{ATTACKS}::test_case_48_an_inner_payment_has_one_name_on_every_node",),
    ),
    Mutation(
        guard="tron: a block's id is the hash of its header",
        path=f"{TRON}/root.py",
        old="    if found != block.block_id:\n",
        new="    if False:\n",
        tests=(f"{ROOTED}::test_a_recorded_block_of_mainnet_is_what_its_id_says",),
    ),
    Mutation(
        guard="tron: the root is that of the transactions",
        path=f"{TRON}/root.py",
        old="    if root.hex() != stated:\n",
        new="    if False:\n",
        tests=(f"{ROOTED}::test_no_transaction_can_be_left_out_of_a_block",),
    ),
    Mutation(
        guard="tron: a contract that destroys itself for itself pays nobody",
        path=f"{TRON}/inner.py",
        old="    return own and internal.note in DESTRUCTION\n",
        new="    return False and own\n",
        tests=(
            f"{ATTACKS}::test_a_contract_that_destroys_itself_in_its_own_favour_pays_nobody",
        ),
    ),
    Mutation(
        guard="tron: tokenId",
        path=f"{TRON}/inner.py",
        old="        asset = str(value.token_id) if value.token_id else NATIVE\n        if value.token_id and not asset.isdecimal():\n            continue\n",
        new="        asset = NATIVE\n",
        tests=(f"{ATTACKS}::test_case_47_a_trc10_amount_inside_a_contract_is_not_trx",),
    ),
    Mutation(
        guard="tron: inside a contract TRX alone is paid",
        path=f"{TRON}/transfers.py",
        old="        if asset == NATIVE:\n",
        new="        if True:\n",
        tests=(
            f"{ASSETS}::test_case_47_of_an_inner_call_that_moves_trx_and_assets_trx_alone_counts",
        ),
    ),
    Mutation(
        guard="tron: a header that announces transactions is no empty block",
        path=f"{TRON}/decode.py",
        old='    if not ids and answer.block_header.raw_data.root.strip("0"):\n',
        new="    if False:\n",
        tests=(f"{READ}::test_after_a_useless_answer_another_node_is_asked",),
    ),
    Mutation(
        guard="solana: a gain without an owner is told",
        path=f"{SOLANA}/gains.py",
        old="        if gained and held.mint in mints:\n",
        new="        if False:\n",
        tests=(f"{RECORDINGS}::test_what_a_listed_mint_paid_to_nobody_is_told",),
    ),
    Mutation(
        guard="solana: success",
        path=f"{SOLANA}/document.py",
        old="            if meta.err is not None:\n",
        new="            if False:\n",
        tests=(f"{BALANCES}::test_case_55_a_failed_transaction_pays_nobody",),
    ),
    Mutation(
        guard="solana: allow-list",
        path=f"{SOLANA}/decode.py",
        old="            if gain.mint not in self._mints:\n",
        new="            if False:\n",
        tests=(f"{BALANCES}::test_unlisted_tokens_are_strays",),
    ),
    Mutation(
        guard="solana: programId",
        path=f"{SOLANA}/gains.py",
        old='                if held.programId not in {program, None, ""}:\n',
        new="                if False:\n",
        tests=(f"{BALANCES}::test_case_65_a_listed_mint_under_another_program_does_not_count",),
    ),
    Mutation(
        guard="solana: canonical account",
        path=f"{SOLANA}/gains.py",
        old="                if self.transaction.key(held.accountIndex) == account:\n",
        new="                if True:\n",
        tests=(
            f"{BALANCES}::test_case_62_an_account_made_over_by_set_authority_is_no_payment",
        ),
    ),
    Mutation(
        guard="solana: a balance for every account",
        path=f"{SOLANA}/landed.py",
        old="    if len(keys) != count:\n",
        new="    if False:\n",
        tests=("tests/networks/solana/test_solana_torn.py::test_a_torn_answer_is_incomplete",),
    ),
    Mutation(
        guard="solana: no transaction twice",
        path=f"{SOLANA}/decode.py",
        old="        if name in names:\n",
        new="        if False:\n",
        tests=("tests/networks/solana/test_solana_torn.py::test_a_torn_answer_is_incomplete",),
    ),
    Mutation(
        guard="tron: an ordinal fits whatever a contract hands over",
        path=f"{TRON}/inner.py",
        old="enumerate(moved[:VALUES_MAX])",
        new="enumerate(moved)",
        tests=(
            f"{ASSETS}::test_a_contract_that_hands_over_thousands_of_assets_does_not_stop_the_chain",
        ),
    ),
)
