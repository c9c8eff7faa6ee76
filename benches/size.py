"""How large a program with the library is, and what it consists of."""
import collections
import re
import subprocess
import tempfile
from pathlib import Path

# First match wins. Symbols are demangled: crate paths, or plain C names.
PARTS = [
    ("AES-GCM (RustCrypto)", re.compile(r"aes_gcm|ghash|polyval|\baes::|\bctr::|<aes|universal_hash|mbed_gcm|gcm_")),
    ("TLS (Mbed TLS and its binding)", re.compile(r"^(mbedtls_|mbedtls::|<mbedtls::|mbedtls_platform)|mbedtls::|"
                                                  r"^(ecp_|mpi_|ssl_|x509_|aes_|sha\d|md_|oid_|pk_|rsa_)")),
    ("codec (rumqttc, bytes)", re.compile(r"rumqttc|\bbytes::")),
    ("ours", re.compile(r"\biotx::|^iotx_|^IOT_|^HAL_|^default_|^utils_|^LITE_|^lite_|^infra_")),
    ("JSON (serde)", re.compile(r"serde|\bryu::|\bitoa::|zmij")),
    ("digests and zeroize", re.compile(r"sha1|sha2|md5|\bhmac::|digest::|zeroize|block_buffer")),
    ("standard library: backtraces of a panic", re.compile(r"\b(gimli|addr2line|rustc_demangle|miniz_oxide|object)::|"
                                                           r"backtrace")),
    ("standard library: the rest", re.compile(r"\b(std|core|alloc|hashbrown|memchr)::|^_?rust_|^__rust")),
]


def measured(program):
    """text and data of a program, bytes."""
    line = subprocess.run(["size", "-B", str(program)], check=True, capture_output=True, text=True)
    text, data = line.stdout.splitlines()[1].split()[:2]
    return int(text) + int(data)


def parts(program):
    """Bytes by part, from the symbols of an unstripped program."""
    listing = subprocess.run(["nm", "-S", "-C", "--defined-only", str(program)], check=True, capture_output=True,
                             text=True).stdout
    sizes = collections.Counter()
    for line in listing.splitlines():
        fields = line.split(maxsplit=3)
        if len(fields) < 4 or fields[2] in "bB":
            continue
        name = fields[3]
        part = next((label for label, pattern in PARTS if pattern.search(name)), "other")
        sizes[part] += int(fields[1], 16)
    return sizes


def linker():
    """Flags for the linker that makes the libraries, the one that comes with the Rust compiler."""
    def rustc(*args):
        return subprocess.run(["rustc", *args], check=True, capture_output=True, text=True).stdout

    host = re.search(r"^host: (.*)$", rustc("-vV"), re.MULTILINE).group(1)
    return ["-B" + str(Path(rustc("--print", "sysroot").strip()) / "lib/rustlib" / host / "bin/gcc-ld"), "-fuse-ld=lld"]


def build(root, archive, out, native, flags=()):
    """The X.509 example, linked statically with `archive`."""
    subprocess.run(["cc", "-O2", *flags, f"-I{root}/include", "-o", str(out), str(root / "c_examples" / "mqtt_example.c"),
                    "-Wl,--gc-sections", str(archive), *native], check=True, capture_output=True, text=True)


def section(root):
    """The lines about size."""
    lines = ["## Size", "",
             "Text and data of the X.509 example `c_examples/mqtt_example.c` (TLS included), linked with the static "
             "library, dynamic with the C library, stripped.", "", "| build | text + data, KB | target | |",
             "|---|---|---|---|"]
    native = (root / "build" / "lib" / "native-libs.txt").read_text().split()
    tables = []
    with tempfile.TemporaryDirectory() as name:
        for profile, folder, library in (("release", "release", root / "build" / "lib" / "libiotx.a"),
                                         ("release-small", "release-small",
                                          root / "build" / "small" / "libiotx.a"),
                                         ("release-small` + `IOTX_BUILD_STD=1", "small-std/*/release-small",
                                          root / "build" / "small-std" / "libiotx.a")):
            raw = next((root / "target").glob(folder + "/libiotx.a"), root / "target" / "none")
            if not library.exists():
                continue
            program = Path(name) / folder.replace("/", "_").replace("*", "host")
            build(root, library, program, native)
            subprocess.run(["strip", str(program)], check=True)
            total = measured(program)
            verdict = "–"
            if profile != "release":
                verdict = "pass" if total <= 800_000 else "**fail**"
            lines.append(f"| `IOTX_CARGO_PROFILE={profile}` | {total / 1000:.0f} | "
                         f"{'≤ 800' if verdict != '–' else '–'} | {verdict} |")
            if raw.exists():
                unstripped = program.with_suffix(".parts")
                build(root, raw, unstripped, native, linker())
                tables.append((profile, parts(unstripped), total))
    if tables:
        labels = [label for label, _ in PARTS] + ["other"]
        lines += ["", "What it consists of, KB by symbol; the rest is constants, unwind tables and relocations, which "
                  "have no symbols.", "", "| part | " + " | ".join(f"`{profile}`" for profile, *_ in tables) + " |",
                  "|---|" + "---|" * len(tables)]
        for label in labels:
            lines.append(f"| {label} | " + " | ".join(f"{sizes[label] / 1000:.0f}" for _, sizes, _ in tables) + " |")
        rest = [f"{max(0, total - sum(sizes.values())) / 1000:.0f}" for _, sizes, total in tables]
        lines.append("| rest | " + " | ".join(rest) + " |")
    return lines
