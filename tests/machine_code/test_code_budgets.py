"""Kernels take no more instructions than budgets.py allows."""

import budgets
import pytest


@pytest.fixture(autouse=True)
def _can_run(machine_is_there):
    """Counting does without the fixture of the operators, whose grids are small."""


@pytest.mark.parametrize("name", [name for name, case in budgets.CASES.items() if case.most])
def test_budget(name):
    row, case = budgets.count(name), budgets.CASES[name]
    print(budgets.written(row))
    assert row["instructions"] <= case.most
    assert row["fp64"] <= case.most_fp64
    assert row["bytes_local"] == 0
