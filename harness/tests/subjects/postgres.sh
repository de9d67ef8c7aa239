#!/bin/sh
# An empty Postgres that listens at $PORT and keeps its data in $DATA_DIR: a database as a subject.
set -eu
for dir in "${FACTORY_TOOLS_DIR:-/usr}"/usr/lib/postgresql/*/bin /usr/lib/postgresql/*/bin; do
    [ ! -x "$dir/initdb" ] || PATH=$dir:$PATH
done

# Postgres refuses to run as root; `nobody` can enter its own data folder only if it can pass the one above.
as_nobody() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
as=
if [ "$(id -u)" = 0 ]; then
    chmod 711 "$(dirname "$DATA_DIR")"
    chown 65534:65534 "$DATA_DIR"
    as=as_nobody
fi
$as initdb --pgdata="$DATA_DIR/db" --username=ann --auth=trust --no-sync --no-locale --encoding=UTF8 >/dev/null
cd "$DATA_DIR"
set -- postgres -D "$DATA_DIR/db" -p "$PORT" -k "" -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=16MB
if [ -n "$as" ]; then
    exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
fi
exec "$@"
