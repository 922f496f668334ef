#!/usr/bin/env bash
# Play PostgREST's own test suite against tarn data-api:  conformance.sh MIRROR KIT [REV [ARGUMENT...]]
#
#   MIRROR     git directory or checkout of PostgREST
#   KIT        folder of the conformance kit: extract.py, load_fixtures.sh, run.py
#   REV        revision of PostgREST, v16.2 if not given
#   ARGUMENT   handed to run.py, as --only REGEX or --failures 20
#
# It runs a PostgreSQL of its own in a temporary folder, which needs the contrib extensions and PostGIS, and leaves
# nothing but the results in bin/conformance.json and, without further arguments, their table in docs/postgrest.md.
set -euo pipefail

usage() { sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
[[ $# -ge 2 ]] || usage
mirror=$(realpath "$1") kit=$(realpath "$2") rev=${3:-v16.2}
shift $(($# < 3 ? $# : 3))
root=$(cd "$(dirname "$0")/.." && pwd)

pgbin=${TARN_POSTGRES_BIN:-$(dirname "$(compgen -G '/usr/lib/postgresql/*/bin/postgres' | sort -V | tail -n 1 || command -v postgres)")}
share=$("$pgbin/pg_config" --sharedir 2>/dev/null || true)
if [[ -n $share && ! -e $share/extension/postgis.control ]]; then
  echo "$pgbin has no PostGIS, which the suite's fixtures need: apt-get install postgresql-${share##*/}-postgis-3" >&2
  exit 1
fi

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# PostgreSQL refuses to run as root.
as_server() {
  if [[ $(id -u) != 0 ]]; then "$@"; else runuser -u "$(id -un postgres 2>/dev/null || echo nobody)" -- "$@"; fi
}

dir=$(mktemp -d)
chmod 755 "$dir"
finish() {
  as_server "$pgbin/pg_ctl" -D "$dir/server/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$dir"
}
trap finish EXIT
mkdir "$dir/server"
[[ $(id -u) != 0 ]] || chown "$(id -u postgres 2>/dev/null || id -u nobody)" "$dir/server"

port=$(free_port)
cd "$dir"
as_server "$pgbin/initdb" -D "$dir/server/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 ||
  { cat "$dir/initdb.log" >&2; exit 1; }
as_server "$pgbin/pg_ctl" -D "$dir/server/data" -l "$dir/server/log" -w start >/dev/null -o "-p $port -k $dir/server \
  -c listen_addresses=127.0.0.1 -c shared_preload_libraries=pg_stat_statements -c fsync=off -c max_connections=200" ||
  { cat "$dir/server/log" >&2; exit 1; }

"$kit/load_fixtures.sh" "postgresql://postgres@127.0.0.1:$port/pgrst_conf" "$mirror" "$rev"
"$kit/extract.py" "$mirror" "$rev" --out "$dir/cases"
role=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["connection"]["PGUSER"])' "$dir/cases/configs.json")
"$kit/run.py" --cases "$dir/cases/cases.json" --configs "$dir/cases/configs.json" \
  --spawn "$root/bin/tarn data-api" --port "$(free_port)" --server-log "$dir/tarn.log" \
  --db-uri "postgresql://$role@127.0.0.1:$port/pgrst_conf" --json "$root/bin/conformance.json" "$@"
[[ $# -gt 0 ]] || "$root/test/conformance_table.py" "$root/bin/conformance.json" "$root/docs/postgrest.md"
