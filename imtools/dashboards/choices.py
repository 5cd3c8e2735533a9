"""What a menu offers, changed while something in it is chosen."""


def offer(menu, options):
    """Set the options of a menu; what was chosen stays where it can, else it is the first.

    Parameters
    ----------
    menu : ipywidgets.Dropdown
        Observers see its value change.
    options : list
        Values, or pairs of words and values.

    Examples
    --------
    >>> from ipywidgets import Dropdown
    >>> menu = Dropdown(options=["a", "b"], value="b")
    >>> offer(menu, ["b", "c"]), menu.value
    (None, 'b')
    >>> offer(menu, []), offer(menu, ["c"]), menu.value
    (None, None, 'c')
    """
    values = [one[1] if isinstance(one, tuple) else one for one in options]
    before, same = menu.value, tuple(options) == tuple(menu.options)
    if not same:
        menu.options = options
    wanted = before if before in values else next(iter(values), None)
    if menu.value != wanted:
        menu.value = wanted
