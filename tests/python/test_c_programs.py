"""What tests/c promises about itself."""

import re

from iotx_abi import ROOT, exported_names


def test_the_programs_use_every_exported_name():
    # The helpers for kept C parts have programs of their own.
    names = ("every_function.c", "kept_parts_helpers.c", "kept_parts_json.c")
    source = "".join((ROOT / "tests" / "c" / name).read_text() for name in names)
    # IOT_RegisterCallback(ITE_X, f) calls iotx_register_for_ITE_X.
    words = set(re.findall(r"\w+", source))
    used = words | {f"iotx_register_for_{word}" for word in words if word.startswith("ITE_")}
    assert sorted(set(exported_names()) - used) == []
