"""Guards of reading a block for some addresses: nothing of theirs may be left out."""

from tests.mutations.mutation import Mutation

LEAN = "watchers/networks/ethereum/lean.py"
PLACED = "watchers/networks/ethereum/placed.py"
FAULTS = "tests/networks/ethereum/test_ethereum_lean_faults.py"
SAME = "tests/networks/ethereum/test_ethereum_lean.py"
LATE = "tests/watchers/test_scan_lean.py"
LOGS = f"{FAULTS}::test_case_33_logs_that_are_not_all_are_refused"
REPEATED = f"{FAULTS}::test_case_33_a_payment_whose_words_repeat_is_not_lost"
RECEIPTS = f"{FAULTS}::test_receipts_that_prove_nothing_are_refused"
BLOCKS = f"{FAULTS}::test_blocks_that_contradict_their_logs_are_refused"

LEANING = (
    Mutation(
        guard="lean: logs are numbered without a gap",
        path=PLACED,
        old="    if [log.log_index for log in logs] != numbered(len(logs)):",
        new="    if False:",
        tests=(REPEATED,),
    ),
    Mutation(
        guard="lean: logs are of this block",
        path=PLACED,
        old="    if named.count(block.hash) != len(logs):",
        new="    if False:",
        tests=(LOGS,),
    ),
    Mutation(
        guard="lean: no log was taken back",
        path=PLACED,
        old="    if True in [log.removed for log in logs]:",
        new="    if False:",
        tests=(LOGS,),
    ),
    Mutation(
        guard="lean: logs make up the header's bloom",
        path=PLACED,
        old="    if block.logs_bloom is None or bloom_of(block.logs_bloom) != _bloom(logs):",
        new="    if False:",
        tests=(LOGS, BLOCKS),
    ),
    Mutation(
        guard="lean: no log follows the last one",
        path=LEAN,
        old="    return range(places[-1], count) if places else (count - 1,)",
        new="    return (count - 1,)",
        tests=(REPEATED,),
    ),
    Mutation(
        guard="lean: no transaction follows the last one",
        path=LEAN,
        old="        if used is None or last.cumulative_gas_used != used:",
        new="        if False:",
        tests=(BLOCKS, RECEIPTS),
    ),
    Mutation(
        guard="lean: a receipt is of its transaction",
        path=LEAN,
        old="        if receipt.transaction_hash.lower() != name.lower():",
        new="        if False:",
        tests=(RECEIPTS,),
    ),
    Mutation(
        guard="lean: a receipt repeats its logs",
        path=LEAN,
        old="        if [_told(log) for log in receipt.logs] != [_told(log) for log in logs]:",
        new="        if False:",
        tests=(LOGS, RECEIPTS),
    ),
    Mutation(
        guard="lean: receipts of our own transactions",
        path=LEAN,
        old="        wanted.update(place for place, name in enumerate(names) if name in interest.own)\n",
        new="        pass\n",
        tests=(f"{SAME}::test_what_concerns_us_is_the_same_both_ways",),
    ),
    Mutation(
        guard="lean: an address that came after the reading",
        path="watchers/addresses.py",
        old="        if block.overtaken():",
        new="        if False:",
        tests=(f"{LATE}::test_an_address_that_came_after_the_reading_loses_no_payment",),
    ),
    Mutation(
        guard="head: what could not be committed is read again",
        path="watchers/scan/head_lane.py",
        old="            # What was read proves too little, or was read for fewer than we are now.\n            await self.prefetch.discard()\n",
        new="",
        tests=(f"{LATE}::test_an_address_that_came_after_the_reading_loses_no_payment",),
    ),
)
