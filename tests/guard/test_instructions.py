"""Instructions for an element: no kernel, and nothing that is made of kernels, takes more."""

import pytest

from guard import count

pytestmark = pytest.mark.sweep  # minutes of Valgrind
BUDGETS, _ = count.budgets()


@pytest.mark.parametrize("key", BUDGETS)
def test_within_its_budget(counted, key):
    assert not count.excess(key, counted[key])


def test_every_kernel_has_a_budget(counted):
    assert counted.keys() == BUDGETS.keys()


def test_what_is_found():
    key, number = next(iter(BUDGETS.items()))
    assert count.excess(key, number) is None
    assert "the budget is" in count.excess(key, 1.5 * number + 0.1)
    assert "the budget is" in count.excess(key, 0.5 * number - 0.1)  # another would hide behind it
    assert "has no budget" in count.excess("another float32", number)
