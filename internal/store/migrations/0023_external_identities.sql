-- +goose Up
-- Who of another provider is which user here. A provider's subjects stay; addresses are given to others in time.
CREATE TABLE external_identities (
    issuer       text NOT NULL,
    subject      text NOT NULL,
    principal_id bigint NOT NULL REFERENCES principals ON DELETE CASCADE,
    linked_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX external_identities_principal ON external_identities (principal_id);
