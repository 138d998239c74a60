-- A small production as of migration 0007, now: somebody is signed in, and the application holds a refresh token.
INSERT INTO applications VALUES ('0199a000-0000-7000-8000-00000000000a', 'board', 'Board', sha256('the secret of board'),
    '{https://app.example.com/callback}', NULL, '{ADMINISTRATOR,ANALYST}', 'RS256', now());
INSERT INTO tenants (id, slug, display_name, created_at) VALUES ('0199a000-0000-7000-8000-000000000001', 'acme', 'Acme', now());
INSERT INTO connections (tenant_id, id, application_id, display_name, idp_entity_id, idp_sso_url, idp_certificates, created_at, updated_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000c1', '0199a000-0000-7000-8000-00000000000a', 'Okta',
     'http://idp.example', 'https://idp.example/sso', '{"\\x01"}', now(), now());
INSERT INTO users (tenant_id, id, email, email_key, created_at, updated_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000d1', 'ann@acme.example', 'ann@acme.example', now(), now());
INSERT INTO accounts (tenant_id, id, connection_id, user_id, user_name, user_name_key, active, role, role_reason, document, version, created_at, updated_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000e1', '0199a000-0000-7000-8000-0000000000c1', '0199a000-0000-7000-8000-0000000000d1',
     'ann', 'ann', true, 'ANALYST', 'missing', '{"userName": "ann", "active": true}', 1, now(), now());
INSERT INTO sessions (tenant_id, id, token_hash, connection_id, account_id, user_id, name_id, auth_time, created_at, expires_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000b1', sha256('the-cookie-of-ann'), '0199a000-0000-7000-8000-0000000000c1',
     '0199a000-0000-7000-8000-0000000000e1', '0199a000-0000-7000-8000-0000000000d1', 'ann', now(), now(), now() + interval '12 hours');
INSERT INTO grants (tenant_id, id, application_id, session_id, request, code_hash, code_expires_at, code_used_at, created_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000f1', '0199a000-0000-7000-8000-00000000000a', '0199a000-0000-7000-8000-0000000000b1',
     '{"client_id": "0199a000-0000-7000-8000-00000000000a", "redirect_uri": "https://app.example.com/callback", "scope": "openid email offline_access",
       "state": "s", "nonce": "n", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "prompt": "default", "max_age": null, "login_hint": null,
       "domain_hint": null, "tenant": "acme", "connection": null}', '\x01', now(), now(), now());
-- ghref_ and, in base64url, the tenant's id and 32 bytes of 7.
INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, created_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', sha256('ghref_AZmgAAAAcACAAAAAAAAAAQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH'),
     '0199a000-0000-7000-8000-0000000000f1', now());
INSERT INTO invitations (tenant_id, id, connection_id, email, email_key, step, step_at, created_at) VALUES
    ('0199a000-0000-7000-8000-000000000001', '0199a000-0000-7000-8000-0000000000a1', '0199a000-0000-7000-8000-0000000000c1', 'bob@acme.example', 'bob@acme.example',
     'created', now(), now());
