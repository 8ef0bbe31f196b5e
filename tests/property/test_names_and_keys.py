"""Names of files and content keys: different things never get one name, whatever a source calls its tables."""

import json
import re
import string

import hypothesis.strategies as st
from hypothesis import given

from tasks.chunks import content_key
from tasks.manifest import dataset_name, safe_name

IDENTIFIERS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=63)
#: Names that are easily mixed up once they are made safe.
TWINS = st.text(string.ascii_letters[:3] + "_-. /é", min_size=1, max_size=4)
NAMES = IDENTIFIERS | TWINS
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PARTS = st.dictionaries(st.sampled_from(["server", "table", "blocks", "fingerprint"]), JSON, max_size=4)


@given(one=NAMES, other=NAMES)
def test_safe_names_are_file_names_and_stay_apart(one: str, other: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_]+(-[0-9a-f]{8})?", safe_name(one))
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(name=st.text(string.ascii_letters + string.digits + "_", min_size=1))
def test_plain_names_stay_as_they_are(name: str) -> None:
    assert safe_name(name) == name


@given(one=st.tuples(TWINS, TWINS, TWINS), other=st.tuples(TWINS, TWINS, TWINS))
def test_datasets_stay_apart(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    names = [dataset_name(source=source, database=database, schema=schema) for source, database, schema in (one, other)]
    assert (names[0] == names[1]) == (one == other)


@given(one=PARTS, other=PARTS)
def test_keys_are_equal_for_equal_parts_alone(one: dict[str, object], other: dict[str, object]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (content_key(**one) == content_key(**other)) == same
    assert content_key(**dict(reversed(one.items()))) == content_key(**one), "their order is no part of it"
