"""Instructions for an element: no kernel, and nothing that is made of kernels, takes more."""

import pytest

from guard import callgrind, count

BUDGETS, _ = count.budgets()
DUMP = "desc: Trigger: Client Request: {}\nevents: Ir\n\nfn=(1)\n0 7\n\ntotals: {}\n\n"


@pytest.mark.sweep  # minutes of Valgrind
@pytest.mark.parametrize("key", BUDGETS)
def test_within_its_budget(counted, key):
    assert not count.excess(key, counted[key])


@pytest.mark.sweep
def test_every_kernel_has_a_budget(counted):
    assert counted.keys() == BUDGETS.keys()


def test_what_is_found():
    key, number = next(iter(BUDGETS.items()))
    assert count.excess(key, number) is None
    assert "the budget is" in count.excess(key, 1.5 * number + 0.1)
    assert "the budget is" in count.excess(key, 0.5 * number - 0.1)  # another would hide behind it
    assert "has no budget" in count.excess("another float32", number)


def test_the_least_of_several_counts_is_read(tmp_path):
    """What a call does once only, as looking a symbol up, is not counted."""
    dumps = [("a b/short/0", 30_100), ("a b/short/0", 100), ("a b/long/50", 400)]
    dumps += [("a b/long/50", 350), ("a b/long/50", 351), ("c/short/0", 7), ("c/long/2", 8)]
    path = tmp_path / "callgrind"
    path.write_text("".join(DUMP.format(*dump) for dump in dumps))
    assert callgrind.read(path) == {"a b": 5, "c": 0.5}
