"""The unwinder that wheels for glibc are linked to: the system's, not the linker's.

When an interpreter ends, CPython up to 3.13 ends each thread that still wants its lock
by ``pthread_exit``, and glibc unwinds the thread's stack with libgcc's unwinder.  PyO3
stops that where it reaches Rust's frames.  It works only if these use the same unwinder.
zig would put LLVM's into the extension, and the process would crash.

So there is a stand-in for libgcc to link against.  It has the names that
Rust uses and nothing behind them; the system's library, which glibc itself needs for
``pthread_exit``, takes its place when the extension is loaded.
"""

from __future__ import annotations

import subprocess

from . import CACHE

# What Rust's standard library uses of the interface that every C++ and Rust compiler shares.
NAMES = """
Backtrace DeleteException FindEnclosingFunction ForcedUnwind GetCFA GetDataRelBase GetGR GetIP GetIPInfo
GetLanguageSpecificData GetRegionStart GetTextRelBase RaiseException Resume Resume_or_Rethrow SetGR SetIP
""".split()


def stand_in(builder: str, processor: str) -> str:
    """The path of the library to link against for a processor."""
    folder = CACHE / "unwinder" / processor
    library = folder / "libgcc_s.so.1"
    if not library.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        source = folder / "unwinder.c"
        source.write_text("".join(f"void _Unwind_{name}(void) {{}}\n" for name in NAMES), encoding="utf-8")
        command = [builder, "-m", "ziglang", "cc", "-target", f"{processor}-linux-gnu.2.17", "-shared", "-nostdlib", "-fPIC"]
        subprocess.run([*command, f"-Wl,-soname,{library.name}", "-o", str(library), str(source)], check=True)
    return str(library)
