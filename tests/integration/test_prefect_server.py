"""The Prefect server that we start, as its pages see it."""

import json
import urllib.request


def test_the_pages_ask_the_server_that_they_come_from(prefect_server: str) -> None:
    with urllib.request.urlopen(prefect_server.removesuffix("/api") + "/ui-settings") as answer:
        assert json.load(answer)["api_url"] == prefect_server
