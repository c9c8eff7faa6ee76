"""What tests/c promises about itself."""

import re

from iotx_abi import ROOT, exported_names


def words(source):
    """The identifiers of a C file, and the functions that IOT_RegisterCallback(ITE_X, f) calls."""
    found = set(re.findall(r"\w+", source.read_text()))
    return found | {f"iotx_register_for_{word}" for word in found if word.startswith("ITE_")}


def renames(version):
    """What the headers of an older SDK version turn names into: {name: exported name}."""
    found = {}
    for header in (ROOT / "include" / "compat" / version).glob("*_config.h"):
        found.update(re.findall(r"^#define (\w+) (\w+)$", header.read_text(), re.MULTILINE))
    return found


def test_the_programs_use_every_exported_name():
    used = words(ROOT / "tests" / "c" / "every_function.c") | words(ROOT / "tests" / "c" / "registration.c")
    # The helpers for C parts that a firmware keeps have programs of their own.
    for program in (ROOT / "tests" / "c").glob("kept_parts_*.c"):
        used |= words(program)
    older = set()
    for version in ("2.2", "2.3", "3.0", "3.1"):
        program = words(ROOT / "tests" / "c" / f"compat_{version.replace('.', '_')}.c")
        older |= {target for name, target in renames(version).items() if name in program}
    assert len(older) > 30
    assert sorted(set(exported_names()) - used - older) == []


def test_renames_lead_to_exported_names():
    for version in ("2.2", "2.3", "3.0", "3.1"):
        targets = {target for target in renames(version).values() if target.startswith(("iotx_v", "HAL_", "ssl_"))}
        assert targets and targets <= set(exported_names())
