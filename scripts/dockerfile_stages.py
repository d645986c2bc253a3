#!/usr/bin/env python3
"""Prints a Dockerfile without the stages that a target does not need.

  scripts/dockerfile_stages.py prod --build-arg PROGRAM=packed < Dockerfile

BuildKit leaves such stages out by itself. Older builders (buildah before 1.31) build every stage above the target, and
here that would be the development tools and a compilation for an image that needs neither.
"""

import argparse
import re
import sys


def expand(text, values):
    """$NAME, ${NAME} and ${NAME:-default}, with the values of the ARGs before the first FROM."""

    def value(match):
        name, default = match.group(1) or match.group(3), match.group(2) or ""
        return values.get(name) or default

    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)", value, text)


def split(text):
    """(what stands before the first FROM, [lines of each stage]); comments above a FROM belong to it."""
    head: list[str] = []
    pending: list[str] = []
    stages: list[list[str]] = []
    for line in text.splitlines():
        if re.match(r"\s*FROM\s", line, re.IGNORECASE):
            stages.append([*pending, line])
            pending = []
        elif not line.strip() or line.startswith("#"):
            pending.append(line)
        else:
            (stages[-1] if stages else head).extend([*pending, line])
            pending = []
    return head, stages


def from_line(lines):
    """(what the stage starts from, its name)"""
    line = next(line for line in lines if re.match(r"\s*FROM\s", line, re.IGNORECASE))
    found = re.match(r"\s*FROM\s+(\S+)\s+AS\s+(\S+)", line, re.IGNORECASE)
    if not found:
        raise SystemExit(f'found "{line}", expected FROM BASE AS NAME: every stage needs a name')
    return found.groups()


def head_values(head, build_args):
    values: dict[str, str] = {}
    for line in head:
        if found := re.match(r"ARG\s+(\w+)(?:=(.*))?$", line):
            values[found.group(1)] = build_args.get(found.group(1), expand(found.group(2) or "", values))
    return values


def needed(stages, values, target):
    """Names of the stages that `target` is made of."""
    sources = {}
    for lines in stages:
        parent, name = from_line(lines)
        body = "\n".join(line for line in lines if not line.startswith("#"))
        copied = re.findall(r"--from=([\w.-]+)", body) + re.findall(r"--mount=\S*?\bfrom=([\w.-]+)", body)
        sources[name] = {expand(parent, values), *copied}
    if target not in sources:
        raise SystemExit(f"there is no stage {target}; there are {', '.join(sources)}")
    found, todo = set(), [target]
    while todo:
        name = todo.pop()
        if name in sources and name not in found:
            found.add(name)
            todo.extend(sources[name])
    return found


def prune(text, target, build_args):
    head, stages = split(text)
    keep = needed(stages, head_values(head, build_args), target)
    kept = [lines for lines in stages if from_line(lines)[1] in keep]
    return "\n".join(line for block in [head, *kept] for line in block) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    build_args = dict(pair.split("=", 1) for pair in args.build_arg)
    sys.stdout.write(prune(sys.stdin.read(), args.target, build_args))


if __name__ == "__main__":
    main()
