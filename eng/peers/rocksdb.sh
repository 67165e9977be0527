#!/usr/bin/env bash
# Builds RocksDB, the peer of AiDb.Benchmarks, as a release from Debian's source package: Debian's own binary has
# assertions on, which cost it up to half its speed. The last line is the path of librocksdb.so. Does nothing when it
# is there already.
#   eng/peers/rocksdb.sh [DIR]      default: artifacts/peers/rocksdb
# Environment: AIDB_PEER_JOBS (compilers at one time; default: one for each core and for every 2 GiB of memory).
set -euo pipefail

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
dir="${1:-$repository/artifacts/peers/rocksdb}"
mkdir -p "$dir"
dir="$(cd "$dir" && pwd)"
library="$dir/build/librocksdb.so"

# The stamp is written last, so a build that was broken off is taken up again.
if [ -e "$dir/built" ] && [ -e "$library" ]; then
  echo "$library"
  exit 0
fi

say() { printf '== %s\n' "$*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >&2
}

require_debian() {
  command -v apt-get >/dev/null || { say "this script needs apt (Debian or Ubuntu)"; exit 1; }
}

# Adds lists of sources beside the lists of binaries that the machine has, where they are not enabled.
enable_sources() {
  apt-cache showsrc rocksdb 2>/dev/null | grep -q '^Package: rocksdb$' && return
  say "enables source packages for apt"
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] && as_root sed -i 's/^Types: deb$/Types: deb deb-src/' "$file"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] || continue
    sed -n 's/^deb /deb-src /p' "$file"
  done | as_root tee /etc/apt/sources.list.d/aidb-peers-src.list >/dev/null
  apt update
}

install_tools() {
  local missing=() package
  for package in cmake dpkg-dev g++ libgflags-dev liblz4-dev ninja-build; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "installs ${missing[*]}"
  # A fresh machine has no lists of packages yet.
  for package in "${missing[@]}"; do
    apt-cache show "$package" >/dev/null 2>&1 || { apt update; break; }
  done
  apt install --no-install-recommends -y "${missing[@]}"
}

fetch_source() {
  [ -e "$dir/src/CMakeLists.txt" ] && return
  say "fetches the source package"
  rm -rf "$dir/src" "$dir/download"
  mkdir "$dir/download"
  (cd "$dir/download" && apt-get -q source --download-only rocksdb >&2 && dpkg-source -x ./*.dsc "$dir/src" >&2)
}

# Release of CMake is -O3; RocksDB itself adds the CRC and carry-less multiplication that the processor has.
configure() {
  cmake -S "$dir/src" -B "$dir/build" -G Ninja \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS="-march=native -DNDEBUG -w" \
    -DROCKSDB_BUILD_SHARED=ON -DPORTABLE=OFF -DFAIL_ON_WARNINGS=OFF \
    -DWITH_LZ4=ON -DWITH_GFLAGS=ON -DWITH_SNAPPY=OFF -DWITH_ZLIB=OFF -DWITH_ZSTD=OFF -DWITH_BZ2=OFF \
    -DWITH_TESTS=OFF -DWITH_TOOLS=OFF -DWITH_CORE_TOOLS=OFF -DWITH_BENCHMARK_TOOLS=ON >&2
}

jobs() {
  local cores memory
  cores="$(nproc)"
  memory="$(($(awk '/^MemAvailable:/ {print $2}' /proc/meminfo) / 2097152))"
  local most=$((memory < cores ? memory : cores))
  echo "${AIDB_PEER_JOBS:-$((most > 0 ? most : 1))}"
}

require_debian
install_tools
enable_sources
fetch_source
say "configures"
configure
say "compiles; that takes a quarter of an hour on two cores"
ninja -C "$dir/build" -j "$(jobs)" rocksdb-shared db_bench >&2
if nm -D --undefined-only "$library" | grep -q __assert_fail; then
  say "the library has assertions on, which it must not"
  exit 1
fi

touch "$dir/built"
echo "$library"
