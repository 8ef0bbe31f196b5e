"""Where a job's tables come from: Parquet files, or one table of a manifest; in any file system that Spark knows.

A reference is a Parquet file or folder, or `MANIFEST#TABLE` (`…/manifests/<id>.json#erp.students`, or `#students`).
The short form exists because EMR limits the arguments of a step to about 10,000 characters, and a table may have
hundreds of files. A `file:` URI is percent-decoded; every other location is taken letter by letter.
"""

import json
import re
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from pyspark.sql import DataFrame, SparkSession

from spark.contracts import ERP, conform

MANIFEST_TABLE = re.compile(r"(?P<manifest>.+\.json)#(?P<table>[^#/]+)")


class SourceBroken(Exception):
    """A reference that names nothing readable."""


def read_table(spark: SparkSession, reference: str, name: str) -> DataFrame:
    """The rows behind a reference, under the contract of the ERP's table `name`.

    Raises SourceBroken for a manifest without the table, ContractBroken for other columns or types;
    a file that is not there is Spark's own error.
    """
    in_manifest = MANIFEST_TABLE.fullmatch(reference)
    if in_manifest is None:
        paths = [path_of(reference)]
    else:
        paths = _chunk_paths(spark, in_manifest["manifest"], in_manifest["table"])
    if not paths:
        columns = ", ".join(f"`{column}` {kind}" for column, kind in ERP[name].items())
        return spark.createDataFrame([], columns)
    # Recursive lookup also turns off the guess that a folder called `a=b` holds a column `a`.
    rows = spark.read.option("recursiveFileLookup", "true").parquet(*(_no_glob(path) for path in paths))
    return conform(rows, name)


def path_of(reference: str) -> str:
    """The path behind a reference, as Spark's writers take it: decoded, when it is a `file:` URI."""
    if not reference.startswith("file:"):
        return reference
    return f"file://{unquote(urlsplit(reference).path)}"


def _no_glob(path: str) -> str:
    """The path as Spark's readers take it, who see patterns in braces, brackets, `*`, `?` and backslashes."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", path)


def _chunk_paths(spark: SparkSession, manifest_uri: str, table: str) -> list[str]:
    manifest = _manifest(spark, manifest_uri)
    for entry in manifest["tables"]:
        if table in (entry["name"], f"{entry['schema']}.{entry['name']}"):
            # Chunk paths are relative to the parent of the folder that holds the manifest.
            area = path_of(manifest_uri).rsplit("/", 2)[0]
            return [f"{area}/{chunk['path']}" for chunk in entry["chunks"] if chunk["rows"]]
    known = ", ".join(f"{entry['schema']}.{entry['name']}" for entry in manifest["tables"])
    raise SourceBroken(f"manifest {manifest_uri} has no table {table}; it has: {known or 'none'}")


@cache
def _manifest(spark: SparkSession, uri: str) -> dict[str, Any]:
    # Read by Spark, not by Python's open: only Spark speaks s3a:, hdfs: and EMR's s3:.
    text = spark.read.text(_no_glob(path_of(uri)), wholetext=True).first()
    try:
        manifest = json.loads(text[0] if text else "")
    except json.JSONDecodeError as error:
        raise SourceBroken(f"{uri} is not a manifest: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != 1:
        raise SourceBroken(f"{uri} is not a manifest of format 1")
    return manifest
