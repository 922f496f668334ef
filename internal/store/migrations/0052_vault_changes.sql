-- +goose Up
-- Processes remember what the credentials of apps have led to, and are told when some change. To wrap a version anew is
-- no change.
-- +goose StatementBegin
CREATE FUNCTION vault_secrets_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = tarn AS $$
BEGIN
    PERFORM changed('vault_secrets', '');
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON vault_secrets FOR EACH STATEMENT EXECUTE FUNCTION vault_secrets_changed();
