"""The same unload to S3, named by URI or by a Prefect block with credentials of its own."""

import os
from collections.abc import Iterator

import boto3
import pytest
from prefect_aws import AwsClientParameters, AwsCredentials, S3Bucket
from unloading import chunks_run, execute, make_retries_quick, manifests, newest, unload

from deployments.processes import free_port
from tasks.errors import StorageRefused, StorageUnavailable
from tasks.storage import open_area
from tasks.verify import differences

pytestmark = pytest.mark.usefixtures("prefect_server")

TABLE = ("CREATE TABLE t AS SELECT i AS id, md5(i::text) AS x FROM generate_series(1, 100) i",)


def test_an_area_on_s3_behaves_as_a_folder_does(database: str, moto_s3: str) -> None:
    execute(database, *TABLE)
    storage = f"{moto_s3}/staging"
    report = unload(database, storage)
    assert report.manifest.startswith(f"{storage}/manifests/")
    assert chunks_run(report) == {"public.t": 1}
    assert chunks_run(unload(database, storage)) == {"public.t": 0}
    assert newest(storage).table("t").rows == 100
    area = open_area(storage)
    assert list(differences(area, newest(storage))) == []

    (chunk,) = newest(storage).table("t").chunks
    bucket = moto_s3.removeprefix("s3://")
    boto3.client("s3").delete_object(Bucket=bucket, Key=f"staging/{chunk.path}")
    assert list(differences(area, newest(storage))) == [f"public.t: {storage}/{chunk.path}: the file is missing"]
    assert chunks_run(unload(database, storage)) == {"public.t": 1}
    boto3.client("s3").put_object(Bucket=bucket, Key=f"staging/{chunk.path}", Body=b"torn")
    assert chunks_run(unload(database, storage)) == {"public.t": 1}
    assert list(differences(area, newest(storage))) == []
    assert all(key.startswith("staging/") for key in keys_of(bucket))


def keys_of(bucket: str) -> Iterator[str]:
    for page in boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from (entry["Key"] for entry in page.get("Contents", []))


def save_bucket(name: str, uri: str, endpoint: str) -> str:
    """A block with an endpoint and keys of its own."""
    credentials = AwsCredentials(
        aws_access_key_id="own",
        aws_secret_access_key="own-secret",
        region_name="eu-west-3",
        aws_client_parameters=AwsClientParameters(endpoint_url=endpoint),
    )
    credentials.save(f"{name}-keys", overwrite=True)
    block = S3Bucket(bucket_name=uri.removeprefix("s3://"), bucket_folder="inner/", credentials=credentials)
    block.save(name, overwrite=True)
    return f"s3-bucket/{name}"


def test_a_bucket_block_brings_its_own_credentials(
    database: str, moto_s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, *TABLE)
    storage = save_bucket("staging", moto_s3, os.environ["AWS_ENDPOINT_URL"])
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    report = unload(database, storage)
    assert report.manifest.startswith(f"{moto_s3}/inner/manifests/")
    assert chunks_run(unload(database, storage)) == {"public.t": 0}
    assert newest(storage).table("t").rows == 100
    assert open_area(storage).uri == f"{moto_s3}/inner", "the block is still what its owner saved"


def test_a_bucket_that_does_not_exist(database: str, moto_s3: str) -> None:
    execute(database, *TABLE)
    with pytest.raises(StorageRefused, match=r"storage s3://.*-none: .*check bucket, region and permissions"):
        unload(database, f"{moto_s3}-none")


def test_an_endpoint_that_is_down(database: str, moto_s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(database, *TABLE)
    make_retries_quick(monkeypatch)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    storage = save_bucket("down", moto_s3, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StorageUnavailable, match=r"storage s3://.* does not answer: .*: run again when it does"):
        unload(database, storage)
    save_bucket("down", moto_s3, os.environ["AWS_ENDPOINT_URL"])
    assert manifests(storage) == []
    unload(database, storage)
    assert newest(storage).table("t").rows == 100
