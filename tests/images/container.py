"""Runs an image's files as an engine would with `--read-only --tmpfs /tmp --user UID`: on the host's network.

with Container(root, config, ["serve"], user=1000540000, log=path) as c:
    c.exec(["/opt/mlc_llm/bin/mlc_llm", "health"])
    c.stop()                                     SIGTERM to process 1, gives its exit code
"""

import os
import pathlib
import shlex
import signal
import subprocess
import time

# Process 1 of the container becomes the image's command: mounts first, then another root, another user, no privileges.
START = r"""
set -eu
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev"
for d in null zero full random urandom; do touch "$ROOT/dev/$d"; mount --bind "/dev/$d" "$ROOT/dev/$d"; done
mkdir "$ROOT/dev/shm"; mount -t tmpfs -o mode=1777 tmpfs "$ROOT/dev/shm"
mount -t proc proc "$ROOT/proc"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
touch "$ROOT/etc/hosts"; mount --bind /etc/hosts "$ROOT/etc/hosts"
%(binds)s
%(read_only)s
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+sys_chroot,+setuid,+setgid \
  chroot --userspec="$RUN_UID:$RUN_GID" --groups="" "$ROOT" /usr/bin/env -i -C "$RUN_CWD" "$@"
"""


class Container:
    def __init__(self, root, config, args, *, user, log, group=0, binds=(), read_only=True, **env):
        """`config`: of `Builder.inspect(…)["config"]`. `binds`: (directory, where, "ro" or "rw")."""
        self.root, self.user, self.group, self.log_path = pathlib.Path(root), user, group, pathlib.Path(log)
        self.env = dict(pair.split("=", 1) for pair in config["Env"])
        self.env.update({k: str(v) for k, v in env.items()})
        lines = []
        for source, target, mode in binds:
            there = shlex.quote(f"{self.root}{target}")
            lines.append(f"mount --bind {shlex.quote(str(source))} {there} && mount -o remount,bind,{mode} {there}")
        script = START % {
            "binds": "\n".join(lines),
            "read_only": 'mount -o remount,bind,ro "$ROOT"' if read_only else "",
        }
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", script, "start"]
        command += [f"{k}={v}" for k, v in self.env.items()] + (config["Entrypoint"] or []) + list(args)
        own = {"PATH": os.environ["PATH"], "ROOT": str(self.root), "RUN_CWD": config["WorkingDir"] or "/"}
        own |= {"RUN_UID": str(user), "RUN_GID": str(group)}
        with open(self.log_path, "wb") as out:
            self.process = subprocess.Popen(command, env=own, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()  # --kill-child takes process 1 along
        self.process.wait()

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def pid(self):
        """Process 1 of the container, as the host numbers it."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        assert len(children) == 1, f"process 1 is gone: {self.log}"
        return int(children[0])

    def exec(self, command, limit=60):
        """Runs a command in the container, as health checks are run."""
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--root"]
        enter += ["--setuid", str(self.user), "--setgid", str(self.group), "/usr/bin/env", "-i"]
        enter += [f"{k}={v}" for k, v in self.env.items()]
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=False, timeout=limit)

    def wait_for(self, ready, limit):
        """Waits until `ready()` is true."""
        deadline = time.monotonic() + limit
        while not ready():
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.log}"
            assert time.monotonic() < deadline, f"not ready after {limit} s: {self.log}"
            time.sleep(0.1)

    def stop(self, limit=60):
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(limit)


def run(root, config, args, *, log, limit=600, **options):
    """Runs a container to its end: (exit code, output)."""
    with Container(root, config, args, log=log, **options) as container:
        code = container.process.wait(limit)
        return code, container.log
