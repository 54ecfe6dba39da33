-- Digests are 32 raw bytes. `seal` is over the other columns of its row (FORMAT.md); `used` and `seen` are
-- seconds since 1970 and not sealed, because they only decide what is pruned first.
CREATE TABLE artifacts (
    digest BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    file_name TEXT NOT NULL,
    seal BLOB NOT NULL,
    used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (
    digest BLOB PRIMARY KEY,
    form INTEGER NOT NULL,
    size INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    seal BLOB NOT NULL,
    used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blob_artifacts (
    blob BLOB NOT NULL,
    artifact BLOB NOT NULL,
    PRIMARY KEY (blob, artifact)
) STRICT, WITHOUT ROWID;

CREATE TABLE layers (
    key BLOB PRIMARY KEY,
    digest BLOB NOT NULL,
    diff_id BLOB NOT NULL,
    size INTEGER NOT NULL,
    uncompressed_size INTEGER,
    media_type TEXT NOT NULL,
    kind TEXT NOT NULL,
    details TEXT NOT NULL,
    held INTEGER NOT NULL,
    seal BLOB NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX layers_by_digest ON layers (digest);

CREATE TABLE tags (
    reference TEXT NOT NULL,
    platforms TEXT NOT NULL,
    manifest BLOB NOT NULL,
    declared BLOB NOT NULL,
    inputs TEXT NOT NULL,
    seal BLOB NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (reference, platforms)
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
    kind TEXT NOT NULL,
    key BLOB NOT NULL,
    json TEXT NOT NULL,
    seal BLOB NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE remote_blobs (
    registry TEXT NOT NULL,
    digest BLOB NOT NULL,
    repository TEXT NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (registry, digest, repository)
) STRICT, WITHOUT ROWID;

CREATE TABLE roots (
    id BLOB PRIMARY KEY,
    used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
