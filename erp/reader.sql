-- The role that the unload connects as: it sees all of the schema, and changes nothing.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reprise_reader') THEN
        -- A server that asks for passwords lets the role in once its owner has given it one: \password reprise_reader
        CREATE ROLE reprise_reader LOGIN CONNECTION LIMIT 32;
        ALTER ROLE reprise_reader SET default_transaction_read_only = on;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA erp TO reprise_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA erp TO reprise_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA erp GRANT SELECT ON TABLES TO reprise_reader;
