-- +goose Up
CREATE TABLE oauth_apps (
    client_id      text PRIMARY KEY,
    integration_id text NOT NULL UNIQUE,
    name           text NOT NULL,
    secret         bytea, -- its hash; null for an app that can't keep one
    redirect_urls  text[] NOT NULL,
    scopes         text[] NOT NULL,
    access_ttl     interval NOT NULL,
    refresh_ttl    interval NOT NULL,
    created_by_id  bigint NOT NULL,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL
);

-- People who have logged in with a browser, and those who are with another provider to do so.
CREATE TABLE oauth_logins (
    cookie       bytea PRIMARY KEY, -- its hash
    principal_id bigint NOT NULL REFERENCES principals ON DELETE CASCADE,
    principal    text NOT NULL,
    at           timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX oauth_logins_principal ON oauth_logins (principal_id);
CREATE INDEX oauth_logins_expires ON oauth_logins (expires_at);
CREATE TABLE oauth_external_logins (
    state      bytea PRIMARY KEY, -- its hash
    browser    bytea NOT NULL, -- likewise
    nonce      text NOT NULL,
    verifier   text NOT NULL,
    query      text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX oauth_external_logins_expires ON oauth_external_logins (expires_at);
CREATE TABLE oauth_consents (
    principal_id bigint NOT NULL REFERENCES principals ON DELETE CASCADE,
    client_id    text NOT NULL,
    scopes       text[] NOT NULL,
    PRIMARY KEY (principal_id, client_id)
);

-- What follows from one time that a principal let a client act.
CREATE TABLE oauth_sessions (
    id           text PRIMARY KEY,
    client_id    text NOT NULL,
    principal_id bigint NOT NULL REFERENCES principals ON DELETE CASCADE,
    principal    text NOT NULL,
    scopes       text[] NOT NULL,
    login_at     timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz
);
CREATE INDEX oauth_sessions_principal ON oauth_sessions (principal_id);
CREATE INDEX oauth_sessions_client ON oauth_sessions (client_id);
CREATE INDEX oauth_sessions_expires ON oauth_sessions (expires_at);
CREATE TABLE oauth_codes (
    code         bytea PRIMARY KEY, -- its hash
    session_id   text NOT NULL REFERENCES oauth_sessions ON DELETE CASCADE,
    redirect_uri text NOT NULL,
    challenge    text NOT NULL,
    nonce        text NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX oauth_codes_session ON oauth_codes (session_id);
CREATE TABLE oauth_refresh_tokens (
    token      bytea PRIMARY KEY, -- its hash
    session_id text NOT NULL REFERENCES oauth_sessions ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX oauth_refresh_tokens_session ON oauth_refresh_tokens (session_id);

-- Access tokens and sessions whose tokens were taken back before they expired.
CREATE TABLE oauth_revocations (
    id         text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX oauth_revocations_expires ON oauth_revocations (expires_at);
-- +goose StatementBegin
CREATE FUNCTION oauth_revoked() RETURNS trigger LANGUAGE plpgsql SET search_path = tarn AS $$
BEGIN
    PERFORM changed('revocations', new.id);
    RETURN NULL;
END
$$;
-- A session that goes, with its principal or otherwise, takes its access tokens with it.
CREATE FUNCTION oauth_session_ended() RETURNS trigger LANGUAGE plpgsql SET search_path = tarn AS $$
BEGIN
    INSERT INTO oauth_revocations (id, expires_at) VALUES (old.id, now() + interval '1 day 1 minute') ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER changed AFTER INSERT ON oauth_revocations FOR EACH ROW EXECUTE FUNCTION oauth_revoked();
CREATE TRIGGER ended AFTER UPDATE OF ended_at ON oauth_sessions FOR EACH ROW
    WHEN (old.ended_at IS NULL AND new.ended_at IS NOT NULL) EXECUTE FUNCTION oauth_session_ended();

CREATE TABLE federation_policies (
    uid                  text PRIMARY KEY,
    id                   text NOT NULL,
    service_principal_id bigint REFERENCES principals ON DELETE CASCADE, -- null for the account
    description          text NOT NULL,
    issuer               text NOT NULL,
    audiences            text[] NOT NULL,
    subject              text NOT NULL,
    subject_claim        text NOT NULL,
    jwks_url             text NOT NULL,
    jwks                 text NOT NULL,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL
);
CREATE UNIQUE INDEX federation_policies_id ON federation_policies (coalesce(service_principal_id, 0), id);
