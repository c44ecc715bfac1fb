"""What an extension module says about itself: ``python -m tools.wheels.extension FILE`` prints it as JSON.

Runs in the environment that builds, which has pyelftools.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from elftools.elf.elffile import ELFFile


def describe(path: str) -> dict[str, Any]:
    """The libraries it needs, the symbols it exports, and whether it is stripped and safe to map."""
    with open(path, "rb") as stream:
        elf = ELFFile(stream)
        entries = list(elf.get_section_by_name(".dynamic").iter_tags())
        symbols = elf.get_section_by_name(".dynsym").iter_symbols()
        return {
            "needed": sorted(entry.needed for entry in entries if entry.entry.d_tag == "DT_NEEDED"),
            "search_path": [entry.entry.d_tag for entry in entries if entry.entry.d_tag in ("DT_RPATH", "DT_RUNPATH")],
            "exported": sorted(symbol.name for symbol in symbols if is_exported(symbol)),
            "stripped": elf.get_section_by_name(".symtab") is None,
            "executable_stack": any(
                segment.header.p_type == "PT_GNU_STACK" and segment.header.p_flags & 1 for segment in elf.iter_segments()
            ),
        }


def is_exported(symbol: Any) -> bool:
    """Whether others can link to a symbol."""
    return symbol.entry.st_shndx != "SHN_UNDEF" and symbol.entry.st_info.bind in ("STB_GLOBAL", "STB_WEAK")


if __name__ == "__main__":
    print(json.dumps(describe(sys.argv[1])))
