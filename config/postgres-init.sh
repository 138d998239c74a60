#!/bin/sh
# For docker-compose.yml: the PostgreSQL image runs this once, when its data folder is still empty.
set -eu
GATE_OWNER_PASSWORD=$(cat /run/secrets/owner_password)
GATE_APP_PASSWORD=$(cat /run/secrets/app_password)
GATE_CONTROL_PASSWORD=$(cat /run/secrets/control_password)
export GATE_OWNER_PASSWORD GATE_APP_PASSWORD GATE_CONTROL_PASSWORD
psql -Xq -U "${POSTGRES_USER:-postgres}" -d postgres -v database=gatehouse -f /gatehouse/postgres-roles.sql
