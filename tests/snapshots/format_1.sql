-- A state file of format 1, as the release that wrote that format left it.
PRAGMA application_id = 0x63766D70;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE clusters (
    pin TEXT PRIMARY KEY,
    record TEXT NOT NULL,           -- the cluster and its keys, see core/codec.py
    checksum INTEGER NOT NULL       -- CRC-32 of the PIN and the record
) STRICT, WITHOUT ROWID;
INSERT INTO "clusters" VALUES('000000000001','[1000000000.25,86400.0,1000000001,["sesame","sesame1000000001-ses",1000000001]]',149525615);
INSERT INTO "clusters" VALUES('000000000002','[1000000001.75,3600.0,1000000004,["sesame_1","é \"sesame\"\n",1000000003],["sesame_2","sesame",1000000004]]',2070200551);
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
INSERT INTO "state" VALUES(1,1000000004,2,2219726166,1000000000.25,1000000000.5,X'84A46A536223B74F7253B383E2431CF1FD586175363F44C85D6DE666B59EF0EE',1686876085);
COMMIT;
