"""What the C programs of the tests promise about themselves."""

import re

from iotx_abi import ROOT, exported_names

# Targets of the renames in the headers of older SDK versions: programs do not spell them.
RENAMED = re.compile(r"iotx_v\d\d_")


def words(*patterns):
    found = set()
    for pattern in patterns:
        for path in ROOT.glob(pattern):
            found |= set(re.findall(r"\w+", path.read_text()))
    return found


def test_one_program_uses_every_exported_name():
    source = words("tests/c/every_function.c")
    # IOT_RegisterCallback(ITE_X, f) calls iotx_register_for_ITE_X.
    used = source | {f"iotx_register_for_{word}" for word in source if word.startswith("ITE_")}
    names = {name for name in exported_names() if not RENAMED.match(name)}
    assert len(names) > 140
    assert sorted(names - used) == []


def test_every_rename_has_its_header():
    headers = words("include/compat/**/*.h")
    targets = {word for word in headers if RENAMED.match(word)}
    exported = {name for name in exported_names() if RENAMED.match(name)}
    assert len(exported) > 30
    assert sorted(exported - targets) == []
