-- The directory, whole: a search index over attributes, nested groups, attributes of the customer's own,
-- credentials that expire, password sync, and a log of what identity providers asked.

-- Compared and sorted byte by byte: keys are folded in Rust, and no locale has a say.
ALTER TABLE accounts
    ALTER COLUMN user_name_key TYPE text COLLATE "C",
    ALTER COLUMN external_id TYPE text COLLATE "C";
ALTER TABLE groups
    ALTER COLUMN display_name_key TYPE text COLLATE "C",
    ALTER COLUMN external_id TYPE text COLLATE "C";
-- Lists are in the order of ids, which are in the order of time; accounts_connection_key and groups_connection_key serve them.
DROP INDEX accounts_list;
DROP INDEX groups_list;

-- Each is for those who name its last column, and no other question may choose it. While statistics take connections for
-- small, every index that begins with (tenant_id, connection_id) looks as good as the one that ends with the id that is
-- asked for, and the check of a foreign key went through one of them, row by row.
DROP INDEX accounts_external_id;
CREATE INDEX accounts_external_id ON accounts (tenant_id, connection_id, external_id) WHERE external_id IS NOT NULL;
DROP INDEX accounts_email;
CREATE INDEX accounts_email ON accounts (tenant_id, connection_id, email_key) WHERE email_key IS NOT NULL;
ALTER TABLE accounts DROP CONSTRAINT accounts_name_id_key;
CREATE UNIQUE INDEX accounts_name_id_key ON accounts (tenant_id, connection_id, name_id) WHERE name_id IS NOT NULL;
DROP INDEX groups_external_id;
CREATE INDEX groups_external_id ON groups (tenant_id, connection_id, external_id) WHERE external_id IS NOT NULL;
DROP INDEX users_email;
CREATE INDEX users_email ON users (tenant_id, email_key) WHERE email_key IS NOT NULL;

ALTER TABLE accounts DROP CONSTRAINT accounts_user_name_key;
CREATE UNIQUE INDEX accounts_user_name_key ON accounts (tenant_id, connection_id, user_name_key) WHERE user_name_key IS NOT NULL;
DROP INDEX accounts_user;
CREATE INDEX accounts_user ON accounts (tenant_id, user_id) WHERE user_id IS NOT NULL;
ALTER TABLE groups DROP CONSTRAINT groups_display_name_key;
CREATE UNIQUE INDEX groups_display_name_key ON groups (tenant_id, connection_id, display_name_key) WHERE display_name_key IS NOT NULL;

-- Nobody asks for it yet, and each event paid for it.
DROP INDEX events_subject;

-- In the order in which an account's groups are read. Without group_id the planner took the primary key for a tenant with
-- few memberships and kept the plan for the next tenant, of which it read all.
DROP INDEX group_members_account;
CREATE INDEX group_members_account ON group_members (tenant_id, account_id, group_id);

-- Their connection, or their group, has it; checking it as well would lock the tenant's row in each request.
ALTER TABLE accounts DROP CONSTRAINT accounts_tenant_id_fkey;
ALTER TABLE groups DROP CONSTRAINT groups_tenant_id_fkey;
ALTER TABLE group_members DROP CONSTRAINT group_members_tenant_id_fkey;

-- Accounts from before there was an index; `gatehouse migrate` writes what they are found by.
ALTER TABLE accounts ADD COLUMN indexed boolean NOT NULL DEFAULT false;
CREATE INDEX accounts_unindexed ON accounts (tenant_id, id) WHERE NOT indexed;

ALTER TABLE connections
    -- Whether passwords that the identity provider sends are kept.
    ADD COLUMN password_sync boolean NOT NULL DEFAULT false,
    -- Whether roles are announced as resources, for Okta Identity Governance.
    ADD COLUMN entitlements boolean NOT NULL DEFAULT false,
    -- Counts changes of schema_attributes and of the application's roles, so that a gateway notices that what it
    -- remembers is old.
    ADD COLUMN schema_version bigint NOT NULL DEFAULT 1;

