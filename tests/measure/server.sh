# A PostgreSQL server of its own in a temporary folder, for what is measured or trained on one. Sourced: start_server, and end_server at the end.
# shellcheck shell=bash

SERVER='' SERVER_BIN='' SERVER_FOLDER='' SERVER_PORT=${SERVER_PORT:-25432}

sql() { psql -X -q -A -t -h 127.0.0.1 -p "$SERVER_PORT" -U ramz "$@"; }

# start_server: set as an operator would for much to write; fsync and synchronous_commit are as they come: on.
start_server() {
  # A server will not run as root. A command and no function: what is started in the background must be the server itself, to be ended.
  local as_postgres=(env)
  if ((EUID == 0)); then as_postgres=(setpriv --reuid postgres --regid postgres --clear-groups); fi
  SERVER_BIN=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1)
  if [[ -z $SERVER_BIN ]]; then
    echo "PostgreSQL's server programs are missing: apt-get install postgresql" >&2
    return 1
  fi
  SERVER_FOLDER=$(mktemp -d /tmp/ramz-measure.XXXXXX)
  if ((EUID == 0)); then chown postgres:postgres "$SERVER_FOLDER"; fi
  "${as_postgres[@]}" "$SERVER_BIN/initdb" -D "$SERVER_FOLDER/data" -U ramz -A trust -E UTF8 --locale=C --no-sync >/dev/null
  "${as_postgres[@]}" "$SERVER_BIN/postgres" -D "$SERVER_FOLDER/data" -p "$SERVER_PORT" -k "$SERVER_FOLDER" -c listen_addresses=127.0.0.1 \
    -c shared_buffers=512MB -c max_wal_size=4GB -c max_connections=200 >"$SERVER_FOLDER/log" 2>&1 &
  SERVER=$!
  until sql postgres -c 'SELECT 1' >/dev/null 2>&1; do
    kill -0 "$SERVER" 2>/dev/null || { tail -3 "$SERVER_FOLDER/log" >&2; return 1; }
    sleep 0.1
  done
}

# new_database NAME: makes an empty one, and says how an issuer is pointed at it.
new_database() {
  sql postgres -c "CREATE DATABASE $1"
  echo "postgresql://ramz@127.0.0.1:$SERVER_PORT/$1?sslmode=disable"
}

end_server() {
  if [[ -n $SERVER ]]; then kill -QUIT "$SERVER" 2>/dev/null || true; wait "$SERVER" 2>/dev/null || true; fi
  if [[ -n $SERVER_FOLDER ]]; then rm -rf "$SERVER_FOLDER"; fi
  SERVER='' SERVER_FOLDER=''
}
