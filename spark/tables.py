"""Writes tables of the ERP as typed Parquet, one folder a table, all in one Spark application.

    spark-submit tables.py --campuses URI --companies URI … --output-uri URI

(where the project is not installed, with `--py-files` and a zip of the package `spark`).

Each URI is what `spark.sources` understands. At least one table is given; those that are not are not written.
"""

import argparse
import time

from pyspark.sql import SparkSession

from spark.contracts import ERP
from spark.session import open_session
from spark.sources import path_of, read_table


def main() -> None:
    """Parse the command line and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ERP:
        parser.add_argument(f"--{name}", metavar="URI")
    parser.add_argument("--output-uri", metavar="URI", required=True, help="folder that gets one folder a table")
    arguments = vars(parser.parse_args())
    sources = {name: arguments[name] for name in ERP if arguments[name] is not None}
    if not sources:
        parser.error("give at least one table")
    write_tables(open_session("tables"), sources, arguments["output_uri"])


def write_tables(spark: SparkSession, sources: dict[str, str], output_uri: str) -> None:
    """Write each table to `<output>/<table>`, which must not exist yet; all contracts are checked first."""
    tables = {name: read_table(spark, reference, name) for name, reference in sources.items()}
    for name, table in tables.items():
        started = time.monotonic()
        table.write.parquet(path_of(f"{output_uri}/{name}"))
        print(f"progress: wrote {name} in {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
