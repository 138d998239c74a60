-- People who signed in to the application in another way are moved over to the identity provider.
ALTER TABLE users
    -- How they signed in until now, in the vendor's word; `sso` once they have come by the identity provider. NULL where nobody said.
    ADD COLUMN sign_in_method text CHECK (sign_in_method ~ '^[a-z0-9_-]{1,32}$');
ALTER TABLE tenants
    -- Whether people may choose the application's own way for now (`both`), or come by the identity provider only.
    ADD COLUMN sign_in text NOT NULL DEFAULT 'sso' CHECK (sign_in IN ('sso', 'both'));
GRANT UPDATE (sign_in) ON tenants TO gate_tenant;

-- Codes with which an administrator gets in when the identity provider cannot be asked. Each works once.
CREATE TABLE break_glass_codes (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id            uuid NOT NULL,
    connection_id uuid NOT NULL,
    account_id    uuid NOT NULL,
    -- The first part of the code, by which it is found.
    label         text NOT NULL,
    -- Argon2id of the rest.
    hash          text NOT NULL,
    created_at    timestamptz NOT NULL,
    used_at       timestamptz,
    -- From where it was used.
    address       text,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, account_id, label),
    FOREIGN KEY (tenant_id, connection_id, account_id) REFERENCES accounts (tenant_id, connection_id, id) ON DELETE CASCADE
);
ALTER TABLE break_glass_codes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON break_glass_codes TO gate_tenant USING (tenant_id = current_setting('app.tenant_id')::uuid);
GRANT SELECT, INSERT, UPDATE (used_at, address), DELETE ON break_glass_codes TO gate_tenant;

-- A link by which somebody whom the application knows ties their account at the identity provider to themselves.
ALTER TABLE invitations ADD COLUMN user_id uuid;
ALTER TABLE sign_in_requests ADD COLUMN invitation_id uuid;
