#!/usr/bin/env python3
"""The notes of a release: its section of CHANGELOG.md, then how to check what was downloaded.

scripts/release_notes.py v0.1.0
"""

from __future__ import annotations

import pathlib
import re
import sys

from version import ROOT, Mismatch, numbers_of

CHECKING = """
### Checking the files

```
sha256sum -c SHA256SUMS
gh attestation verify FILE --repo OWNER/REPOSITORY
```

`sbom.cdx.json` lists what the program contains (CycloneDX). Images: `docker pull ghcr.io/OWNER/REPOSITORY:TAG`.
"""


def section(changelog: str, version: str) -> str:
    """The text between a version's heading and the next one."""
    found = re.search(rf"^## \[?{re.escape(version)}\b[^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    text = found[1].strip() if found else ""
    if not text:
        raise Mismatch(f"CHANGELOG.md has no section for {version}, or an empty one")
    return text


def notes(changelog: str, tag: str, repository: str = "mlc-ai/mlc-llm") -> str:
    checking = CHECKING.replace("OWNER/REPOSITORY:TAG", f"{repository.lower()}:{tag}")
    return section(changelog, numbers_of(tag)) + "\n" + checking.replace("OWNER/REPOSITORY", repository)


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print("usage: scripts/release_notes.py TAG [OWNER/REPOSITORY]", file=sys.stderr)
        return 2
    try:
        print(notes(pathlib.Path(ROOT / "CHANGELOG.md").read_text(), *arguments))
    except Mismatch as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