-- Attributes that a connection's administrator defined (Okta: "External name" and "External namespace").
CREATE TABLE schema_attributes (
    tenant_id        uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id               uuid NOT NULL,
    connection_id    uuid NOT NULL,
    urn              text NOT NULL,
    urn_key          text NOT NULL,
    name             text NOT NULL,
    name_key         text NOT NULL,
    description      text NOT NULL,
    kind             text NOT NULL,
    multi_valued     boolean NOT NULL,
    case_exact       boolean NOT NULL,
    canonical_values text[] NOT NULL,
    created_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT schema_attributes_name_key UNIQUE (tenant_id, connection_id, urn_key, name_key),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);

-- What SCIM filters and sorts by and no column of accounts holds: a row for each value of an attribute.
CREATE TABLE account_attributes (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid,
    connection_id uuid NOT NULL,
    account_id    uuid NOT NULL,
    -- In lower case, as in name.familyname or emails.
    path          text COLLATE "C" NOT NULL,
    -- Which value of a multi-valued attribute, from 0.
    item          integer NOT NULL,
    -- The value in the form in which it is compared; of a long one, its beginning.
    value_key     text COLLATE "C",
    -- All of a long one.
    long_key      text COLLATE "C",
    -- `type` and `primary` of the value (RFC 7643 2.4).
    type_key      text COLLATE "C",
    is_primary    boolean,
    PRIMARY KEY (tenant_id, account_id, path, item),
    FOREIGN KEY (tenant_id, connection_id, account_id) REFERENCES accounts (tenant_id, connection_id, id) ON DELETE CASCADE
);
CREATE INDEX account_attributes_value ON account_attributes (tenant_id, connection_id, path, value_key, account_id);

