\echo Use "CREATE EXTENSION databricks_auth" to load this file. \quit

-- The function stands in pg_catalog: every search_path finds it, and no exposed schema offers it as a routine.
-- It acts with the rights of its caller, who needs CREATEROLE.
CREATE FUNCTION pg_catalog.databricks_create_role(identity_name text, identity_type text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(identity_name, '') = '' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'identity name must not be empty';
    END IF;
    IF octet_length(identity_name) > 63 THEN
        RAISE name_too_long USING
            MESSAGE = format('identity name "%s" is too long', identity_name),
            DETAIL = 'The name of a role has at most 63 bytes.';
    END IF;
    IF identity_type IS NULL OR upper(identity_type) NOT IN ('USER', 'GROUP', 'SERVICE_PRINCIPAL') THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('invalid identity type "%s"', identity_type),
            HINT = 'It is one of USER, GROUP and SERVICE_PRINCIPAL.';
    END IF;
    EXECUTE format('CREATE ROLE %I LOGIN', identity_name);
    EXECUTE format('COMMENT ON ROLE %I IS %L', identity_name, 'databricks_auth ' || upper(identity_type));
END
$$;

COMMENT ON FUNCTION pg_catalog.databricks_create_role(text, text)
IS 'creates the role that a Databricks identity acts as';
