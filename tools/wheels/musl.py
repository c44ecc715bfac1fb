"""CPythons that are linked with musl, from Debian's sources, for trying the musl wheels.

An interpreter linked with musl is what users of Alpine and of slim container images
have; none can be had ready-made from a package registry.  This builds musl's own
loader and headers (Debian's, unpacked privately), the C libraries that the standard
library of Python needs (static), and CPython itself, all below ``.cache/musl``.

Debian has sources that build here for two versions, 3.11 and 3.13.  musl comes from a
suite with 1.2.5: up to 1.2.3 it does not know packed relative relocations, which the
wheels of other projects on the registry use, and crashes on them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from .. import CACHE
from ..pythons import Python
from . import debian

HOME = CACHE / "musl"
LIBRARIES = HOME / "libraries"
ROOT = HOME / "root"
SUITES = {"3.11": "bookworm", "3.13": "trixie"}

COMPILER = """\
#!/bin/sh
# The system's compiler with musl's headers, libraries and loader.
for argument; do
    case $argument in -print-multiarch|--print-multiarch) echo x86_64-linux-musl; exit 0;; esac
done
exec gcc "$@" -specs {specs}
"""


def pythons(versions: tuple[str, ...] = tuple(SUITES)) -> list[Python]:
    """The musl interpreters of these versions, built where they are missing."""
    return [Python(version, str(interpreter(version))) for version in versions]


def interpreter(version: str) -> Path:
    """One musl CPython."""
    prefix = HOME / f"python{version}"
    path = prefix / "bin" / f"python{version}"
    if not path.is_file():
        tarball = debian.source(SUITES[version], f"python{version}")
        env = {**compiler(), **libraries()}
        configure = (
            *("./configure", f"--prefix={prefix}", f"--with-openssl={LIBRARIES}"),
            *("--with-ensurepip=no", "--disable-test-modules"),
        )
        make(f"python{version}", tarball, env, [configure, PARALLEL, ("make", "install")])
        probe = "import ssl, ctypes, zlib, select, socket, hashlib"
        subprocess.run((str(path), "-c", probe), check=True)
    return path


PARALLEL = ("make", f"-j{os.cpu_count() or 1}")


def libraries() -> dict[str, str]:
    """Build zlib, libffi and OpenSSL as static libraries; the variables that make others find them."""
    env = compiler()
    if not (LIBRARIES / "lib" / "libz.a").is_file():
        configure = ("./configure", "--static", f"--prefix={LIBRARIES}")
        make("zlib", debian.source("bookworm", "zlib"), env, [configure, ("make", "libz.a"), ("make", "install")])
    if not (LIBRARIES / "lib" / "libffi.a").is_file():
        configure = (
            *("./configure", "--host=x86_64-linux-musl", "--disable-shared", "--disable-docs"),
            *("--disable-exec-static-tramp", f"--prefix={LIBRARIES}"),
        )
        make("libffi", debian.source("bookworm", "libffi"), env, [configure, PARALLEL, ("make", "install")])
    if not (LIBRARIES / "lib" / "libssl.a").is_file():
        configure = (
            *("./Configure", "linux-x86_64", "no-shared", "no-tests", "no-async", "no-engine", "no-legacy"),
            *(f"--prefix={LIBRARIES}", "--libdir=lib", "--openssldir=/etc/ssl"),
        )
        steps = [configure, (*PARALLEL, "build_libs"), ("make", "install_dev")]
        make("openssl", debian.source("bookworm", "openssl"), env, steps)
    include, lib = LIBRARIES / "include", LIBRARIES / "lib"
    return {
        "CFLAGS": f"-I{include}",
        "CPPFLAGS": f"-I{include}",
        "LDFLAGS": f"-L{lib}",
        "LIBFFI_CFLAGS": f"-I{include}",
        "LIBFFI_LIBS": f"-L{lib} -lffi",
        "PKG_CONFIG_LIBDIR": str(lib / "pkgconfig"),
        "PKG_CONFIG_PATH": "",
    }


def compiler() -> dict[str, str]:
    """The variables that make ``configure`` use musl."""
    command = HOME / "musl-cc"
    if not command.is_file():
        for tool in ("gcc", "make"):
            if not shutil.which(tool):
                raise debian.CannotHave(f"building a musl CPython needs {tool}: apt-get install build-essential")
        debian.packages(ROOT, "trixie", "musl", "musl-dev", "musl-tools")
        specs = relocated_specs()
        if not (ROOT / "lib").exists():
            (ROOT / "lib").symlink_to("usr/lib")
        kernel_headers()
        command.write_text(COMPILER.format(specs=specs), encoding="utf-8")
        command.chmod(0o755)
    return {**os.environ, "CC": str(command), "CFLAGS": "-O2 -fPIC"}


def relocated_specs() -> Path:
    """musl's settings for gcc name places in the system; make them name those in ``ROOT``."""
    original = next(ROOT.glob("usr/lib/*-linux-musl/musl-gcc.specs"))
    text = original.read_text(encoding="utf-8")
    text = re.sub(r"(?:(?<!\w)|(?<=-L))(/usr/include/|/usr/lib/|/lib/ld-musl)", rf"{ROOT}\1", text)
    relocated = HOME / "musl-gcc.specs"
    relocated.write_text(text, encoding="utf-8")
    return relocated


def kernel_headers() -> None:
    """Let musl's include folder offer the kernel's headers, which the C library does not have."""
    folder = next(ROOT.glob("usr/include/*-linux-musl"))
    for name in ("linux", "asm", "asm-generic", "mtd"):
        places = (Path("/usr/include", name), *Path("/usr/include").glob(f"*-linux-gnu/{name}"))
        for place in places:
            if place.is_dir():
                (folder / name).symlink_to(place)
                break


def make(name: str, tarball: Path, env: dict[str, str], steps: list[tuple[str, ...]]) -> None:
    """Unpack a source and run its build; what it prints is kept, and shown when it fails."""
    folder = HOME / "build" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run(("tar", "-xf", str(tarball), "-C", str(folder), "--strip-components=1"), check=True)
    print(f"+ building {name} with musl", flush=True)
    log = HOME / "build" / f"{name}.log"
    with log.open("w", encoding="utf-8") as output:
        for step in steps:
            status = subprocess.run(
                step, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
            )
            if status.returncode:
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
                print("\n".join(lines), flush=True)
                raise subprocess.CalledProcessError(status.returncode, step)
    shutil.rmtree(folder)
