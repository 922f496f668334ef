-- +goose Up
CREATE TABLE personal_tokens (
    id            text PRIMARY KEY,
    secret        bytea NOT NULL UNIQUE, -- its hash
    owner_id      bigint NOT NULL REFERENCES principals ON DELETE CASCADE,
    owner         text NOT NULL, -- as the principal was named then
    created_by_id bigint NOT NULL,
    created_by    text NOT NULL,
    comment       text NOT NULL DEFAULT '',
    scopes        text[] NOT NULL DEFAULT '{}', -- empty for all
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz, -- null for never
    last_used_at  timestamptz
);
CREATE INDEX personal_tokens_owner ON personal_tokens (owner_id, created_at);
CREATE INDEX personal_tokens_expires ON personal_tokens (expires_at);

-- +goose StatementBegin
CREATE FUNCTION personal_token_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = tarn AS $$
BEGIN
    PERFORM changed('tokens', old.id);
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER changed AFTER UPDATE OF owner, scopes, expires_at OR DELETE ON personal_tokens
    FOR EACH ROW EXECUTE FUNCTION personal_token_changed();
