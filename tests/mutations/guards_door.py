"""Guards of the keystore's door, of what its journal remembers between rows, and of its windows."""

from tests.mutations.mutation import Mutation

_TESTS = "tests/keystore/test_keystore_"
_SUMS = f"{_TESTS}spending.py::test_running_sums_are_what_the_rows_say"
DOOR = (
    Mutation(
        "door: a want of descriptors ends nothing",
        "keystore/server.py",
        "            if not was_shut or not is_shortage(shortage):\n",
        "            if True:\n                raise\n            if not was_shut:\n",
        (
            f"{_TESTS}door.py::test_a_newcomer_without_a_descriptor_is_no_trouble_of_the_journal",
        ),
    ),
    Mutation(
        "door: a want of buffers is one peer's trouble",
        "keystore/peer.py",
        "        if is_shortage(loss):\n",
        "        if False:\n",
        (f"{_TESTS}door.py::test_a_peer_without_buffers_is_lost_alone",),
    ),
    Mutation(
        "door: the silent make room",
        "keystore/server.py",
        "        silent = next((peer for peer in self._peers if not peer.asking), None)\n",
        "        silent = None\n",
        (f"{_TESTS}door.py::test_a_crowd_of_the_same_user_starves_nobody",),
    ),
    Mutation(
        "door: who asked lately stays",
        "keystore/server.py",
        "            del self._peers[peer]\n            self._peers[peer] = None\n",
        "",
        (f"{_TESTS}door.py::test_who_was_silent_longest_leaves_for_a_newcomer",),
    ),
    Mutation(
        "journal: another process's row moves the end",
        "keystore/group.py",
        "        if version != self._version:\n",
        "        if self._version is None:\n",
        (f"{_TESTS}journal.py::test_two_processes_agree_on_one_answer",),
    ),
    Mutation(
        "journal: what was undone is forgotten",
        "keystore/group.py",
        "        except BaseException:\n            self._forget()\n",
        "        except BaseException:\n",
        (f"{_TESTS}group.py::test_trouble_undoes_the_whole_group",),
    ),
    Mutation(
        "journal: a lane's creation is decided before it is signed",
        "keystore/journal.py",
        "            ground = allow()\n            answer = sign()\n",
        "            answer = sign()\n            ground = allow()\n",
        (f"{_TESTS}journal.py::test_no_setup_is_signed_that_nobody_allowed",),
    ),
    Mutation(
        "journal: an older one gets today's indexes",
        "keystore/journal.py",
        "            journal_file.index_as_today(db)\n",
        "",
        (f"{_TESTS}journal.py::test_a_journal_of_an_older_version_is_opened",),
    ),
    Mutation(
        "windows: what was undone is not counted",
        "keystore/spending.py",
        "found.epoch != epoch or ",
        "",
        (_SUMS,),
    ),
    Mutation(
        "windows: a clock set back opens none",
        "keystore/spending.py",
        " or since < found.since",
        "",
        (_SUMS,),
    ),
    Mutation(
        "windows: a row is looked at once",
        "keystore/spending.py",
        "        at, after = self._newest\n",
        "        at, after = None, 0\n        self.__init__(self.epoch, since)\n",
        (f"{_TESTS}spending.py::test_a_decision_costs_the_same_in_a_full_window",),
    ),
    Mutation(
        "derivation: nodes on the way down are overwritten",
        "keystore/derivation.py",
        "    parent.wipe()\n",
        "",
        (f"{_TESTS}derivation.py::test_nodes_on_the_way_down_are_overwritten",),
    ),
)
