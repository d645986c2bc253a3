#!/usr/bin/env python3
"""Prints a Dockerfile without the stages that a target does not need, and with stages called by their names.

  scripts/dockerfile_stages.py prod --build-arg PROGRAM=packed < Dockerfile

BuildKit leaves such stages out by itself. Older builders (buildah before 1.31) build every stage above the target, and
here that would be the development tools and a compilation for an image that needs neither. They also build stages at
the same time, and see that one waits for another by its name only, not through an ARG ("FROM ${PROGRAM}").
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


def with_parent_named(lines, values, names):
    """The stage's lines, its FROM with the name of the stage that it starts from instead of an ARG."""
    parent, name = from_line(lines)
    stage = expand(parent, values)
    if parent == stage or stage not in names:
        return lines
    return [f"FROM {stage} AS {name}" if re.match(r"\s*FROM\s", line, re.IGNORECASE) else line for line in lines]


def prune(text, target, build_args):
    head, stages = split(text)
    values = head_values(head, build_args)
    keep = needed(stages, values, target)
    kept = [with_parent_named(lines, values, keep) for lines in stages if from_line(lines)[1] in keep]
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
