"""The console in a real browser, which reaches nothing but the loopback."""

import itertools
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest
from tests.support import npm
from tests.support.browser import Browser, Page, browser
from tests.support.stack import Stack, stack

pytestmark = pytest.mark.integration

TRANSLATED = "document.querySelector('#native')?.textContent.includes('contents')"
EMBEDDING = {"model": "gemini-embedding-001", "input": "Hello"}
ENDED = "document.querySelector('.timeline')?.innerText.includes('end')"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def demo() -> Iterator[Stack]:
    with stack() as servers:
        yield servers


@pytest.fixture
def page(chromium: Browser, demo: Stack) -> Iterator[Page]:
    """The console as it opens; at the end it must have asked this gateway alone, without an error in its console."""
    with chromium.page() as opened:
        opened.goto(f"{demo.gateway}/")
        opened.wait_for(TRANSLATED)
        yield opened
        opened.run("1")  # takes the events that are left
        assert not [url for url in opened.urls if not url.startswith(f"{demo.gateway}/")]
        assert not opened.problems


def test_the_root_opens_the_inspector_with_an_example_that_is_translated_and_marked(page: Page) -> None:
    assert page.run("location.pathname") == "/console"
    assert page.text("nav [aria-current]") == "Inspector"
    assert page.text("#target") == "POST /v1beta/models/gemini-2.5-flash:generateContent"
    marked = page.run("[...document.querySelectorAll('.editor mark.dropped')].map((mark) => mark.textContent)")
    assert '"user": "user-1234"' in marked
    assert "Gemini has no token biases" in page.text(".notes")


def test_typing_translates_and_says_what_is_wrong(page: Page) -> None:
    page.fill(
        "textarea",
        '{"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Moin"}], "reasoning_effort": "high"}',
    )
    page.wait_for("document.querySelector('#native').textContent.includes('Moin')")
    assert "thinkingBudget" in page.text("#native")
    page.fill("textarea", '{"model": ')
    page.wait_for("document.querySelector('.problem').textContent.includes('JSON')")
    page.fill("textarea", '{"model": "gemini-2.5-flash", "messages": [], "temperature": 9}')
    page.wait_for("document.querySelector('.editor mark.rejected')")
    page.urls.clear()  # a refusal is a line in the browser's own console
    page.problems[:] = [problem for problem in page.problems if "status of 400" not in problem]


def test_a_curl_line_is_taken_apart(page: Page) -> None:
    page.fill(
        "textarea",
        "curl https://api.openai.com/v1/responses -H 'Content-Type: application/json' \\\n"
        ' -H "Authorization: Bearer sk-demo" -d \'{"model": "gemini-2.5-flash", "input": "It'
        "'\\''s\"}'",
    )
    page.wait_for("document.querySelector('#native').textContent.includes(\"It's\")")
    assert page.run("document.querySelector('#path').value") == "/v1/responses"
    assert page.run("document.querySelector('#key').value") == "sk-demo"
    assert page.run("JSON.parse(document.querySelector('textarea').value).input") == "It's"


