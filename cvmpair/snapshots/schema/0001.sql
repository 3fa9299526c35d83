-- Format 1 of the state file.

-- One row: what is true of the file as a whole.
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,       -- the last version that is in the file
    clusters INTEGER NOT NULL,      -- how many rows the table of clusters has
    checksum INTEGER NOT NULL,      -- the sum of their checksums, modulo 2^62
    book_time REAL NOT NULL,        -- what both clocks showed at the last write,
    wall_time REAL NOT NULL,        --   in seconds
    pseudonym_key BLOB NOT NULL,    -- for the ids that stand for PINs in the log
    seal INTEGER NOT NULL           -- the checksum of this row
) STRICT;

-- One row a cluster.
CREATE TABLE clusters (
    pin TEXT PRIMARY KEY,
    record TEXT NOT NULL,           -- the cluster and its keys, see core/codec.py
    checksum INTEGER NOT NULL       -- CRC-32 of the PIN and the record
) STRICT, WITHOUT ROWID;
