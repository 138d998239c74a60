\set n random(0, 11999)
BEGIN;
SELECT set_config('role', 'gate_tenant', true), set_config('app.tenant_id', 'TENANT', true);
SELECT id, application_id, display_name, idp_entity_id, idp_sso_url, idp_certificates, allow_sha1, created_at FROM connections WHERE id = 'CONNECTION';
ROLLBACK;
BEGIN;
SELECT set_config('role', 'gate_tenant', true), set_config('app.tenant_id', 'TENANT', true);
INSERT INTO assertions (connection_id, assertion_id, expires_at) VALUES ('CONNECTION', gen_random_uuid()::text, '2026-11-22');
SELECT connection_id, expires_at, answered_at FROM sign_in_requests WHERE id = '_bench' || lpad(:n::text, 26, '0') FOR UPDATE;
UPDATE sign_in_requests SET answered_at = '2026-11-22', ticket_hash = sha256(gen_random_uuid()::text::bytea), identity = '{"name_id": "ann@acme.test", "transient": false, "email": "ann@acme.test", "session_index": "x", "auth_time": [2026, 326, 2, 0, 0, 0, 0, 0, 0], "session_not_on_or_after": null}'::jsonb WHERE id = '_bench' || lpad(:n::text, 26, '0');
COMMIT;
