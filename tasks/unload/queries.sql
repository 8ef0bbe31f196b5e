-- Named blocks, loaded by queries.py; what stands in braces is composed as identifier or literal, never formatted.

-- name: server
SELECT current_setting('server_version_num')::int AS version,
       pg_catalog.current_database()::text AS database,
       (SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AS database_oid,
       current_user::text AS role,
       pg_catalog.pg_is_in_recovery() AS is_standby,
       pg_catalog.pg_postmaster_start_time() AS started_at,
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system_identifier,
       CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())
            -- The control file's timeline is stale after a promotion; the name of the current WAL file is not.
            ELSE ('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8))::bit(32)::int
       END AS timeline

-- name: export_snapshot
SELECT pg_catalog.pg_export_snapshot() AS name,
       pg_catalog.statement_timestamp() AS taken_at,
       CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_current_wal_insert_lsn()::text END AS fence

-- name: fence_reached
SELECT pg_catalog.pg_current_wal_flush_lsn() >= {fence}::pg_lsn AS reached

-- name: commit_nothing
-- A transaction number of its own makes a commit record, and a commit record makes the server flush.
SELECT pg_catalog.pg_current_xact_id()

-- name: schema_exists
SELECT pg_catalog.has_schema_privilege(oid, 'USAGE') AS usable FROM pg_catalog.pg_namespace WHERE nspname = {schema}

-- name: tables
-- Tables and partitioned tables of a schema; partitions belong to their root, temporary tables to their session.
SELECT c.oid::bigint AS oid, c.relname::text AS name, c.relkind = 'p' AS is_partitioned
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = {schema} AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
ORDER BY c.relname

-- name: left_out
-- What somebody may miss: relations of the schema that hold no rows of their own or cannot be cut into blocks, and
-- children of its tables that lie in other schemas (plain inheritance).
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END AS kind,
       pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = {schema} AND c.relkind IN ('v', 'm', 'f') AND NOT c.relispartition
UNION ALL
SELECT 'child table in another schema', pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'r'
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace AND pn.nspname = {schema}
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.oid <> pn.oid
ORDER BY 1, 2

-- name: heaps
-- The heap of a table, or those of a partitioned table's leaves.
WITH RECURSIVE tree (oid) AS (
    SELECT {table}::oid
    UNION ALL
    SELECT i.inhrelid
    FROM tree t
    JOIN pg_catalog.pg_class p ON p.oid = t.oid AND p.relkind = 'p'
    JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
)
SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relfilenode::bigint AS filenode,
       c.relkind::text AS kind, c.relpersistence = 'u' AS is_unlogged, a.amname::text AS access_method,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS readable
FROM tree t
JOIN pg_catalog.pg_class c ON c.oid = t.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
WHERE c.relkind <> 'p'
ORDER BY n.nspname, c.relname

-- name: columns
-- A domain's values are its base type's; its modifier is the domain's.
WITH RECURSIVE base (attnum, type, modifier) AS (
    SELECT attnum, atttypid, atttypmod
    FROM pg_catalog.pg_attribute
    WHERE attrelid = {table} AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT b.attnum, t.typbasetype, CASE WHEN b.modifier = -1 THEN t.typtypmod ELSE b.modifier END
    FROM base b
    JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'd'
)
SELECT a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS declared, NOT a.attnotnull AS nullable,
       CASE WHEN tn.nspname = 'pg_catalog' THEN t.typname::text END AS builtin, b.modifier AS modifier,
       a.atttypid <> t.oid AS is_domain, tn.nspname::text AS base_schema, t.typname::text AS base_type,
       fn.nspname::text AS output_schema, f.proname::text AS output_function
FROM base b
JOIN pg_catalog.pg_attribute a ON a.attrelid = {table} AND a.attnum = b.attnum
JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype <> 'd'
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
JOIN pg_catalog.pg_proc f ON f.oid = t.typoutput
JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
ORDER BY a.attnum

-- name: schema_parts
-- Everything that decides how a stored row becomes values: attributes, and their types through arrays, domains,
-- ranges and composites, with enum labels and the versions of the extensions that own them.
WITH RECURSIVE attributes AS (
    SELECT a.attnum, a.attname, a.atttypid, a.atttypmod, a.attmissingval::text AS missing, a.attgenerated,
           -- Its tree, not pg_get_expr: that waits behind queued DDL, and shows the newest names under any snapshot.
           CASE WHEN a.attgenerated <> '' THEN d.adbin::text END AS expression
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = {heap} AND a.attnum > 0 AND NOT a.attisdropped
), types (oid) AS (
    SELECT atttypid FROM attributes
    UNION
    SELECT part.oid
    FROM types o
    JOIN pg_catalog.pg_type t ON t.oid = o.oid
    CROSS JOIN LATERAL (
        SELECT t.typelem
        UNION ALL SELECT t.typbasetype
        UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
        UNION ALL SELECT c.atttypid FROM pg_catalog.pg_attribute c
                  WHERE c.attrelid = t.typrelid AND t.typtype = 'c' AND c.attnum > 0 AND NOT c.attisdropped
    ) AS part (oid)
    WHERE part.oid <> 0
)
SELECT 'attribute' AS part, NULL AS builtin, pg_catalog.concat_ws('|', pg_catalog.lpad(attnum::text, 5, '0'), attname::text, atttypid,
       atttypmod, attgenerated, expression, '=' || missing) AS description
FROM attributes
UNION ALL
SELECT 'type', CASE WHEN n.nspname = 'pg_catalog' THEN t.typname::text END, pg_catalog.concat_ws('|', t.oid, n.nspname::text, t.typname::text, t.typtype, t.typtypmod, t.typoutput::oid,
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(e.enumlabel::text), ',' ORDER BY e.enumsortorder)
        FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
       (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(':', c.attnum, pg_catalog.quote_ident(c.attname::text),
               c.atttypid, c.atttypmod), ',' ORDER BY c.attnum)
        FROM pg_catalog.pg_attribute c
        WHERE c.attrelid = t.typrelid AND t.typtype = 'c' AND c.attnum > 0 AND NOT c.attisdropped),
       (SELECT pg_catalog.string_agg(x.extname::text || ' ' || x.extversion, ',')
        FROM pg_catalog.pg_depend p JOIN pg_catalog.pg_extension x ON x.oid = p.refobjid
        WHERE p.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND p.objid = t.oid AND p.deptype = 'e'
          AND p.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass))
