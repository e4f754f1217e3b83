# SPDX-License-Identifier: Apache-2.0
"""docs/features.md names tests that are there, and has a line for every row."""
import ast
import pathlib
import re

from conftest import ROOT

TABLE = (ROOT / "docs/features.md").read_text()


def defined_in(file):
    tree = ast.parse((pathlib.Path(__file__).parent / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_named_test_is_there():
    named = re.findall(r"`(test_\w+\.py)::(\w+)`", TABLE)
    assert len(named) > 100
    known = {file: defined_in(file) for file, _ in named}
    assert [(file, name) for file, name in named if name not in known[file]] == []


def test_every_row_says_what_tries_it():
    rows = re.findall(r"^\| M-(\d{3}) \| [^|]+ \| (.*) \|$", TABLE, re.M)
    gaps = {*range(93, 100), 129, 149}
    assert [int(number) for number, _ in rows] == [n for n in range(1, 191) if n not in gaps]
    assert all(text for _, text in rows)
