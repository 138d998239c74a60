-- Who people are and what they may do.

-- What stands on the page that somebody saw.
ALTER TABLE sign_in_steps ADD COLUMN reference text;

-- What is said of an account's role: `scim` and `saml`, the roles that were sent; `detail`, what belongs to role_reason.
-- NULL, or without `scim`, in rows of older versions, where the document tells.
ALTER TABLE accounts ADD COLUMN role_basis jsonb;

-- Whether the last active administrator of an application can neither be deactivated nor get another role.
ALTER TABLE tenants ADD COLUMN keeps_administrator boolean NOT NULL DEFAULT false;
GRANT UPDATE (keeps_administrator) ON tenants TO gate_tenant;
-- Who has the highest role of the application and is active: few, whatever the size of the tenant.
ALTER TABLE accounts ADD COLUMN is_highest boolean NOT NULL DEFAULT false;
UPDATE accounts a SET is_highest = true FROM connections c JOIN applications p ON p.id = c.application_id
    WHERE c.tenant_id = a.tenant_id AND c.id = a.connection_id AND a.role = p.roles[1];
CREATE INDEX accounts_highest ON accounts (tenant_id, connection_id, id) WHERE is_highest AND active;

-- How accounts come to their users.
ALTER TABLE tenants
    -- What becomes of an account whose address, in a domain of the tenant's, somebody has.
    ADD COLUMN linking text NOT NULL DEFAULT 'link-verified-domain' CHECK (linking IN ('link-verified-domain', 'ask', 'reject')),
    -- Whether what follows a plus in an address makes another person.
    ADD COLUMN plus_addresses text NOT NULL DEFAULT 'distinct' CHECK (plus_addresses IN ('distinct', 'same'));
GRANT UPDATE (linking, plus_addresses) ON tenants TO gate_tenant;
ALTER TABLE users
    -- Known to the application before any identity provider spoke of them: they stay without an account.
    ADD COLUMN imported boolean NOT NULL DEFAULT false,
    -- email_key without what follows a plus, where something does. Generated, so that nobody forgets it.
    ADD COLUMN plain_key text GENERATED ALWAYS AS (
        CASE WHEN email_key ~ '^[^+@]+[+]' THEN regexp_replace(email_key, '^([^+@]+)[+][^@]*@', '\1@') END) STORED;
CREATE INDEX users_plain ON users (tenant_id, plain_key) WHERE plain_key IS NOT NULL;
ALTER TABLE accounts
    -- Why it cannot be used although it is active: `link`, until somebody says whether it is parked_user's.
    ADD COLUMN parked text CHECK (parked IN ('link')),
    ADD COLUMN parked_user uuid,
    ADD CONSTRAINT accounts_parked_user CHECK ((parked = 'link') = (parked_user IS NOT NULL)),
    -- How it came to its user: `new`, `address`, or `operator`.
    ADD COLUMN linked_by text;
CREATE INDEX accounts_parked ON accounts (tenant_id, connection_id, id) WHERE parked IS NOT NULL;

-- What an operator did with users, so that it can be undone.
CREATE TABLE user_changes (
    tenant_id  uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id         uuid NOT NULL,
    -- merge: user_id went into into_user_id. split: account_ids left into_user_id's user for user_id.
    kind       text NOT NULL CHECK (kind IN ('merge', 'split')),
    user_id    uuid NOT NULL,
    into_user_id uuid NOT NULL,
    -- The accounts that moved.
    account_ids uuid[] NOT NULL,
    -- The user who went, to come back as it was.
    removed    jsonb,
    created_at timestamptz NOT NULL,
    undone_at  timestamptz,
    PRIMARY KEY (tenant_id, id)
);

ALTER TABLE connections
    -- What decides about roles, the first that says anything before the others.
    -- Those that were there keep what they did: a role that sign-ins name had no say before.
    ADD COLUMN role_sources text[] NOT NULL DEFAULT '{scim,groups}';
ALTER TABLE connections ALTER COLUMN role_sources SET DEFAULT '{scim,groups,saml}';

-- Members of a group have a role; among several, the first rule.
CREATE TABLE role_rules (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    connection_id uuid NOT NULL,
    -- From 0.
    place         integer NOT NULL,
    group_name    text NOT NULL,
    -- As groups.display_name_key.
    group_key     text COLLATE "C" NOT NULL,
    role          text NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, place),
    CONSTRAINT role_rules_group_key UNIQUE (tenant_id, connection_id, group_key),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);

-- One by one, by the whole key: one UPDATE for all reads the whole tenant wherever statistics take it for small.
CREATE FUNCTION reassign_roles(of_accounts uuid[], roles text[], words text[], details jsonb[], highest boolean[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE one record;
BEGIN
    FOR one IN SELECT * FROM unnest(of_accounts, roles, words, details, highest) AS c (id, role, word, detail, is_highest) LOOP
        UPDATE accounts a SET role = one.role, role_reason = one.word, is_highest = one.is_highest,
            role_basis = coalesce(a.role_basis, '{}') || jsonb_build_object('detail', one.detail)
        WHERE a.id = one.id;
    END LOOP;
END $$;

-- Since when the roles of all accounts of the connection have to be looked at again, because the policy is another.
ALTER TABLE watches ADD COLUMN roles_since timestamptz;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['role_rules', 'user_changes']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I TO gate_tenant USING (tenant_id = current_setting(''app.tenant_id'')::uuid)', name);
    END LOOP;
END $$;
GRANT SELECT, INSERT, DELETE ON role_rules TO gate_tenant;
GRANT SELECT, INSERT, UPDATE (undone_at) ON user_changes TO gate_tenant;
