"""Revocation lists, trust anchors at run time, and sessions that are resumed across a restart."""

import ctypes as c
import subprocess

import pytest

from client import INVALID, RANGE, Client, Data, SessionKeyFn, connect_code, set_data as fill_data
from device import Device
from iotx_abi import set_data
from isolation import run_isolated

REFUSED = -309


class Lists:
    """Makes revocation lists with the keys of the platform's PKI."""

    def __init__(self, pki, folder):
        self.pki, self.folder = pki, folder

    def serial(self, name):
        return self._openssl("x509", "-in", self.pki / f"{name}.crt", "-noout", "-serial").decode().strip().split("=")[1]

    @staticmethod
    def _openssl(*arguments):
        return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout

    def make(self, ca, revoked, *, certificate=None, key=None, more=("-crldays", "30"), form="PEM"):
        """A list of `ca` with the certificates named in `revoked`."""
        rows = [f"R\t490101000000Z\t240101000000Z\t{self.serial(name)}\tunknown\t/CN={name}\n" for name in revoked]
        (self.folder / "index.txt").write_text("".join(rows))
        (self.folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca = d\n[d]\ndatabase = {self.folder}/index.txt\ndefault_md = sha256\n")
        out = self.folder / "list.crl"
        self._openssl("ca", "-config", self.folder / "ca.cnf", "-gencrl", "-keyfile", key or self.pki / f"{ca}.key",
                      "-cert", certificate or self.pki / f"{ca}.crt", "-out", out, *more)
        if form == "DER":
            self._openssl("crl", "-in", out, "-outform", "DER", "-out", out)
            return {"file": str(out)}
        return out.read_text()

    def impostor(self, ca):
        """A certificate with the name of `ca` and another key; the key."""
        subject = self._openssl("x509", "-in", self.pki / f"{ca}.crt", "-noout", "-subject", "-nameopt", "compat").decode()
        subject = subject.strip().removeprefix("subject=").strip()
        key, certificate = self.folder / "impostor.key", self.folder / "impostor.crt"
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-subj", subject,
                      "-days", "30")
        return {"certificate": certificate, "key": key}


OLD = ("-crl_lastupdate", "20240101000000Z", "-crl_nextupdate", "20240201000000Z")


@pytest.fixture
def lists(pki, tmp_path):
    return Lists(pki, tmp_path)


def login(pki, platform):
    key, name, secret = pki.devices()[0]
    return {"url": f"mqtts://localhost:{platform.port}", "product_key": key, "device_name": name, "device_secret": secret}


def several(library, cases, **options):
    """Scenario: code and text of a client with each of the lists."""
    library.IOT_SetLogLevel(3)
    found = []
    for crl in cases:
        value = connect_code(library, crl=crl, **options)
        found.append([value["code"], value["error"][1]])
    return found


def test_revoked_certificates_are_refused(pki, start_platform, lists):
    platform = start_platform("--tls", "--client-cert", "none")
    ca, leaf = "intermediate", "server"
    der = lists.make(ca, [leaf], form="DER")
    (lists.folder / "list.crl").rename(lists.folder / "list.der")
    der = {"file": str(lists.folder / "list.der")}
    cases = [
        (lists.make(ca, [leaf]), REFUSED, "server certificate is revoked"),
        (der, REFUSED, "server certificate is revoked"),
        (lists.make("root", [ca]), REFUSED, "CA certificate is revoked"),
        (lists.make("other-root", []) + lists.make(ca, [leaf]), REFUSED, "server certificate is revoked"),
        (lists.make(ca, ["device"]), 0, ""),
        (lists.make("root", []) + lists.make(ca, []), 0, ""),
        # Foreign: its CA is not in the chain.
        (lists.make("other-root", [leaf]), 0, ""),
        # Of the right name and another key.
        (lists.make(ca, [], **lists.impostor(ca)), REFUSED, "the CRL is not signed by its issuer"),
        # Out of date: what it says still holds, what it does not say is let pass.
        (lists.make(ca, [leaf], more=OLD), REFUSED, "server certificate is revoked"),
        (lists.make(ca, [], more=OLD), 0, ""),
    ]
    outcome = run_isolated(several, cases=[case[0] for case in cases], ca=pki.text("root.crt"), **login(pki, platform))
    for number, ((_, code, text), found) in enumerate(zip(cases, outcome.value, strict=True)):
        assert found[0] == code and text in found[1], (number, code, text, found)
    assert "a CRL is out of date" in outcome.output


