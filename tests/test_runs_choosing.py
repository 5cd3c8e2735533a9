"""A filter that people type: what it chooses, and that it can do nothing else."""

import numpy as np
import pandas as pd
import pytest

from imtools.runs.choosing import LONGEST, choose_rows

TABLE = pd.DataFrame({
    "state": ["done", "failed", "done"],
    "notebook": ["04_train", "06_noise", "04_train"],
    "rms_4": [0.02, np.nan, 0.3],
    "filters": [64, None, 8],
    "augment": [True, False, None],
})  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("", [0, 1, 2]),
        ("state == 'done'", [0, 2]),
        ("state == 'done' and rms_4 < 0.1", [0]),
        ("not state == 'done' or filters in [8, 16]", [1, 2]),
        ("'04' in notebook and 0.01 < rms_4 <= 0.3", [0, 2]),
        ("notebook not in ('06_noise', 'x')", [0, 2]),
        ("rms_4 > -1", [0, 2]),  # what is not known is neither above nor below
        ("filters < 'z'", []),  # nor is a number a text
        ("filters != 64", [1, 2]),
        ("augment", [0]),
        ("not augment", [1, 2]),
    ],
)
def test_rows_that_an_expression_holds_for(expression, chosen):
    assert np.flatnonzero(choose_rows(TABLE, expression)).tolist() == chosen


@pytest.mark.parametrize(
    ("expression", "match"),
    [
        ("__import__('os').system('true')", "got call"),
        ("state.__class__ == 'x'", "got attribute"),
        ("state[0] == 'd'", "got subscript"),
        ("[x for x in state]", "got listcomp"),
        ("(lambda: 1)() == 1", "got call"),
        ("filters ** 9999999 > 1", "got binop"),
        ("'a' * 999999999 == state", "got binop"),
        ("f'{state}' == 'done'", "got joinedstr"),
        ("state is None", "got is"),
        ("stat == 'done'", "no column 'stat'; did you mean 'state'"),
        ("state = 'done'", "is no expression"),
        ("(" * 400, "is no expression"),
        ("not " * 120 + "augment" + " " * LONGEST, "expected at most"),
        ("3", "got constant"),
    ],
)
def test_nothing_but_comparisons_is_understood(expression, match):  # S2
    with pytest.raises(ValueError, match=match) as error:
        choose_rows(TABLE, expression)
    assert "\n" not in str(error.value)
