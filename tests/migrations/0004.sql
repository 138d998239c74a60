-- A small production as of migration 0004: a domain that the operator vouched for, an account that waits for somebody to say
-- whose it is, and a merge that can be undone.
INSERT INTO applications VALUES ('0199a000-0000-7000-8000-00000000000a', 'board', 'Board', NULL,
    '{https://app.example.com/callback}', NULL, '{ADMINISTRATOR,ANALYST}', 'RS256', '2026-01-05T08:00:00Z');
INSERT INTO tenants (id, slug, display_name, created_at) VALUES ('0199a000-0000-7000-8000-000000000001', 'acme', 'Acme', '2026-01-05T09:00:00Z');
INSERT INTO domains (tenant_id, domain, verified_at) VALUES ('0199a000-0000-7000-8000-000000000001', 'acme.example', '2026-01-05T09:00:00Z');
INSERT INTO connections (tenant_id, id, application_id, display_name, created_at, updated_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000c1', '0199a000-0000-7000-8000-00000000000a', 'Okta',
     '2026-01-05T09:05:00Z', '2026-01-05T09:05:00Z');
INSERT INTO users (tenant_id, id, email, email_key, created_at, updated_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000d1', 'ann@acme.example', 'ann@acme.example', '2026-01-05T10:00:00Z', '2026-01-05T10:00:00Z'),
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000d2', 'ann@acme.example', 'ann@acme.example', '2026-01-05T10:00:00Z', '2026-01-05T10:00:00Z');
INSERT INTO accounts (tenant_id, id, connection_id, user_id, user_name, user_name_key, active, role, role_reason, document, version, created_at, updated_at, parked, parked_user) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000e2', '0199a000-0000-7000-8000-0000000000c1', '0199a000-0000-7000-8000-0000000000d2',
     'ann', 'ann', true, 'ANALYST', 'missing', '{"userName": "ann", "active": true}', 1, '2026-01-05T10:00:00Z', '2026-01-05T10:00:00Z',
     'link', '0199a000-0000-7000-8000-0000000000d1');
INSERT INTO user_changes (tenant_id, id, kind, user_id, into_user_id, account_ids, created_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000f1', 'merge', '0199a000-0000-7000-8000-0000000000d3',
     '0199a000-0000-7000-8000-0000000000d1', '{}', '2026-01-05T10:00:00Z');
