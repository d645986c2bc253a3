#!/bin/sh
# What the development image has beyond the build's and the tests' packages: debuggers, Git LFS, linters, and a Python
# environment in /opt/dev with Jupyter Lab, TensorBoard and the Python tools (requirements-dev.txt).
#
#   docker/install_dev_tools.sh UID        of the user who works in it
set -eu
uid=${1:?usage: $0 UID}
apt-get update -q
apt-get install -y -q --no-install-recommends git-lfs gdb clangd-19 less openssh-client procps shellcheck shfmt python3-venv bash-completion
python3 -m venv /opt/dev
/opt/dev/bin/pip install --quiet --no-cache-dir --disable-pip-version-check -r requirements-dev.txt
# A base may have a user of that id (Ubuntu's "ubuntu"): it goes.
if taken=$(getent passwd "$uid"); then userdel --remove "${taken%%:*}" 2>/dev/null || true; fi
groupadd --force --gid "$uid" mlc
useradd --uid "$uid" --gid "$uid" --create-home --shell /bin/bash mlc
mkdir -p /workspace /home/mlc/.cache
chown "$uid:$uid" /workspace /home/mlc/.cache
