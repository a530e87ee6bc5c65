"""Guards of the keystore's groups: one fsync for several askers, and nothing leaves before it."""

from tests.mutations.mutation import Mutation

_TESTS = "tests/keystore/test_keystore_group.py::test_"
GROUPS = (
    Mutation(
        "group: its end is its commit",
        "keystore/group.py",
        '                self._db.execute("commit")\n',
        "                pass\n",
        (f"{_TESTS}a_group_is_on_disk_with_one_commit_and_told_after_it",),
    ),
    Mutation(
        "group: trouble undoes every row of it",
        "keystore/group.py",
        '                self._db.execute("rollback")\n',
        '                self._db.execute("commit")\n',
        (f"{_TESTS}trouble_undoes_the_whole_group",),
    ),
    Mutation(
        "group: the log speaks of what is on disk",
        "keystore/group.py",
        "            self._afterwards.append(tell)\n",
        "            tell()\n",
        (f"{_TESTS}a_group_is_on_disk_with_one_commit_and_told_after_it",),
    ),
    Mutation(
        "group: answers leave after the commit",
        "keystore/server.py",
        "                    found.append(self._answer(request))\n",
        "                    found.append(self._answer(request))\n"
        "                    self._send(peer, self._reply(found[-1]))\n",
        (f"{_TESTS}a_full_disk_is_told_to_every_asker_of_the_group",),
    ),
    Mutation(
        "group: a failed commit is told to all of it",
        "keystore/server.py",
        "            found = [refusal for _ in asked]\n",
        "            found += [refusal for _ in asked[len(found) :]]\n",
        (f"{_TESTS}a_full_disk_is_told_to_every_asker_of_the_group",),
    ),
    Mutation(
        "group: those who wait are answered together",
        "keystore/server.py",
        "GROUP_MAX = 32\n",
        "GROUP_MAX = 1\n",
        (f"{_TESTS}a_death_inside_a_group_answers_nobody_and_keeps_all_or_nothing",),
    ),
    Mutation(
        "group: a peer that takes no answers is not waited for",
        "keystore/server.py",
        "        if peer.asking or peer.sending:\n",
        "        if peer.asking:\n",
        (f"{_TESTS}a_peer_that_does_not_take_its_answers_holds_up_nobody",),
    ),
    Mutation(
        "keyring: what rests is wiped",
        "keystore/keyring.py",
        "                    sealing.wipe(wallet.key)\n",
        "                    pass\n",
        ("tests/keystore/test_keystore_derivation.py::test_wiping_overwrites_what_rests",),
    ),
    Mutation(
        "keyring: nothing rests above hot and gas",
        "keystore/keyring.py",
        "        above.wipe()\n",
        "",
        ("tests/keystore/test_keystore_derivation.py::test_above_hot_and_gas_nothing_rests",),
    ),
)
