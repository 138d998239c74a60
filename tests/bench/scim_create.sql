BEGIN;
SELECT set_config('role', 'gate_tenant', true), set_config('app.tenant_id', 'TENANT', true);
\set n random(1, 1000000000000)
SELECT t.id, c.application_id FROM scim_tokens t JOIN connections c ON c.id = t.connection_id WHERE t.token_hash = sha256('x') AND t.connection_id = 'CONNECTION' AND t.revoked_at IS NULL;
SELECT id, slug, display_name, redirect_uris, initiate_login_uri, roles, id_token_alg FROM applications WHERE id = 'APPLICATION';
SELECT EXISTS (SELECT FROM domains WHERE domain = 'bench.test');
INSERT INTO users (id, email, email_key, display_name, created_at, updated_at) VALUES (md5('u' || :n::text)::uuid, 'p' || :n::text || '@bench.test', 'p' || :n::text || '@bench.test', 'Test User', '2026-11-22', '2026-11-22');
INSERT INTO accounts (id, connection_id, user_id, user_name, user_name_key, external_id, email, email_key, display_name, active, role, role_reason, name_id, document, version, created_at, updated_at) VALUES (md5('a' || :n::text)::uuid, 'CONNECTION', md5('u' || :n::text)::uuid, 'p' || :n::text || '@bench.test', 'p' || :n::text || '@bench.test', '00up' || :n::text, 'p' || :n::text || '@bench.test', 'p' || :n::text || '@bench.test', 'Test User', true, 'ANALYST', 'missing', NULL, '{"userName": "x@bench.test", "name": {"givenName": "Test", "familyName": "User"}, "emails": [{"primary": true, "value": "x@bench.test", "type": "work"}], "displayName": "Test User", "locale": "en-US", "externalId": "00u", "active": true}'::jsonb, 1, '2026-11-22', '2026-11-22');
INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at) SELECT id, kind, subject, subject_id, data, 'CONNECTION', 'scim', '2026-11-22' FROM unnest(ARRAY[gen_random_uuid()], ARRAY['user.created'], ARRAY['user'], ARRAY[md5('u' || :n::text)::uuid], ARRAY['{"role": "ANALYST", "active": true}'::jsonb]) AS e (id, kind, subject, subject_id, data);
SELECT a.id, m.id, m.display_name FROM unnest(ARRAY[md5('a' || :n::text)::uuid]) AS a (id) CROSS JOIN LATERAL (SELECT g.id, g.display_name FROM group_members gm JOIN groups g ON g.id = gm.group_id WHERE gm.account_id = a.id ORDER BY g.id LIMIT 1000) AS m ORDER BY 1, 2;
COMMIT;
