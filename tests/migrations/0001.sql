-- A small production as of migration 0001: two customers of one application, people with and without attributes.
INSERT INTO applications VALUES ('0199a000-0000-7000-8000-00000000000a', 'board', 'Board', NULL,
    '{https://app.example.com/callback}', NULL, '{ADMINISTRATOR,ANALYST}', 'RS256', '2026-01-05T08:00:00Z');
INSERT INTO tenants VALUES
    ('0199a000-0000-7000-8000-000000000001', 'acme', 'Acme', '2026-01-05T09:00:00Z'),
    ('0199a000-0000-7000-8000-000000000002', 'globex', 'Globex', '2026-01-06T09:00:00Z');
INSERT INTO domains VALUES ('0199a000-0000-7000-8000-000000000001', 'acme.example', '2026-01-05T09:00:00Z');
INSERT INTO connections (tenant_id, id, application_id, display_name, created_at, updated_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000c1', '0199a000-0000-7000-8000-00000000000a', 'Okta', '2026-01-05T09:05:00Z', '2026-01-05T09:05:00Z'),
    ('0199a000-0000-7000-8000-000000000002', '0199a000-0000-7000-8000-0000000000c2', '0199a000-0000-7000-8000-00000000000a', 'Entra', '2026-01-06T09:05:00Z', '2026-01-06T09:05:00Z');
INSERT INTO scim_tokens (tenant_id, id, connection_id, token_hash, created_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000b1', '0199a000-0000-7000-8000-0000000000c1', '\x01', '2026-01-05T09:06:00Z');
INSERT INTO users (tenant_id, id, email, email_key, display_name, created_at, updated_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000d1', 'Ann@acme.example', 'ann@acme.example', 'Ann Archer', '2026-01-05T10:00:00Z', '2026-01-05T10:00:00Z'),
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000d2', NULL, NULL, NULL, '2026-01-05T10:01:00Z', '2026-01-05T10:01:00Z'),
    ('0199a000-0000-7000-8000-000000000002', '0199a000-0000-7000-8000-0000000000d3', 'nikos@globex.example', 'nikos@globex.example', 'Νίκος', '2026-01-06T10:00:00Z', '2026-01-06T10:00:00Z');
INSERT INTO accounts (tenant_id, id, connection_id, user_id, user_name, user_name_key, external_id, email, email_key, display_name, active, role, role_reason, document, version, created_at, updated_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000e1', '0199a000-0000-7000-8000-0000000000c1', '0199a000-0000-7000-8000-0000000000d1',
     'Ann@acme.example', 'ann@acme.example', '00u1', 'Ann@acme.example', 'ann@acme.example', 'Ann Archer', true, 'ANALYST', 'missing',
     '{"userName": "Ann@acme.example", "externalId": "00u1", "active": true, "name": {"givenName": "Ann", "familyName": "ΑΡΧΗΣ"}, "emails": [{"value": "Ann@acme.example", "type": "work", "primary": true}, {"value": "ann@home.example", "type": "home"}]}',
     3, '2026-01-05T10:00:00Z', '2026-02-01T10:00:00Z'),
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000e2', '0199a000-0000-7000-8000-0000000000c1', '0199a000-0000-7000-8000-0000000000d2',
     'svc', 'svc', NULL, NULL, NULL, NULL, false, 'ANALYST', 'missing', '{"userName": "svc", "active": false}', 1, '2026-01-05T10:01:00Z', '2026-01-05T10:01:00Z'),
    ('0199a000-0000-7000-8000-000000000002', '0199a000-0000-7000-8000-0000000000e3', '0199a000-0000-7000-8000-0000000000c2', '0199a000-0000-7000-8000-0000000000d3',
     'nikos@globex.example', 'nikos@globex.example', NULL, 'nikos@globex.example', 'nikos@globex.example', 'Νίκος', true, 'ANALYST', 'missing',
     '{"userName": "nikos@globex.example", "displayName": "Νίκος", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Sales"}}',
     1, '2026-01-06T10:00:00Z', '2026-01-06T10:00:00Z');
INSERT INTO groups VALUES ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000f1', '0199a000-0000-7000-8000-0000000000c1', 'Staff', 'staff', NULL, 1, '2026-01-05T11:00:00Z', '2026-01-05T11:00:00Z');
INSERT INTO group_members VALUES ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000c1', '0199a000-0000-7000-8000-0000000000f1', '0199a000-0000-7000-8000-0000000000e1');
