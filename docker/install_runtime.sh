#!/bin/sh
# Makes a base image the production image: installs the packages whose libraries the program names (scripts/pack.sh
# wrote the list), creates the user, and takes away what a server does not need.
#
#   install_runtime.sh [package ...]        more packages, such as a Vulkan loader and driver
set -eu
root=/opt/mlc_llm

# LLVM of an Ubuntu base comes from LLVM's own archive, whose entry the builder left beside the list.
if [ -f "$root/share/mlc_llm/llvm-19.list" ]; then
  cp "$root/share/mlc_llm/llvm-19.list" /etc/apt/sources.list.d/
  cp "$root/share/mlc_llm/llvm.gpg" /usr/share/keyrings/
  apt-get update -q -o Dir::Etc::sourceparts=/dev/null
  apt-get install -y -q --no-install-recommends ca-certificates
fi
apt-get update -q
# shellcheck disable=SC2046  # one word per package
apt-get install -y -q --no-install-recommends ca-certificates $(cat "$root/share/mlc_llm/runtime-packages.txt") "$@"
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

if [ -n "$(ls -A "$root/lib/gpu" 2>/dev/null)" ]; then
  echo "$root/lib/gpu" >/etc/ld.so.conf.d/mlc_llm.conf
  ldconfig
fi

grep -q '^mlc:' /etc/passwd || echo 'mlc:x:10001:0:mlc_llm:/home/mlc:/usr/sbin/nologin' >>/etc/passwd
for dir in /home/mlc /var/cache/mlc_llm /models; do
  mkdir -p "$dir"
  chown 10001:0 "$dir"
  chmod 0775 "$dir"
done

# No program may change its user, and a program that misses a library shows here, not at the first start.
find / -xdev -type f -perm /6000 -exec chmod a-s {} +
"$root/bin/mlc_llm" --version
