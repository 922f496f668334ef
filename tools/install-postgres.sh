#!/usr/bin/env bash
# Install PostgreSQL's server programs, unless there are some. No server is set up or started: Tarn runs its own.
set -euo pipefail

found() {
  [[ -n ${TARN_POSTGRES_BIN:-}${TARN_TEST_POSTGRES_BIN:-} ]] || command -v postgres >/dev/null ||
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ||
    compgen -G '/usr/pgsql-*/bin/postgres' >/dev/null ||
    compgen -G '/opt/homebrew/opt/postgresql@*/bin/postgres' >/dev/null ||
    compgen -G '/usr/local/opt/postgresql@*/bin/postgres' >/dev/null ||
    compgen -G '/usr/local/pgsql/bin/postgres' >/dev/null ||
    compgen -G '/usr/libexec/postgresql*/postgres' >/dev/null
}

as_root() {
  if [[ $(id -u) = 0 ]]; then "$@"; else sudo "$@"; fi
}

# Debian's package makes a cluster and starts it, unless a file says no. The file is ours, so it goes again.
no_cluster=/etc/postgresql-common/createcluster.d/tarn.conf

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

if found; then exit 0; fi
if ! command -v apt-get >/dev/null; then
  echo "No PostgreSQL server programs were found. Install PostgreSQL 14 or later with this system's packages, or set" >&2
  echo "TARN_POSTGRES_BIN to the folder of postgres and initdb." >&2
  exit 1
fi
echo "Installing PostgreSQL's server programs with apt-get" >&2
as_root mkdir -p "${no_cluster%/*}"
echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
trap 'as_root rm -f "$no_cluster"; as_root rmdir --ignore-fail-on-non-empty "${no_cluster%/*}"' EXIT
apt_install postgresql || { as_root apt-get update -q && apt_install postgresql; }
found
