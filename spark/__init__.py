"""Spark jobs: plain scripts for `spark-submit`, here and on EMR; they import PySpark and the standard library only."""