-- How many accounts a connection has: the sum of its rows, so that no list counts a million. Each statement appends what
-- it changed; one of many folds those rows that nobody else holds, so nobody waits and few rows stay.
CREATE TABLE account_counts (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid,
    connection_id uuid NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    accounts      bigint NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
INSERT INTO account_counts (tenant_id, connection_id, accounts)
    SELECT tenant_id, connection_id, count(*) FROM accounts GROUP BY tenant_id, connection_id;

CREATE FUNCTION count_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO account_counts (tenant_id, connection_id, accounts)
    SELECT c.tenant_id, c.id, (CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END) * count(*)
    -- A connection that goes takes its rows with it.
    FROM changed_accounts a JOIN connections c ON c.tenant_id = a.tenant_id AND c.id = a.connection_id
    GROUP BY c.tenant_id, c.id;
    IF random() * 64 < 1 THEN
        WITH free AS (
            SELECT c.tenant_id, c.connection_id, c.id
            FROM (SELECT DISTINCT tenant_id, connection_id FROM changed_accounts) AS a
            JOIN account_counts c USING (tenant_id, connection_id)
            LIMIT 1000 FOR UPDATE OF c SKIP LOCKED
        ), folded AS (
            DELETE FROM account_counts c USING free f
            WHERE c.tenant_id = f.tenant_id AND c.connection_id = f.connection_id AND c.id = f.id
            RETURNING c.tenant_id, c.connection_id, c.accounts
        )
        INSERT INTO account_counts (tenant_id, connection_id, accounts)
        SELECT tenant_id, connection_id, sum(accounts) FROM folded GROUP BY tenant_id, connection_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER accounts_are_counted AFTER INSERT ON accounts REFERENCING NEW TABLE AS changed_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION count_accounts();
CREATE TRIGGER accounts_are_discounted AFTER DELETE ON accounts REFERENCING OLD TABLE AS changed_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION count_accounts();

-- Groups that are members of groups (RFC 7643 4.2).
CREATE TABLE group_groups (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid,
    connection_id uuid NOT NULL,
    group_id      uuid NOT NULL,
    member_id     uuid NOT NULL,
    PRIMARY KEY (tenant_id, group_id, member_id),
    FOREIGN KEY (tenant_id, connection_id, group_id) REFERENCES groups (tenant_id, connection_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, connection_id, member_id) REFERENCES groups (tenant_id, connection_id, id) ON DELETE CASCADE
);
CREATE INDEX group_groups_member ON group_groups (tenant_id, member_id, group_id);

-- One by one, by the whole key: one DELETE for all reads the whole group wherever statistics take groups for small.
CREATE FUNCTION remove_members(of_group uuid, accounts uuid[], groups uuid[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    one     uuid;
    removed bigint := 0;
BEGIN
    FOREACH one IN ARRAY accounts LOOP
        DELETE FROM group_members m WHERE m.group_id = of_group AND m.account_id = one;
        IF FOUND THEN removed := removed + 1; END IF;
    END LOOP;
    FOREACH one IN ARRAY groups LOOP
        DELETE FROM group_groups m WHERE m.group_id = of_group AND m.member_id = one;
        IF FOUND THEN removed := removed + 1; END IF;
    END LOOP;
    RETURN removed;
END $$;

ALTER TABLE scim_tokens
    -- token: pasted by the IT admin. client: OAuth 2 client credentials. access: what a client got for them.
    ADD COLUMN kind text NOT NULL DEFAULT 'token' CHECK (kind IN ('token', 'client', 'access')),
    -- The client of an access token.
    ADD COLUMN parent_id uuid,
    ADD COLUMN read_only boolean NOT NULL DEFAULT false,
    ADD COLUMN expires_at timestamptz,
    ADD CONSTRAINT scim_tokens_parent FOREIGN KEY (tenant_id, parent_id) REFERENCES scim_tokens ON DELETE CASCADE,
    ADD CONSTRAINT scim_tokens_access_has_client CHECK ((kind = 'access') = (parent_id IS NOT NULL)),
    ADD CONSTRAINT scim_tokens_access_expires CHECK (kind <> 'access' OR expires_at IS NOT NULL);
CREATE INDEX scim_tokens_parent ON scim_tokens (tenant_id, parent_id);
CREATE INDEX scim_tokens_expiry ON scim_tokens (expires_at) WHERE kind = 'access';

-- When and from where a token, or a client's tokens, were used last.
CREATE TABLE scim_token_uses (
    tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid,
    token_id  uuid NOT NULL,
    used_at   timestamptz NOT NULL,
    address   text NOT NULL,
    agent     text NOT NULL,
    PRIMARY KEY (tenant_id, token_id),
    FOREIGN KEY (tenant_id, token_id) REFERENCES scim_tokens ON DELETE CASCADE
);

-- Passwords that an identity provider synchronizes; only where the connection says so.
CREATE TABLE account_passwords (
    tenant_id  uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid,
    account_id uuid NOT NULL,
    -- Argon2id in PHC form.
    hash       text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, account_id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts ON DELETE CASCADE
);

-- What an identity provider asked and what it was told: bounded, without secrets, for the IT admin.
CREATE TABLE scim_exchanges (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid,
    connection_id uuid NOT NULL,
    id            uuid NOT NULL,
    occurred_at   timestamptz NOT NULL,
    method        text NOT NULL,
    -- Path and query below the SCIM base.
    target        text NOT NULL,
    status        integer NOT NULL,
    -- `ok`, or the code of what was wrong.
    code          text NOT NULL,
    -- The sentence that the identity provider was told.
    detail        text,
    -- Of a refused request: its body, without passwords, cut.
    body          text,
    token_id      uuid,
    address       text NOT NULL,
    agent         text NOT NULL,
    milliseconds  integer NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX scim_exchanges_age ON scim_exchanges USING brin (occurred_at);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['schema_attributes', 'account_attributes', 'account_counts', 'group_groups', 'scim_token_uses', 'account_passwords', 'scim_exchanges']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I TO gate_tenant USING (tenant_id = current_setting(''app.tenant_id'')::uuid)', name);
    END LOOP;
END $$;
GRANT SELECT, INSERT, DELETE ON schema_attributes, group_groups, scim_exchanges TO gate_tenant;
-- UPDATE, because rows are locked before they are folded.
GRANT SELECT, INSERT, UPDATE, DELETE ON account_counts TO gate_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON account_attributes, account_passwords TO gate_tenant;
GRANT SELECT, INSERT, UPDATE ON scim_token_uses TO gate_tenant;

-- Clean-up of what has run out, over all tenants.
CREATE POLICY control_cleans ON scim_exchanges TO gate_control USING (true);
CREATE POLICY control_cleans ON scim_tokens TO gate_control USING (kind = 'access');
GRANT SELECT (tenant_id, connection_id, id, occurred_at), DELETE ON scim_exchanges TO gate_control;
GRANT SELECT (tenant_id, id, kind, expires_at), DELETE ON scim_tokens TO gate_control;