def choose(page: Page, *names: str) -> None:
    """Choose files of a few bytes of sound, as the browser's dialogue does."""
    page.run(
        "(() => { const field = document.querySelector('#files'); const list = new DataTransfer(); "
        "const sound = Uint8Array.from(atob('UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA='), "
        "(letter) => letter.charCodeAt(0)); "
        f"for (const name of {list(names)}) list.items.add(new File([sound], name, {{type: 'audio/wav'}})); "
        "field.files = list.files; field.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def test_an_example_of_a_form_has_its_file_is_translated_and_sent(page: Page) -> None:
    assert page.run("document.querySelector('.files').hidden")
    page.fill("#example", "audio-transcript")
    page.wait_for("document.querySelector('#native').textContent.includes('inlineData')")
    assert "gemini-3.5-transcribe:generateContent" in page.text("#target")
    assert '"file": "@speech.wav"' in page.run("document.querySelector('textarea').value")
    assert not page.run("document.querySelector('.files').hidden")
    assert page.run("[...document.querySelector('#files').files].map((file) => file.name)") == ["speech.wav"]
    page.run("document.querySelector('button.primary').click()")
    page.wait_for(ENDED)
    assert page.text("#send-status") == "Status 200"
    assert "inlineData" in page.text("#native-events")
    assert '"segments"' in page.text("#openai-events")
    page.run("location.hash = 'keys'")
    page.wait_for("document.querySelector('#counting')")
    page.run("location.hash = 'inspector'")  # what was written and chosen is still there
    page.wait_for("document.querySelector('#native')?.textContent.includes('inlineData')")
    assert not page.run("document.querySelector('.files').hidden")


def test_a_curl_line_of_a_form_is_taken_apart_and_waits_for_its_file(page: Page) -> None:
    page.fill(
        "textarea",
        "curl https://api.openai.com/v1/audio/transcriptions -H 'Authorization: Bearer sk-demo' \\\n"
        "  -F 'file=@/home/me/no such.wav;type=audio/wav' -F model=whisper-1 \\\n"
        "  --form-string 'prompt=@Aurora; not a file' -F 'timestamp_granularities[]=word' \\\n"
        "  -F response_format=verbose_json",
    )
    page.wait_for("document.querySelector('.problem').textContent.includes('Choose the file “no such.wav”')")
    assert page.run("document.querySelector('#path').value") == "/v1/audio/transcriptions"
    assert page.run("document.querySelector('#key').value") == "sk-demo"
    assert page.run("JSON.parse(document.querySelector('textarea').value)") == {
        "file": "@no such.wav",
        "model": "whisper-1",
        "prompt": "@Aurora; not a file",
        "timestamp_granularities": ["word"],
        "response_format": "verbose_json",
    }
    choose(page, "other.wav")
    page.wait_for("document.querySelector('#native').textContent.includes('audio/wav')")
    assert page.run("JSON.parse(document.querySelector('textarea').value).file") == "@other.wav"


def test_images_are_a_form_when_a_file_is_chosen_and_what_is_refused_is_marked(page: Page) -> None:
    page.fill("#example", "images-variation")
    page.wait_for("document.querySelector('#native').textContent.includes('inlineData')")
    script = "import('./console/forms.js').then((forms) => forms.isForm('/v1/images/edits', {}))"
    picture, one, two = (
        script.replace("{}", body) for body in ("{image: 'aGVsbG8='}", "{image: '@a.png'}", "{mask: ['@a']}")
    )
    assert [page.run(each) for each in (picture, one, two)] == [False, True, True]
    page.fill("#path", "/v1/images/edits")
    page.fill("textarea", '{"prompt": "Bluer", "mask": "@mask.png"}')
    choose(page, "one.png", "two.png")
    page.wait_for("document.querySelector('.problem').textContent.includes('mask.png')")
    assert page.run("JSON.parse(document.querySelector('textarea').value).image") == ["@one.png", "@two.png"]
    page.problems[:] = [problem for problem in page.problems if "status of 400" not in problem]


def test_a_stream_plays_with_both_sides_and_a_time_line(page: Page) -> None:
    page.fill("#example", "stream-text")
    page.wait_for(f"{TRANSLATED} && document.querySelector('#target').textContent.includes('stream')")
    page.run("document.querySelector('button.primary').click()")
    page.wait_for(ENDED)
    line = page.text(".timeline")
    places = [line.index(name) for name in ("accepted", "translated", "first byte", "first token", "end")]
    assert places == sorted(places)
    assert page.text("#send-status") == "Status 200"
    assert len(page.text("#answer-text")) > 10
    assert "candidates" in page.text("#native-events")
    assert "[DONE]" in page.text("#openai-events")


def test_the_keyboard_is_enough(page: Page) -> None:
    for _ in range(60):
        page.press("Tab")
        if page.run("document.activeElement.textContent") == "Send":
            break
    else:
        pytest.fail("the button was not reached")
    page.press("Enter")
    page.wait_for(ENDED)


@pytest.fixture(scope="module")
def axe(request: pytest.FixtureRequest) -> str:
    """The script that audits a page for accessibility; skips the test without npm."""
    assert request.config.cache is not None
    project = npm.install(Path(__file__).parent / "axe", request.config.cache.mkdir("axe"))
    return (project / "node_modules" / "axe-core" / "axe.min.js").read_text()


def test_an_audit_of_accessibility_finds_nothing_serious(page: Page, axe: str) -> None:
    page.run(axe)
    page.run("document.querySelector('.files').hidden = false")
    page.run("document.querySelector('button.primary').click()")
    page.wait_for(ENDED)
    found: list[str] = []
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        for view in ("inspector", "requests", "keys", "batches", "usage"):
            page.run(f"location.hash = {view!r}")
            page.wait_for(f"document.querySelector('nav [aria-current]').hash === '#{view}'")
            page.wait_for("document.querySelectorAll('main .card').length > 0")
            violations = page.run("axe.run().then((audit) => audit.violations)")
            found += [
                f"{view} in {scheme}: {each['id']}: {[node['html'] for node in each['nodes']]}"
                for each in violations
                if each["impact"] in ("serious", "critical")
            ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("scheme", "is_dark"), [("dark", True), ("light", False)])
def test_it_follows_the_colours_of_the_system(page: Page, scheme: str, is_dark: bool) -> None:
    page.prefer(scheme)
    red = page.run("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
    assert (red < 128) == is_dark


def test_a_phone_scrolls_in_one_direction(page: Page) -> None:
    page.resize(360, 740)
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_copies_are_programs(page: Page) -> None:
    body = "{model: 'm', stream: true, messages: [{role: 'user', content: \"It's\"}]}"
    script = (
        "import('./console/snippets.js').then((all) => ['curl', 'python', 'javascript'].map((name) => all[name]("
        f"{{path: '/v1/chat/completions', body: {body}}})))"
    )
    curl, python, javascript = page.run(script)
    assert "It'\\''s" in curl
    compile(python, "copy", "exec")
    assert "client.chat.completions.create(**{" in python
    assert '"stream": True' in python
    assert "new OpenAI({ baseURL:" in javascript


def test_copies_of_forms_are_programs_that_open_the_files(page: Page) -> None:
    body = "{file: '@a;b.wav', model: 'whisper-1', prompt: '@x; y', include: ['logprobs'], stream: true}"
    script = (
        "import('./console/snippets.js').then((all) => ['curl', 'python', 'javascript'].map((name) => all[name]("
        f"{{path: '/v1/audio/transcriptions', isForm: true, body: {body}}})))"
    )
    curl, python, javascript = page.run(script)
    words = shlex.split(curl.replace("\\\n", " "))
    fields = [value for name, value in itertools.pairwise(words) if name in ("-F", "--form-string")]
    assert fields == ['file=@"a;b.wav"', "model=whisper-1", "prompt=@x; y", "include[]=logprobs", "stream=true"]
    assert words[words.index("prompt=@x; y") - 1] == "--form-string"
    compile(python, "copy", "exec")
    assert '"file": open("a;b.wav", "rb"),' in python
    assert "client.audio.transcriptions.create(**{" in python
    assert 'fs.createReadStream("a;b.wav")' in javascript
    read = page.run(f"import('./console/snippets.js').then((all) => all.fromCurl({orjson.dumps(curl).decode()}))")
    assert read["fields"] == {
        "file": "@a;b.wav",
        "model": "whisper-1",
        "prompt": "@x; y",
        "include": ["logprobs"],
        "stream": "true",
    }


def test_requests_appear_as_they_end_and_can_be_filtered(page: Page, demo: Stack) -> None:
    with httpx.Client(base_url=demo.gateway, headers={"authorization": "Bearer demo"}, timeout=30) as caller:
        chat = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}], "user": "x"}
        caller.post("/v1/chat/completions", json=chat)
        page.run("location.hash = 'requests'")
        page.wait_for("document.querySelector('tbody').innerText.includes('1 dropped')")
        assert "this process" in page.text("#seen")
        assert "Other replicas are not seen" in page.text("#seen")
        assert "Bodies are not kept" in page.text("#seen")
        caller.post("/v1/chat/completions", json={"model": "gemini-2.5-flash", "messages": []})
    page.wait_for("document.querySelector('tbody').innerText.includes('400')")
    page.fill("#outcome", "refused")
    assert page.run("[...document.querySelectorAll('tbody tr')].every((row) => row.innerText.includes('400'))")
    page.fill("#outcome", "all")
    page.fill("#filter", "flash")
    page.run("document.querySelector('td button').click()")
    page.wait_for("document.querySelector('#details').innerText.includes('/v1/chat/completions')")


