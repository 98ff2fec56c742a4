"""The query and the headers of a native request go on by a list for each method; all else is refused, or left out."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.api.native.support import ANSWER, GENERATE, OWN_KEY, RunningGateway, error_of, own, running_gateway

from gemgate.api.native.methods import METHODS, Kind, Method


@pytest.fixture(scope="module")
def there() -> Iterator[RunningGateway]:
    with running_gateway() as opened:
        yield opened


MEANT_FOR_GOOGLE = [
    "$httpMethod=GET",
    "$httpMethod=DELETE",
    "$httpHeaders=x-goog-api-key:bad",
    "$key=bad",
    "$fields=candidates",
    "$alt=proto",
    "$alt=json",
    "$.xgafv=2",
    "$prettyPrint=false",
    "$callback=a",
    "$req=%7B%7D",
    "$ct=application/x-protobuf",
    "$outputDefaults=true",
    "$unique=1",
    "%24httpMethod=GET",
    "callback=a",
    "fields=candidates",
    "fields=*",
    "userProject=p",
    "user_project=p",
    "quotaUser=q",
    "userIp=1.2.3.4",
    "prettyPrint=false",
    "trace=1",
    "upload_url=x",
    "method=DELETE",
    "_method=DELETE",
    "x-http-method-override=DELETE",
    "KEY=a",
    "page_size=1",
    "anything",
    "alt=proto",
    "alt=atom",
    "alt=JSON",
    "alt=json;enum-encoding=int",
    "alt=json&alt=media",
    "alt=",
]

EXAMPLES = [method for method in METHODS if method.kind in (Kind.PLAIN, Kind.UPLOAD)]


def target(method: Method) -> str:
    return f"/{method.prefix}v1beta/{method.template.replace('{name}', 'x-1')}"


@pytest.mark.parametrize("query", MEANT_FOR_GOOGLE)
def test_a_parameter_that_means_something_to_google_is_refused_and_named(there: RunningGateway, query: str) -> None:
    asked = len(there.google.requests)
    for verb, path in (("POST", GENERATE), ("POST", "/v1beta/cachedContents"), ("GET", "/v1beta/models")):
        status, body = there.raw(verb, f"{path}?{query}")
        error = httpx.Response(status, content=body)
        assert error_of(error)["code"] == 400
        name = query.partition("=")[0].replace("%24", "$")
        assert name in error.text
    assert len(there.google.requests) == asked


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_no_method_takes_a_system_parameter(there: RunningGateway, method: Method) -> None:
    asked = len(there.google.requests)
    for query in ("$httpMethod=DELETE", "fields=a", "callback=a", "userProject=p", "alt=proto"):
        assert there.raw(method.verb, f"{target(method)}?{query}")[0] == 400
    assert len(there.google.requests) == asked


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/v1beta/models?pageSize=2&pageToken=a&filter=x"),
        ("GET", "/v1beta/fileSearchStores/x/documents?pageSize=2"),
        ("PATCH", "/v1beta/cachedContents/x?updateMask=ttl"),
        ("DELETE", "/v1beta/fileSearchStores/x?force=true"),
        ("POST", "/v1beta/models/x:streamGenerateContent?alt=sse"),
        ("POST", "/v1beta/models/x:generateContent?alt=json"),
        ("GET", "/v1beta/files/x:download?alt=media"),
        ("GET", "/v1beta/files/x?alt=json"),
    ],
)
def test_a_methods_own_parameters_go_on(there: RunningGateway, verb: str, path: str) -> None:
    assert there.raw(verb, path)[0] == 200
    assert there.google.last.url.raw_path.decode() == path


def test_an_answer_that_must_be_read_is_not_asked_for_as_events(there: RunningGateway) -> None:
    asked = len(there.google.requests)
    for path in ("/v1beta/cachedContents", "/v1beta/models/x:batchGenerateContent", "/upload/v1beta/files"):
        for alt in ("sse", "media"):
            assert there.raw("POST", f"{path}?alt={alt}")[0] == 400
    assert len(there.google.requests) == asked


def test_the_key_is_taken_out_as_before(there: RunningGateway) -> None:
    answer = there.client.post(GENERATE, json={}, params={"key": OWN_KEY, "alt": "json"})
    assert answer.content == ANSWER
    assert there.google.last.url.query == b"alt=json"


def test_a_key_under_another_name_is_not_repeated(there: RunningGateway) -> None:
    for name in ("api_key", "apiKey", "$key", "token"):
        answer = there.client.post(GENERATE, json={}, params={name: OWN_KEY}, headers=own())
        assert error_of(answer)["code"] == 400
        assert OWN_KEY not in answer.text
    named = there.client.post(GENERATE, json={}, params={OWN_KEY: "a"}, headers={"x-goog-api-key": "AIza-x"})
    assert error_of(named)["code"] == 400
    assert OWN_KEY not in named.text


HEADERS = {
    "x-goog-fieldmask": "candidates",
    "x-goog-user-project": "p",
    "x-goog-request-params": "model=x",
    "x-goog-request-reason": "r",
    "x-goog-iam-authority-selector": "a",
    "x-goog-authenticated-user-email": "a@b.example",
    "x-goog-encode-response-if-executable": "base64",
    "x-goog-spatula": "a",
    "x-goog-ext-1-bin": "CAE=",
    "x-http-method-override": "DELETE",
    "x-http-method": "DELETE",
    "x-method-override": "DELETE",
    "x-android-package": "a",
    "x-ios-bundle-identifier": "a",
    "x-goog-upload-url": "https://example.com/",
    "x-goog-upload-command": "start",
    "x-goog-upload-protocol": "resumable",
    "x-goog-hash": "a",
    "x-goog-copy-source": "files/x",
    "x-cloud-trace-context": "a",
    "x-forwarded-host": "a.example",
    "forwarded": "for=1.2.3.4",
    "referer": "https://a.example",
    "origin": "https://a.example",
    "cookie": "a=b",
    "range": "bytes=0-1",
    "prefer": "a",
    "grpc-timeout": "1S",
}


def test_no_header_that_means_something_to_google_goes_on(there: RunningGateway) -> None:
    answer = there.client.post(GENERATE, json={}, headers=own(**HEADERS))
    assert answer.status_code == 200
    assert not set(HEADERS) & set(there.google.last.headers)


@pytest.mark.parametrize(
    ("accept", "sent"),
    [
        ("application/json", "application/json"),
        ("text/event-stream, */*;q=0.1", "text/event-stream, */*;q=0.1"),
        ("application/x-protobuf", "*/*"),
        ("application/json, application/x-protobuf", "*/*"),
        ("application/grpc", "*/*"),
    ],
)
def test_only_an_answer_that_can_be_read_is_asked_for(there: RunningGateway, accept: str, sent: Any) -> None:
    there.client.post(GENERATE, json={}, headers=own(accept=accept))
    assert there.google.last.headers.get("accept") == sent
