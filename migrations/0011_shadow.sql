-- Connections in shadow: their directory is filled, nothing takes effect, and nobody signs in, until they go live.
ALTER TABLE connections
    ADD COLUMN shadow boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT connections_shadow_is_shut CHECK (NOT shadow OR suspended_at IS NOT NULL);
-- Their accounts are a placeholder's, whose id is the connection's.
ALTER TABLE users ADD COLUMN placeholder boolean NOT NULL DEFAULT false;
ALTER TABLE accounts
    DROP CONSTRAINT accounts_parked_check,
    ADD CONSTRAINT accounts_parked_check CHECK (parked IN ('link', 'seat', 'shadow'));

-- What happens there is no fact for anybody.
CREATE FUNCTION is_not_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER events_in_shadow BEFORE INSERT ON events FOR EACH ROW
    WHEN (current_setting('app.shadow', true) = 'yes') EXECUTE FUNCTION is_not_told();
