-- +goose Up
CREATE TABLE permissions (
    object_type  text NOT NULL,
    object_id    text NOT NULL,
    principal_id bigint NOT NULL REFERENCES principals ON DELETE CASCADE,
    level        text NOT NULL,
    PRIMARY KEY (object_type, object_id, principal_id)
);
CREATE INDEX permissions_principal ON permissions (principal_id);

-- Everybody may have tokens and passwords until an administrator says otherwise.
INSERT INTO permissions VALUES ('authorization', 'tokens', 2, 'CAN_USE'), ('authorization', 'passwords', 2, 'CAN_USE');
