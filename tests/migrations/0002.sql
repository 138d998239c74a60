-- A small production as of migration 0002: a connection with a key of its own, a session, and an answer that waits.
INSERT INTO applications VALUES ('0199a000-0000-7000-8000-00000000000a', 'board', 'Board', NULL,
    '{https://app.example.com/callback}', NULL, '{ADMINISTRATOR,ANALYST}', 'RS256', '2026-01-05T08:00:00Z');
INSERT INTO tenants VALUES ('0199a000-0000-7000-8000-000000000001', 'acme', 'Acme', '2026-01-05T09:00:00Z');
INSERT INTO connections (tenant_id, id, application_id, display_name, idp_entity_id, idp_sso_url, idp_certificates, created_at, updated_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000c1', '0199a000-0000-7000-8000-00000000000a', 'Okta',
     'http://idp.example', 'https://idp.example/sso', '{"\\x01"}', '2026-01-05T09:05:00Z', '2026-01-05T09:05:00Z');
INSERT INTO sp_keys (tenant_id, id, connection_id, root_key_id, sealed, certificate, created_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000a1', '0199a000-0000-7000-8000-0000000000c1', 'k1', '\x01', '\x02', '2026-01-05T09:05:00Z');
INSERT INTO users (tenant_id, id, created_at, updated_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000d1', '2026-01-05T10:00:00Z', '2026-01-05T10:00:00Z');
INSERT INTO accounts (tenant_id, id, connection_id, user_id, user_name, user_name_key, active, role, role_reason, document, version, created_at, updated_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000e1', '0199a000-0000-7000-8000-0000000000c1', '0199a000-0000-7000-8000-0000000000d1',
     'ann', 'ann', true, 'ANALYST', 'missing', '{"userName": "ann", "active": true}', 1, '2026-01-05T10:00:00Z', '2026-01-05T10:00:00Z');
INSERT INTO sessions (tenant_id, id, token_hash, connection_id, account_id, user_id, name_id, auth_time, created_at, expires_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000b1', '\x03', '0199a000-0000-7000-8000-0000000000c1', '0199a000-0000-7000-8000-0000000000e1',
     '0199a000-0000-7000-8000-0000000000d1', 'ann', '2026-01-05T11:00:00Z', '2026-01-05T11:00:00Z', '2026-01-05T23:00:00Z');
INSERT INTO sign_in_requests (tenant_id, id, connection_id, browser_hash, created_at, expires_at, answered_at, ticket_hash, identity) VALUES
    ('0199a000-0000-7000-8000-000000000001', '_1', '0199a000-0000-7000-8000-0000000000c1', '\x04', '2026-01-05T11:00:00Z', '2026-01-05T11:15:00Z', '2026-01-05T11:01:00Z', '\x05',
     '{"name_id": "_tmp", "transient": true, "email": "ann@acme.example", "session_index": null, "auth_time": [2026,5,11,0,0,0,0,0,0], "session_not_on_or_after": null}');
