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
# Over TLS where a folder with a certificate is given; the server wants the key to be its own.
if [ -n "${TLS-}" ]; then
    for file in server.pem server.key; do
        cp "$TLS/$file" "$DATA_DIR/$file"
        chmod 600 "$DATA_DIR/$file"
        [ -z "$as" ] || chown 65534:65534 "$DATA_DIR/$file"
    done
    set -- "$@" -c ssl=on -c ssl_cert_file="$DATA_DIR/server.pem" -c ssl_key_file="$DATA_DIR/server.key"
fi
if [ -n "$as" ]; then
    exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
fi
exec "$@"
