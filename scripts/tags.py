#!/usr/bin/env python3
"""Which names a container image is published under, decided from the event that built it.

  scripts/tags.py --image ghcr.io/ORG/mlc-llm --event push --ref refs/heads/main --sha SHA
  scripts/tags.py --github              the same from GitHub Actions' variables, written to $GITHUB_OUTPUT

| event | production image | development image |
|---|---|---|
| push to main | latest, edge, sha-<12> | latest-dev, edge-dev, sha-<12>-dev |
| push to develop | develop, sha-<12> | develop-dev, sha-<12>-dev |
| tag v1.2.3 | v1.2.3, 1.2, stable, sha-<12> | v1.2.3-dev, 1.2-dev, stable-dev, sha-<12>-dev |
| tag v1.2.3-rc.1 | v1.2.3-rc.1, sha-<12> | v1.2.3-rc.1-dev, sha-<12>-dev |
| pull request 7 | pr-7 | pr-7-dev |
| pull request from a fork, schedule, others | none: built, not pushed | none |

A variant (`--variant cpu`) is a suffix too: latest-cpu, latest-cpu-dev. Registries want names in lower case.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import re
import sys

RELEASE = re.compile(r"refs/tags/v(\d+)\.(\d+)\.(\d+)(-(?:alpha|beta|rc)\.\d+)?")
PULL = re.compile(r"refs/pull/(\d+)/(?:merge|head)")


@dataclasses.dataclass(frozen=True)
class Build:
    """What was built: the event, the commit, and whether it may write to the registry."""

    event: str
    ref: str
    sha: str
    fork: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{40}", self.sha):
            raise ValueError(f"commit {self.sha!r}: expected 40 hexadecimal digits")


def base_tags(build: Build) -> list[str]:
    """Tags of the production image; none when the build must not be published."""
    commit = f"sha-{build.sha[:12]}"
    if build.event == "pull_request":
        found = PULL.fullmatch(build.ref)
        if not found:
            raise ValueError(f"ref {build.ref!r} of a pull request: expected refs/pull/N/merge")
        return [] if build.fork else [f"pr-{found[1]}"]
    if build.event not in ("push", "workflow_dispatch"):
        return []
    release = RELEASE.fullmatch(build.ref)
    if release:
        major, minor, patch, pre = release.groups()
        tag = f"v{major}.{minor}.{patch}{pre or ''}"
        return [tag, commit] if pre else [tag, f"{major}.{minor}", "stable", commit]
    if build.ref.startswith("refs/tags/"):
        raise ValueError(f"{build.ref}: a release tag is vX.Y.Z or vX.Y.Z-rc.N (alpha, beta)")
    names = {"refs/heads/main": ["latest", "edge"], "refs/heads/develop": ["develop"]}
    branch = names.get(build.ref)
    return [*branch, commit] if branch else []


def tags(build: Build, variant: str = "", target: str = "prod") -> list[str]:
    """Tags of one image: suffixes for the variant and for the development image."""
    suffix = (f"-{variant}" if variant else "") + {"prod": "", "dev": "-dev"}[target]
    return [tag + suffix for tag in base_tags(build)]


def image_name(registry: str, repository: str) -> str:
    """`ghcr.io` and `Org/MLC-LLM` give `ghcr.io/org/mlc-llm`."""
    name = f"{registry}/{repository}".lower()
    if not re.fullmatch(r"[a-z0-9.-]+(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+", name):
        raise ValueError(f"{name!r} is no image name")
    return name


def from_github(env: dict[str, str]) -> Build:
    """The build that GitHub Actions' variables describe."""
    fork = False
    if env["GITHUB_EVENT_NAME"] == "pull_request":
        event = json.loads(pathlib.Path(env["GITHUB_EVENT_PATH"]).read_text())
        head = event["pull_request"]["head"]["repo"]  # null when the fork is gone
        fork = head is None or head["full_name"] != env["GITHUB_REPOSITORY"]
    return Build(env["GITHUB_EVENT_NAME"], env["GITHUB_REF"], env["GITHUB_SHA"], fork)


def outputs(build: Build, image: str) -> dict[str, str]:
    """What later jobs read: names of all images, and whether to push at all."""
    prod = tags(build)
    return {
        "image": image,
        "push": "true" if prod else "false",
        "release": "true" if RELEASE.fullmatch(build.ref) and build.event == "push" else "false",
        "prerelease": "true" if (m := RELEASE.fullmatch(build.ref)) and m[4] else "false",
        "tags-prod": " ".join(prod),
        "tags-dev": " ".join(tags(build, target="dev")),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="prints the names of an image, one a line")
    parser.add_argument("--github", action="store_true", help="read GITHUB_* and write $GITHUB_OUTPUT")
    parser.add_argument("--image", default="ghcr.io/mlc-ai/mlc-llm")
    parser.add_argument("--event", default="push")
    parser.add_argument("--ref", default="refs/heads/main")
    parser.add_argument("--sha", default="0" * 40)
    parser.add_argument("--fork", action="store_true", help="a pull request from another repository")
    parser.add_argument("--variant", default="")
    parser.add_argument("--target", default="prod", choices=["prod", "dev"])
    args = parser.parse_args()
    try:
        if args.github:
            env = dict(os.environ)
            name = image_name(env.get("REGISTRY", "ghcr.io"), env.get("IMAGE_NAME", env["GITHUB_REPOSITORY"]))
            lines = [f"{key}={value}\n" for key, value in outputs(from_github(env), name).items()]
            with open(env["GITHUB_OUTPUT"], "a") as out:
                out.writelines(lines)
            print("".join(lines), end="")
            return 0
        build = Build(args.event, args.ref, args.sha, args.fork)
        for tag in tags(build, args.variant, args.target):
            print(f"{args.image.lower()}:{tag}")
    except (ValueError, KeyError) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
