#!/bin/bash
# As the image postgres:18: files in /var/lib/postgresql/18/docker, made once by POSTGRES_…, then /docker-entrypoint-initdb.d.
set -eu
export PGDATA=/var/lib/postgresql/18/docker
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown -R postgres: /var/lib/postgresql
    chmod 700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    password=${POSTGRES_PASSWORD:-$(cat "${POSTGRES_PASSWORD_FILE:?}")}
    # shellcheck disable=SC2086 # several options in one variable
    initdb --username=postgres --pwfile=<(printf %s "$password") ${POSTGRES_INITDB_ARGS:-} > /dev/null
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    pg_ctl --silent --wait --options="-c listen_addresses=''" start
    for script in /docker-entrypoint-initdb.d/*.sh; do
        [ ! -f "$script" ] || PGPASSWORD=$password "$script"
    done
    pg_ctl --silent --wait --mode=fast stop
fi
exec "$@"
