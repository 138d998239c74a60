-- People: what they see is found again.

-- What stands on the page that somebody saw.
ALTER TABLE sign_in_steps ADD COLUMN reference text;
