"""What tests/c promises about itself."""

import re

from iotx_abi import ROOT, exported_names


def test_one_program_uses_every_exported_name():
    source = (ROOT / "tests" / "c" / "every_function.c").read_text()
    # IOT_RegisterCallback(ITE_X, f) calls iotx_register_for_ITE_X.
    words = set(re.findall(r"\w+", source))
    used = words | {f"iotx_register_for_{word}" for word in words if word.startswith("ITE_")}
    assert sorted(set(exported_names()) - used) == []
