-- How a tenant proves that a mail domain is its own, and that it still is.
-- `domains` goes on to hold what is proven and nothing else: older versions take every row for that.

ALTER TABLE domains
    -- `operator` vouches for it, or a record in `dns` shows it.
    ADD COLUMN proof text NOT NULL DEFAULT 'operator' CHECK (proof IN ('operator', 'dns')),
    -- What the record says; NULL where an operator vouches.
    ADD COLUMN token text,
    ADD COLUMN due_at timestamptz,
    ADD COLUMN checked_at timestamptz,
    -- Since when it has not been shown, and why.
    ADD COLUMN failing_since timestamptz,
    -- Since when something else has been there, or nothing: not only silence.
    ADD COLUMN absent_since timestamptz,
    ADD COLUMN problem text,
    ADD CONSTRAINT domains_token CHECK ((proof = 'dns') = (token IS NOT NULL));
CREATE INDEX domains_due ON domains (due_at) WHERE due_at IS NOT NULL;
GRANT UPDATE (proof, token, due_at, checked_at, failing_since, absent_since, problem), DELETE ON domains TO gate_tenant;

-- What is not proven yet: anybody may claim anything.
CREATE TABLE domain_claims (
    tenant_id  uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    domain     text NOT NULL,
    token      text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, domain)
);
ALTER TABLE domain_claims ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON domain_claims TO gate_tenant USING (tenant_id = current_setting('app.tenant_id')::uuid);
-- UPDATE, because who proves a claim keeps it from others first.
GRANT SELECT, INSERT, UPDATE, DELETE ON domain_claims TO gate_tenant;

-- Whose a domain is, and which are to be looked at, over all tenants.
CREATE POLICY control_looks ON domains TO gate_control USING (true);
GRANT SELECT (tenant_id, domain, proof, token, due_at), UPDATE (due_at) ON domains TO gate_control;