def of_process(library, crl, ca, options, host_port):
    """Scenario: a list and trust anchors for the whole process, both APIs."""
    seen = {"before": connect_code(library, ca=ca, **options)["code"]}
    block = Data()
    keep = fill_data(block, crl)
    seen["set"] = library.iotx_tls_set_crl(c.byref(block))
    seen["client"] = connect_code(library, ca=ca, **options)["code"]
    names = [options[name] for name in ("product_key", "device_name", "device_secret")]
    device = Device(library, ca=ca, triple=names)
    device.construct(host="localhost", port=host_port)
    seen["device"] = device.handle is not None
    seen["states"] = device.states
    keep = fill_data(block, "garbage")
    seen["garbage"] = library.iotx_tls_set_crl(c.byref(block))
    seen["kept"] = connect_code(library, ca=ca, **options)["code"]
    seen["own"] = connect_code(library, ca=ca, crl=crl, **options)["code"]
    seen["off"] = library.iotx_tls_set_crl(None)
    seen["after"] = connect_code(library, ca=ca, **options)["code"]
    del keep
    return seen


def test_a_list_for_the_process(pki, start_platform, lists):
    platform = start_platform("--tls", "--client-cert", "none")
    value = run_isolated(of_process, crl=lists.make("intermediate", ["server"]), ca=pki.text("root.crt"),
                         options=login(pki, platform), host_port=platform.port).value
    assert any("revoked" in state[1] for state in value.pop("states"))
    assert value == {"before": 0, "set": 0, "client": REFUSED, "device": False, "garbage": INVALID, "kept": REFUSED,
                     "own": REFUSED, "off": 0, "after": 0}


def trust_at_run_time(library, good, other, good_file, options):
    """Scenario: iotx_tls_set_ca from memory and file, and what it refuses."""
    def put(value, **members):
        block = Data(**members)
        keep = fill_data(block, value) if value is not None else None
        code = library.iotx_tls_set_ca(c.byref(block))
        del keep
        return code

    set_data(library, "iotx_ca_crt", other)
    seen = [connect_code(library, **options)["code"]]
    seen += [put(good), connect_code(library, **options)["code"]]
    seen += [put(other), connect_code(library, **options)["code"], connect_code(library, ca=good, **options)["code"]]
    seen += [put({"file": good_file}), connect_code(library, **options)["code"]]
    seen += [put("garbage"), put({"file": "/nowhere/at/all"}), put(b"x" * (1024 * 1024 + 1)), put(None, size=1)]
    seen += [connect_code(library, **options)["code"], library.iotx_tls_set_ca(None), connect_code(library, **options)["code"]]
    return seen


def test_trust_anchors_at_run_time(pki, start_platform):
    platform = start_platform("--tls", "--client-cert", "none")
    value = run_isolated(trust_at_run_time, good=pki.text("root.crt"), other=pki.text("other-root.crt"),
                         good_file=str(pki / "root.crt"), options=login(pki, platform)).value
    assert value == [REFUSED, 0, 0, 0, REFUSED, 0, 0, 0, INVALID, INVALID, RANGE, INVALID, 0, 0, REFUSED]


# ---- sessions across a restart -----------------------------------------------------------------------------------

RECORD = b"iotx_tls_session_0"


def stored(library, folder, options, key=7, damage="", times=1):
    """Scenario: one life of a device. What lies in the store before and after."""
    def ask(_context, buffer):
        if key is None:
            return -1
        c.memset(buffer, key, 32)
        return 0

    def record():
        buffer, size = c.create_string_buffer(16384), c.c_int(16384)
        return buffer.raw[:size.value] if library.HAL_Kv_Get(RECORD, buffer, c.byref(size)) == 0 else b""

    library.IOT_SetLogLevel(5)
    assert library.iotx_kv_set_path(folder.encode() + b"/kv.bin") == 0
    found = before = record()
    if damage == "byte":
        found = before[:60] + bytes([before[60] ^ 1]) + before[61:]
    elif damage == "version":
        found = b"\x02" + before[1:]
    elif damage.isdigit():
        found = before[:int(damage)]
    if found != before:
        assert library.HAL_Kv_Set(RECORD, found, len(found), 1) == 0
    callback = SessionKeyFn(ask)
    if key != 0:
        assert library.iotx_tls_set_session_store(callback, None) == 0
    codes = []
    for _ in range(times):
        client = Client(library, **options)
        codes.append(client.connect())
        client.destroy()
    # Off before the interpreter gives the callback up.
    assert library.iotx_tls_set_session_store(SessionKeyFn(), None) == 0
    return {"codes": codes, "before": len(before), "after": record().hex()}


