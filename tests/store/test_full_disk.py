"""A PostgreSQL whose disk is full: what must be stored is a 507, and all else goes on."""

from pathlib import Path

import httpx
import psycopg
import pytest
from tests.support.gateway import gateway_app
from tests.support.server import serve
from tests.support.servers import Postgres

pytestmark = pytest.mark.integration

KEY = "AIza-known-to-google"
_REFUSES = """
CREATE FUNCTION {schema}.refuse() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = '{state}'; END
$$ LANGUAGE plpgsql;
CREATE TRIGGER refuses BEFORE INSERT ON {schema}.{table} EXECUTE FUNCTION {schema}.refuse();
"""


def google(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"models": [], "candidates": []})


@pytest.mark.parametrize(("state", "status", "code"), [("53100", 507, "insufficient_storage"), ("53300", 503, None)])
def test_a_full_disk_of_postgresqls_is_a_507_and_another_failure_a_503(
    postgres: Postgres, tmp_path: Path, state: str, status: int, code: str | None
) -> None:
    url = postgres.new_database()
    app = gateway_app(google, database_url=url, data_dir=tmp_path, retries=0, gemini_api_key=KEY, client_keys="a-key")
    headers = {"authorization": "Bearer a-key"}
    with serve(app) as origin, httpx.Client(base_url=origin, headers=headers, timeout=30) as client:
        assert client.post("/v1/conversations", json={}).status_code == 200
        with psycopg.connect(url, autocommit=True) as connection:
            schema = connection.execute("SELECT current_schema()").fetchone()[0]  # type: ignore[index]
            for table in ("conversations", "files"):
                made = _REFUSES.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
                connection.execute(made.format(schema=schema, table=table, state=state))
        for refused in (
            client.post("/v1/conversations", json={}),
            client.post("/v1/files", data={"purpose": "user_data"}, files={"file": ("a", b"x")}),
        ):
            assert refused.status_code == status, refused.text
            assert code is None or refused.json()["error"]["code"] == code
            assert "base/1/2" not in refused.text
        body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "x"}]}
        dry = client.post("/v1/chat/completions", json=body, headers={"x-gemgate-dry-run": "true"})
        assert dry.status_code == 200
        assert client.get("/readyz").status_code == 200
