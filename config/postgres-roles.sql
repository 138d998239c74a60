-- Makes Gatehouse's database roles and its database. Run it with psql as a superuser (or a login with CREATEROLE
-- and CREATEDB) on any database of the instance. It may be run again at any time, and then sets the passwords anew.
--   GATE_OWNER_PASSWORD=… GATE_APP_PASSWORD=… GATE_CONTROL_PASSWORD=… psql -v database=gatehouse -f postgres-roles.sql
--
-- gate_owner    owns the database and its schema, and runs migrations. `gatehouse serve` refuses to start as it.
-- gate_app      the login of `gatehouse serve`. It may read nothing of its own and inherits nothing.
-- gate_tenant   no login; gate_app becomes it inside one tenant's transaction, where row-level security applies.
-- gate_control  a login with a few named doors across tenants.
\set ON_ERROR_STOP on
\set QUIET on
\if :{?database}
\else
  \set database gatehouse
\endif
\getenv owner_password GATE_OWNER_PASSWORD
\getenv app_password GATE_APP_PASSWORD
\getenv control_password GATE_CONTROL_PASSWORD
\if :{?owner_password}
  \if :{?app_password}
    \if :{?control_password}
      \set passwords_given yes
    \endif
  \endif
\endif
\if :{?passwords_given}
\else
  DO $$ BEGIN RAISE EXCEPTION 'set GATE_OWNER_PASSWORD, GATE_APP_PASSWORD and GATE_CONTROL_PASSWORD in the environment of psql'; END $$;
\endif

SET client_min_messages = warning;

-- Roles belong to the whole instance; two runs at the same time would race.
SELECT pg_advisory_lock(hashtext('gatehouse.roles')) \g /dev/null

SELECT format('CREATE ROLE %I', name)
  FROM unnest(ARRAY['gate_owner', 'gate_app', 'gate_tenant', 'gate_control']) AS name
 WHERE name NOT IN (SELECT rolname FROM pg_roles)
\gexec
ALTER ROLE gate_owner LOGIN INHERIT PASSWORD :'owner_password';
ALTER ROLE gate_app LOGIN NOINHERIT PASSWORD :'app_password';
ALTER ROLE gate_control LOGIN NOINHERIT PASSWORD :'control_password';
ALTER ROLE gate_tenant NOLOGIN;

-- Row-level security means nothing to these; somebody changed the roles by hand.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname LIKE 'gate\_%' AND (rolsuper OR rolbypassrls)) THEN
        RAISE EXCEPTION 'a gate_ role is SUPERUSER or BYPASSRLS; take that from it and run this again';
    END IF;
END
$$;

-- gate_app may become gate_tenant, and has none of its rights before it does.
SELECT current_setting('server_version_num')::int >= 160000 AS grants_have_options \gset
\if :grants_have_options
  GRANT gate_tenant TO gate_app WITH INHERIT FALSE, SET TRUE;
\else
  GRANT gate_tenant TO gate_app;
\endif

-- A request that hangs must not hold its locks for ever.
SELECT format('ALTER ROLE %I SET %s = %L', role, setting, value)
  FROM (VALUES ('gate_app'), ('gate_control')) AS logins (role),
       (VALUES ('idle_in_transaction_session_timeout', '60s'), ('statement_timeout', '30s'), ('lock_timeout', '10s')) AS limits (setting, value)
\gexec

-- Whoever is no superuser has to be a member of the owner to give it a database.
SELECT format('GRANT gate_owner TO %I', current_user)
  FROM pg_roles WHERE rolname = current_user AND NOT rolsuper
\gexec
SELECT format('CREATE DATABASE %I OWNER gate_owner TEMPLATE template0 ENCODING ''UTF8''', :'database')
 WHERE :'database' NOT IN (SELECT datname FROM pg_database)
\gexec
ALTER DATABASE :"database" OWNER TO gate_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO gate_app, gate_control;

\connect :"database"
SET client_min_messages = warning;
SELECT 'SET ROLE gate_owner' FROM pg_roles WHERE rolname = current_user AND NOT rolsuper
\gexec
SELECT 'ALTER SCHEMA public OWNER TO gate_owner'
 WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public' AND nspowner = 'gate_owner'::regrole)
\gexec
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
