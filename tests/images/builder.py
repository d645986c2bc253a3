"""Builds images of the repository's Dockerfile with buildah, from a base that mmdebstrap makes out of Debian's archive.

images = Builder(ROOT / "build" / "images")
name = images.build("prod", PROGRAM="packed")
images.inspect(name)["config"]["User"]
images.root_of(name)                     a directory with the image's files
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

BASE = "localhost/mlc-base:bookworm"
# debian:12-slim is the smallest Debian with time zones, without documentation (but licences) and translations.
BASE_PACKAGES = "tzdata"
LEFT_OUT = ["/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/lintian/*"]
KEPT = ["/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias"]
OWN_AUTHORITIES = pathlib.Path("/usr/local/share/ca-certificates")
LIMIT_S = 5400  # a build from source with nothing cached


class Builder:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        # Without overlays every layer is a copy of all the files below it.
        self.driver = "overlay" if overlays_work(self.directory) else "vfs"

    def buildah(self, *args, text=None, limit=LIMIT_S):
        """Runs buildah on a store of our own; its output is shown when it fails."""
        store = [
            "--storage-driver",
            self.driver,
            "--root",
            self.directory / "store",
            "--runroot",
            self.directory / "run",
        ]
        command = ["buildah", *map(str, store), *map(str, args)]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=limit)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
        return done.stdout.strip()

    def exists(self, name):
        return name in self.buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()

    def base(self):
        """A plain Debian 12, as debian:12-slim is one."""
        if self.exists(BASE):
            return BASE
        tar = self.directory / "base.tar"
        if not tar.exists():
            partial = tar.with_suffix(".partial")
            command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm", partial]
            command += [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT]
            command += [f"--dpkgopt=path-include={path}" for path in KEPT]
            subprocess.run([*command, "--format=tar"], check=True, timeout=900)
            partial.rename(tar)
        container = self.buildah("from", "scratch")
        self.buildah("add", container, tar, "/")
        # Where a proxy opens TLS, builds must trust what this machine trusts.
        for authority in sorted(OWN_AUTHORITIES.glob("*.crt")):
            self.buildah("add", container, authority, f"{OWN_AUTHORITIES}/{authority.name}")
        self.buildah("commit", "--format", "docker", "--rm", container, BASE)
        return BASE

    def build(self, target, *, volumes=(), tag="test", layers=False, **build_args):
        """Builds one stage and gives its name. With `layers` what it shares with others is built once and kept."""
        build_args = {"BASE_IMAGE": self.base(), **build_args}
        name = f"localhost/mlc-llm-{target}:{tag}"
        dockerfile = self.directory / f"Dockerfile.{target}.{tag}"
        arguments = [word for key, value in build_args.items() for word in ("--build-arg", f"{key}={value}")]
        with open(ROOT / "Dockerfile", "rb") as text, open(dockerfile, "wb") as out:
            prune = [ROOT / "scripts" / "dockerfile_stages.py", target, *arguments]
            subprocess.run(prune, stdin=text, stdout=out, check=True)
        options = ["--isolation", "chroot", "--pull-never", "--format", "docker", "--target", target]
        options += ["--layers"] if layers and self.driver == "overlay" else []
        for volume in volumes:
            options += ["--volume", volume]
        self.buildah("build", *options, *arguments, "-f", dockerfile, "-t", name, ROOT)
        return name

    def inspect(self, name):
        """The image's description in Docker's form."""
        return json.loads(self.buildah("inspect", "--type", "image", name))["Docker"]

    def root_of(self, name):
        """A writable copy of the image's files, as a container has them."""
        container = self.buildah("from", "--pull-never", name)
        return pathlib.Path(self.buildah("mount", container))

    def clean_up(self):
        """Removes containers, and images that newer ones of the same name replaced."""
        self.buildah("rm", "--all")
        self.buildah("rmi", "--prune")


def overlays_work(directory):
    """Whether the kernel mounts overlays there: not on every file system, and not inside most containers."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        lower, upper, work, merged = (pathlib.Path(place) / name for name in ("lower", "upper", "work", "merged"))
        for path in (lower, upper, work, merged):
            path.mkdir()
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        script = f'mount -t overlay overlay -o "{options}" "{merged}"'
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], check=False, capture_output=True)
    return done.returncode == 0


def missing():
    """Why images cannot be built here; empty when they can."""
    tools = [tool for tool in ("buildah", "mmdebstrap", "unshare", "nsenter") if not shutil.which(tool)]
    if tools:
        return f"{', '.join(tools)} not installed (scripts/install_deps.sh test)"
    if os.getuid() != 0:
        return "only root can build images without an engine"
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False, capture_output=True).returncode:
        return "this machine allows no new mount namespaces"
    return ""
