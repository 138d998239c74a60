-- Connections that were removed, and may come back for 30 days as they were.
ALTER TABLE connections
    ADD COLUMN removed_at timestamptz,
    -- What becomes of their users.
    ADD COLUMN removed_users text CHECK (removed_users IN ('keep', 'invite', 'deactivate', 'delete')),
    ADD CONSTRAINT connections_removal_is_whole CHECK ((removed_at IS NULL) = (removed_users IS NULL)),
    DROP CONSTRAINT connections_name_key;
CREATE UNIQUE INDEX connections_name_key ON connections (tenant_id, application_id, display_name) WHERE removed_at IS NULL;
CREATE INDEX connections_removed ON connections (removed_at) WHERE removed_at IS NOT NULL;
-- To every statement of a tenant it is not there, unless the transaction says that it looks for such.
CREATE POLICY removed_is_gone ON connections AS RESTRICTIVE TO gate_tenant
    USING (removed_at IS NULL OR current_setting('app.shows_removed', true) = 'yes');
GRANT DELETE ON connections TO gate_tenant;
GRANT SELECT (removed_at) ON connections TO gate_control;

-- How long somebody has been out, and after how many days such accounts are deleted; NULL for never.
ALTER TABLE accounts ADD COLUMN inactive_since timestamptz;
UPDATE accounts SET inactive_since = updated_at WHERE NOT active;
CREATE INDEX accounts_inactive ON accounts (tenant_id, inactive_since, id) WHERE inactive_since IS NOT NULL;
ALTER TABLE tenants ADD COLUMN delete_after_days integer CHECK (delete_after_days BETWEEN 1 AND 3650);
GRANT UPDATE (delete_after_days) ON tenants TO gate_tenant;

-- People who were erased: that and when, and keyed hashes of their addresses, so that somebody can ask after one.
CREATE TABLE tombstones (
    tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id        uuid NOT NULL,
    -- The user, who may have gone before.
    user_id   uuid,
    addresses bytea[] NOT NULL,
    erased_at timestamptz NOT NULL,
    -- How many rows of each kind went.
    counts    jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX tombstones_addresses ON tombstones USING gin (addresses);
ALTER TABLE tombstones ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON tombstones TO gate_tenant USING (tenant_id = current_setting('app.tenant_id')::uuid);
GRANT SELECT, INSERT ON tombstones TO gate_tenant;
GRANT DELETE ON invitations, failures, user_changes, sign_in_requests, logouts TO gate_tenant;
-- Whether a text has one of these words, which are in lower case as far as they are ASCII.
CREATE FUNCTION mentions(content text, words text[]) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT EXISTS (SELECT FROM unnest(words) w WHERE strpos(lower(content COLLATE "C"), w) > 0)
$$;
