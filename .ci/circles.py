#!/usr/bin/env python3
"""Finds files of a crate that import each other in a circle. A `mod.rs` and the files below it may.

    python3 .ci/circles.py [--list]    # with --list: what each file imports
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def without_tests(text: str) -> str:
    return text.split("\n#[cfg(test)]\nmod ")[0]


def paths(tree: str) -> list[list[str]]:
    """What a use names: `a::{b, c::d}` is a::b and a::c::d."""
    tree = re.sub(r"//[^\n]*|\s+", " ", tree)
    found, stack, word = [], [[]], ""
    for token in re.findall(r"[A-Za-z0-9_*]+|::|[{},]", tree.split(" as ")[0] if "{" not in tree else re.sub(r" as \w+", "", tree)):
        if token == "::":
            continue
        if token == "{":
            stack.append([*stack[-1], *word])
            word = []
        elif token in ",}":
            if word:
                found.append([*stack[-1], *word])
            word = []
            if token == "}":
                stack.pop()
        else:
            word = [*word, token]
    if word:
        found.append([*stack[-1], *word])
    return found


def imports(crate: pathlib.Path) -> dict[pathlib.Path, set[pathlib.Path]]:
    source = crate / "src"
    files = sorted(source.rglob("*.rs"))
    module = {}
    for file in files:
        parts = list(file.relative_to(source).with_suffix("").parts)
        if parts[-1] in ("mod", "lib", "main"):
            parts = parts[:-1]
        module[tuple(parts)] = file
    graph = {file: set() for file in files}
    for name, file in module.items():
        for use in re.findall(r"(?:^|\n)\s*(?:pub(?:\([^)]*\))? )?use ((?:crate|super|self)::[^;]*);", without_tests(file.read_text())):
            for path in paths(use):
                at = list(name)
                while path and path[0] in ("crate", "super", "self"):
                    first, *path = path
                    at = [] if first == "crate" else at[:-1] if first == "super" else at
                while path and (*at, path[0]) in module:
                    at.append(path.pop(0))
                target = module[tuple(at)] if tuple(at) in module else None
                if target and target != file:
                    graph[file].add(target)
    return graph


def is_parent(a: pathlib.Path, b: pathlib.Path) -> bool:
    """Whether a is the `mod.rs`, `lib.rs` or `main.rs` above b."""
    return a.name in ("mod.rs", "lib.rs", "main.rs") and a.parent in b.parents


def circles(graph: dict) -> list[list[pathlib.Path]]:
    edges = {a: {b for b in targets if not is_parent(a, b) and not is_parent(b, a)} for a, targets in graph.items()}
    index, low, stack, found, count = {}, {}, [], [], [0]

    def visit(node):
        index[node] = low[node] = count[0]
        count[0] += 1
        stack.append(node)
        for target in edges[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            component = []
            while True:
                component.append(stack.pop())
                if component[-1] == node:
                    break
            if len(component) > 1:
                found.append(sorted(component))

    for node in edges:
        if node not in index:
            visit(node)
    return found


def main() -> int:
    status = 0
    for crate in sorted((ROOT / "crates").iterdir()):
        graph = imports(crate)
        if "--list" in sys.argv:
            for file, targets in graph.items():
                print(file.relative_to(ROOT), "->", *(str(target.relative_to(crate / "src")) for target in sorted(targets)))
        for circle in circles(graph):
            status = 1
            print(f"{crate.name}: a circle of", *(str(file.relative_to(crate / "src")) for file in circle))
    return status


if __name__ == "__main__":
    sys.exit(main())
