#!/bin/sh
# Run once by the image of PostgreSQL, when its volume is new: a role and a database for each address in /run/secrets/pg_*.
set -eu
for file in /run/secrets/pg_*; do
    name=$(sed 's|.*/||' "$file")
    role=$(sed 's|.*://\([^:]*\):.*|\1|' "$file")
    password=$(sed 's|.*://[^:]*:\([^@]*\)@.*|\1|' "$file")
    psql --set=ON_ERROR_STOP=1 --quiet --username=postgres --set=name="$name" --set=role="$role" --set=password="$password" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"role";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
