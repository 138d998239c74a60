BEGIN;
SELECT set_config('role', 'gate_tenant', true), set_config('app.tenant_id', 'TENANT', true);
SELECT t.id, c.application_id FROM scim_tokens t JOIN connections c ON c.id = t.connection_id WHERE t.token_hash = sha256('x') AND t.connection_id = 'CONNECTION' AND t.revoked_at IS NULL;
SELECT id, slug, display_name, redirect_uris, initiate_login_uri, roles, id_token_alg FROM applications WHERE id = 'APPLICATION';
SELECT id, connection_id, user_id, user_name, external_id, email, display_name, active, role, role_reason, name_id, document, version, created_at, updated_at FROM accounts WHERE id = 'ACCOUNT' AND connection_id = 'CONNECTION';
SELECT a.id, m.id, m.display_name FROM unnest(ARRAY['ACCOUNT'::uuid]) AS a (id) CROSS JOIN LATERAL (SELECT g.id, g.display_name FROM group_members gm JOIN groups g ON g.id = gm.group_id WHERE gm.account_id = a.id ORDER BY g.id LIMIT 1000) AS m ORDER BY 1, 2;
COMMIT;