@pytest.fixture
def life(pki, start_platform, tmp_path):
    """A function that lives one life: whether the session was resumed, and what happened."""
    platform = start_platform("--tls", "--client-cert", "none")

    def live(**more):
        options = {**login(pki, platform), "ca": pki.text("root.crt"), **more.pop("options", {})}
        folder = more.pop("folder_behind", str(tmp_path))
        outcome = run_isolated(stored, folder=folder, options=options, **more)
        assert all(code == 0 for code in outcome.value["codes"]), outcome.output
        return outcome.output.count("TLS resumed"), outcome.value, outcome.output
    live.folder = tmp_path
    live.platform = platform
    return live


def test_resumed_in_another_process(life):
    resumed, value, output = life()
    assert resumed == 0 and value["before"] == 0 and value["after"], output
    first = value["after"]
    resumed, value, output = life()
    assert resumed == 1 and value["after"] not in ("", first), "stored again under another nonce"
    assert life.platform.wait_log("resumed")
    resumed, value, _ = life(times=2)
    assert resumed == 2
    # The store holds nothing readable: neither names nor certificates.
    for word in (b"localhost", b"Intermediate", bytes([7]) * 32):
        assert word not in (life.folder / "kv.bin").read_bytes()


def test_off_by_default(life):
    assert life(key=0)[1]["after"] == ""
    assert life(key=0)[0] == 0


@pytest.mark.parametrize("damage", ["byte", "version", "1", "20", "36", "40", "200"])
def test_damaged_records_mean_a_full_handshake(life, damage):
    life()
    resumed, value, output = life(damage=damage)
    assert resumed == 0 and value["after"], output
    assert life()[0] == 1, "the new record is a good one"


def test_other_keys_servers_and_identities_mean_a_full_handshake(life, pki):
    life()
    assert life(key=8)[0] == 0, "encrypted with another key"
    assert life(key=8)[0] == 1
    assert life(key=8, options={"ca": pki.text("root.crt") + "\n"})[0] == 0, "verified against other anchors"
    assert life(key=8, options={"certificate": pki.text("device.crt"), "key": pki.text("device.key")})[0] == 0
    assert life(key=8)[0] == 1, "each has a record of its own"
    resumed, value, _ = life(key=None)
    assert resumed == 0 and value["codes"] == [0], "the application has no key"


def test_a_store_that_refuses_is_no_error(life):
    resumed, value, output = life(folder_behind="/no/such/folder", times=2)
    assert resumed == 1 and value["after"] == "", "resumed from memory all the same"


def sdk_life(library, folder, port, ca, triple):
    """Scenario: one life of a device of the SDK's API."""
    callback = SessionKeyFn(lambda _context, key: c.memset(key, 9, 32) and 0)
    assert library.iotx_kv_set_path(folder.encode() + b"/kv.bin") == 0
    assert library.iotx_tls_set_session_store(callback, None) == 0
    device = Device(library, ca=ca, triple=triple)
    device.construct(host="localhost", port=port)
    made = device.handle is not None
    device.destroy()
    assert library.iotx_tls_set_session_store(SessionKeyFn(), None) == 0
    return made


def test_a_device_of_the_sdk_resumes_in_another_process(pki, start_platform, tmp_path):
    platform = start_platform("--tls", "--client-cert", "none")
    lives = [run_isolated(sdk_life, folder=str(tmp_path), port=platform.port, ca=pki.text("root.crt"), triple=pki.devices()[0])
             for _ in range(2)]
    assert [life.value for life in lives] == [True, True]
    assert ["TLS resumed" in life.output for life in lives] == [False, True]
