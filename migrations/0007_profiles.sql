-- What profiles must have and must not have, where a tenant's connection asks for that.
ALTER TABLE connections ADD COLUMN profile_policy jsonb NOT NULL DEFAULT '{}';
