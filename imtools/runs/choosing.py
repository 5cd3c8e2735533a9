"""Rows of a table chosen by an expression that a person types; no Python is run for it."""

import ast
import operator
from difflib import get_close_matches

import numpy as np

LONGEST = 500  # characters
ORDERS = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
KNOWN = {*ORDERS, ast.Eq, ast.NotEq, ast.In, ast.NotIn}
HINT = "write it like: state == 'done' and rms_4 < 0.1, or '04' in notebook"


def choose_rows(table, expression):
    """Return which rows of a table an expression holds for.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns that the expression names.
    expression : str
        Names, numbers, texts, None, lists of them, ``== != < <= > >= in not in and or not``.
        Nothing else is understood: no call, no attribute, no arithmetic. A comparison with what is
        missing or of another kind is false. Empty: every row.

    Returns
    -------
    numpy.ndarray of bool

    Raises
    ------
    ValueError
        If it is not such an expression, or names no column (the nearest is named).

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"state": ["done", "lost"], "rms_4": [0.02, None]})
    >>> choose_rows(table, "rms_4 < 0.1 and state in ['done', 'running']")
    array([ True, False])
    """
    if not expression.strip():
        return np.ones(len(table), dtype=bool)
    if len(expression) > LONGEST:
        msg = f"filter: expression has {len(expression)} characters, expected at most {LONGEST}"
        raise ValueError(msg)
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        holds = _condition(tree, list(table.columns))
    except (SyntaxError, MemoryError, RecursionError) as error:
        words = getattr(error, "msg", None) or "too deep"
        msg = f"filter: {expression.strip()!r:.80} is no expression ({words}); {HINT}"
        raise ValueError(msg) from None
    rows = (dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False))
    return np.fromiter((holds(row) for row in rows), dtype=bool, count=len(table))


def _condition(node, columns):
    """Return a function of a row that says whether the condition holds."""
    match node:
        case ast.BoolOp(op, values):
            parts = [_condition(value, columns) for value in values]
            every = all if isinstance(op, ast.And) else any
            return lambda row: every(part(row) for part in parts)
        case ast.UnaryOp(ast.Not(), operand):
            part = _condition(operand, columns)
            return lambda row: not part(row)
        case ast.Compare(left, ops, comparators):
            values = [_value(side, columns) for side in (left, *comparators)]
            for op in ops:
                if type(op) not in KNOWN:
                    _refuse(op)
            pairs = list(zip(ops, values[:-1], values[1:], strict=True))
            return lambda row: all(_compare(op, a(row), b(row)) for op, a, b in pairs)
        case ast.Name() | ast.Constant(True | False):
            value = _value(node, columns)
            return lambda row: bool(_plain(value(row)))
    return _refuse(node)


def _value(node, columns):
    """Return a function of a row that gives a value."""
    match node:
        case ast.Name(name):
            if name not in columns:
                near = get_close_matches(name, columns, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "put a text in quotes"
                msg = f"filter: the table has no column {name!r}; {hint}"
                raise ValueError(msg)
            return lambda row: row[name]
        case ast.Constant(int() | float() | str() | bool() | None as value):
            return lambda row: value
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)):
            return lambda row: -value
        case ast.List(items) | ast.Tuple(items):
            parts = [_value(item, columns) for item in items]
            return lambda row: [part(row) for part in parts]
    return _refuse(node)


def _compare(op, left, right):
    left, right = _plain(left), _plain(right)
    if isinstance(op, ast.Eq | ast.NotEq):
        return (left == right) is isinstance(op, ast.Eq)
    if isinstance(op, ast.In | ast.NotIn):
        there = isinstance(right, list) or (isinstance(right, str) and isinstance(left, str))
        return there and (left in right) is isinstance(op, ast.In)
    kinds = (str,) if isinstance(left, str) else (int, float)
    known = isinstance(left, kinds) and isinstance(right, kinds)
    return known and bool(ORDERS[type(op)](left, right))


def _plain(value):
    """Return a value without NumPy, and None where nothing is known."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value


def _refuse(node):
    words = type(node).__name__.lower()
    msg = f"filter: got {words}, expected comparisons of columns, numbers and texts; {HINT}"
    raise ValueError(msg)