FROM types o
JOIN pg_catalog.pg_type t ON t.oid = o.oid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
ORDER BY 1, 3

-- name: lock_heap
LOCK TABLE ONLY {heap} IN ACCESS SHARE MODE

-- name: heap_now
-- After the lock. `named`: the relation that answers to the heap's name; `current`: what is on disk now; `seen`: what
-- this transaction's snapshot sees.
SELECT pg_catalog.to_regclass({name})::oid::bigint AS named,
       pg_catalog.pg_relation_filenode({heap}::oid)::bigint AS current,
       (SELECT relfilenode::bigint FROM pg_catalog.pg_class WHERE oid = {heap}) AS seen

-- name: current_filenodes
SELECT wanted.oid::bigint AS oid, pg_catalog.pg_relation_filenode(wanted.oid::oid)::bigint AS filenode
FROM pg_catalog.unnest({heaps}::bigint[]) AS wanted (oid)

-- name: blocks
SELECT pg_catalog.pg_relation_size({heap}::oid) / current_setting('block_size')::bigint AS blocks

-- name: fingerprint
-- A tuple version never changes, and (ctid, xmin) names one version within one filenode. The salt fills the seed's
-- high half, xmin its low one.
SELECT count(*) AS rows,
       coalesce(bit_xor(hashtidextended(ctid, {salt}::bigint * 4294967296 + xmin::text::bigint)), 0) AS hash
FROM ONLY {heap}
WHERE ctid >= {first}::tid AND ctid < {end}::tid

-- name: rows_of_chunk
SELECT {columns} FROM ONLY {heap} WHERE ctid >= {first}::tid AND ctid < {end}::tid

-- name: has_nan
SELECT EXISTS (SELECT FROM ONLY {heap} WHERE ctid >= {first}::tid AND ctid < {end}::tid AND {column} = 'NaN') AS found
