-- +goose Up
CREATE TABLE signing_keys (
    number     integer PRIMARY KEY, -- the greatest one signs, as soon as it may
    id         text NOT NULL UNIQUE,
    sealed     bytea NOT NULL, -- the private key
    signs_from timestamptz NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now()
);

-- +goose StatementBegin
CREATE FUNCTION signing_key_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = tarn AS $$
BEGIN
    PERFORM changed('signing_keys', '');
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER changed AFTER INSERT OR DELETE ON signing_keys FOR EACH ROW EXECUTE FUNCTION signing_key_changed();