def test_the_page_says_which_replicas_it_sees(page: Page) -> None:
    def sight(redis: str, **replicas: list[int]) -> str:
        news = orjson.dumps({"processes": [7, 8], "replicas": replicas, "redis": redis}).decode()
        text: str = page.run(f"import('./console/requests.js').then((view) => view.sight({news}, false))")
        return text

    assert "the 2 workers of this host. Other replicas are not seen" in sight("none", a=[7, 8])
    assert "2 replicas with 3 processes, through Redis: a, b. " in sight("up", a=[7, 8], b=[9])
    assert "the 2 workers of this host. Redis is down: other replicas are not seen" in sight("down", a=[7, 8])
    assert "Redis refuses commands" in sight("refusing", a=[7, 8])


def test_keys_batches_and_usage_have_their_views(page: Page, demo: Stack) -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": EMBEDDING}
    with httpx.Client(base_url=demo.gateway, headers={"authorization": "Bearer demo"}, timeout=60) as caller:
        caller.post("/v1/embeddings", json=EMBEDDING)
        given = {"file": ("input.jsonl", orjson.dumps(line))}
        file = caller.post("/v1/files", files=given, data={"purpose": "batch"}).json()
        wanted = {"input_file_id": file["id"], "endpoint": "/v1/embeddings", "completion_window": "24h"}
        batch = caller.post("/v1/batches", json=wanted).json()
    page.run("location.hash = 'keys'")
    page.wait_for("document.querySelector('main').innerText.includes('callers bring their own')")
    assert "Each process counts for itself" in page.text("#counting")
    page.run("location.hash = 'batches'")
    page.wait_for(f"document.querySelector('main').innerText.includes('{batch['id']}')")
    page.wait_for("document.querySelector('td progress')?.max === 1")
    assert "files: batch" in page.text("main")
    page.run("location.hash = 'usage'")
    page.wait_for("[...document.querySelectorAll('.chart rect')].some((bar) => bar.height.baseVal.value > 0)")
    assert "gemini-embedding-001" in page.text("main")


def test_the_docs_work_without_the_internet(chromium: Browser, demo: Stack) -> None:
    with chromium.page() as page:
        page.goto(f"{demo.gateway}/docs")
        page.wait_for("document.querySelectorAll('.opblock').length > 10")
        assert not [url for url in page.urls if not url.startswith((f"{demo.gateway}/", "data:"))]
        assert not page.problems


def test_a_browser_with_the_token_is_let_in_and_out(chromium: Browser) -> None:
    token = "the-token-of-the-console-0123"
    with stack(host="0.0.0.0", console_token=token) as servers, chromium.page() as page:
        page.goto(f"{servers.gateway}/console")
        page.fill("#token", "wrong")
        page.run("document.querySelector('form').submit()")
        page.wait_for("document.querySelector('[role=alert]')")
        page.fill("#token", token)
        page.run("document.querySelector('form').submit()")
        page.wait_for(TRANSLATED)
        assert page.run("document.cookie") == ""
        page.run("document.querySelector('#log-out').click()")
        page.wait_for("document.querySelector('#token')")
