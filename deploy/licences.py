#!/usr/bin/env python3
"""Lists the licences of what the binary is made of, and refuses those that nobody has looked at.

    python3 deploy/licences.py [FILE]

Writes a table to FILE (the standard output, if none is given): package, version, licence, where it comes from. A package counts where
`segmenta` needs it to be built or to run. Of several licences to choose from, one that is known is enough.
"""

import json
import pathlib
import re
import subprocess
import sys

KNOWN = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CDLA-Permissive-2.0",
    "ISC", "MIT", "MIT-0", "MPL-2.0", "Unicode-3.0", "Unlicense", "Zlib", "bzip2-1.0.6",
}


def is_known(expression: str) -> bool:
    """Whether an SPDX expression (or the older form with slashes) can be met by known licences alone."""
    words = re.findall(r"[()]|[^\s()/]+|/", expression.replace("/", " OR "))
    joined, at = [], 0
    while at < len(words):
        if at + 2 < len(words) and words[at + 1] == "WITH":
            joined.append(" ".join(words[at : at + 3]))
            at += 3
        else:
            joined.append(words[at])
            at += 1
    python = {"OR": "or", "AND": "and", "(": "(", ")": ")"}
    return eval(" ".join(python.get(word, str(word in KNOWN)) for word in joined), {})


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    told = subprocess.run(["cargo", "metadata", "--locked", "--format-version", "1"], cwd=root, check=True, capture_output=True)
    metadata = json.loads(told.stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    needs = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
    waiting = [package["id"] for package in metadata["packages"] if package["name"] == "segmenta"]
    seen = set(waiting)
    while waiting:
        for dependency in needs[waiting.pop()]:
            is_needed = any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
            if is_needed and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    others = sorted((packages[key] for key in seen if packages[key]["source"]), key=lambda package: (package["name"], package["version"]))
    rows = [(p["name"], p["version"], p["license"] or "see its licence file", p["repository"] or "") for p in others]
    table = "\n".join("\t".join(row) for row in [("package", "version", "licence", "repository"), *rows]) + "\n"
    if len(sys.argv) > 1:
        pathlib.Path(sys.argv[1]).write_text(table)
    else:
        print(table, end="")
    unknown = [f"{name} {version}: {licence}" for name, version, licence, _ in rows if not is_known(licence)]
    for line in unknown:
        print(f"{line} is not a licence that has been looked at (deploy/licences.py)", file=sys.stderr)
    print(f"{len(rows)} packages", file=sys.stderr)
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
