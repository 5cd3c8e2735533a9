"""YAML that people write: plain values, no key twice, and errors of one line."""

import json
import re
from pathlib import Path

import yaml

from imtools.run_folder.files import first_bytes

INT = re.compile(r"^[-+]?(0|[1-9][0-9_]*)$")
FLOAT = re.compile(r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$")


class _Loader(yaml.SafeLoader):
    """Plain values only; no key twice, of which YAML would keep the last in silence."""

    def construct_mapping(self, node, deep=False):
        """Return a mapping as a dict."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                msg = f"{key!r} is given twice, expected once"
                raise yaml.constructor.ConstructorError(None, None, msg, node.start_mark)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads a date in 2024-01-01, 43200 in 12:00:00, 8 in 010 and text in 1e-4
OURS = {"int": INT, "float": FLOAT}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, how) for tag, how in pairs if tag.rsplit(":")[-1] not in {*OURS, "timestamp"}]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for kind, pattern in OURS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", pattern, list("-+.0123456789"))


def read_yaml(path, caller, *, example="name: value"):
    """Return the mapping in the YAML file at `path`; errors are one line and name the file.

    Parameters
    ----------
    path : path-like
        The file.
    caller : str
        What begins a message.
    example : str
        What such a file holds, for the message when it holds no mapping.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is empty or no YAML, gives a key twice, or holds more than plain values.
    """
    text = first_bytes(path, caller).decode("utf-8", errors="replace")
    who = f"{caller}: {Path(path).name}"
    try:
        content = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        msg = f"{who}: is no YAML that we read ({' '.join(str(error).split())})"
        raise ValueError(msg) from None
    if not isinstance(content, dict):
        msg = f"{who}: has no 'key: value' lines, expected {example}"
        raise ValueError(msg)
    try:
        json.dumps(content)
    except (TypeError, ValueError) as error:  # !!binary, !!set, a list that holds itself
        msg = f"{who}: holds more than numbers, texts, lists and mappings ({error})"
        raise ValueError(msg) from None
    return content
