"""The body of an edit, a form or JSON."""

import base64
from typing import Any

import orjson
import pytest
from tests.api.images.support import FLASH_25, drawn

from gemgate.api.images.edit_body import Edit, from_form, from_json
from gemgate.errors import ApiError
from gemgate.web.multipart import FormPart

PNG = drawn()
BYTES = base64.b64decode(PNG)
SEEN = {"inlineData": {"mimeType": "image/png", "data": PNG}}


def file(name: str = "image", content: bytes = BYTES, filename: str = "upload", kind: str | None = None) -> FormPart:
    return FormPart(name, bytearray(content), filename, kind)


def form(*parts: FormPart, **fields: str) -> Edit:
    plain = {"model": FLASH_25, "prompt": "bluer"} | fields
    return from_form([*(FormPart(name, bytearray(text.encode())) for name, text in plain.items()), *parts])


def refused(*parts: FormPart, **fields: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        form(*parts, **fields)
    assert caught.value.status == 400
    return caught.value


def json(**body: Any) -> Edit:
    return from_json(orjson.dumps({"model": FLASH_25, "prompt": "bluer", **body}))


class TestForms:
    def test_a_form_holds_one_image_and_text(self) -> None:
        request, images = form(file(), n="2", stream="true")
        assert (request.prompt, request.n, request.stream) == ("bluer", 2, True)
        assert images == [SEEN]

    @pytest.mark.parametrize("names", [("image[]", "image[]"), ("image", "image"), ("image[0]", "image[1]")])
    def test_a_form_holds_several_images(self, names: tuple[str, str]) -> None:
        other = drawn("jpeg")
        _, images = form(file(names[0]), file(names[1], base64.b64decode(other), kind="image/jpeg"))
        assert images == [SEEN, {"inlineData": {"mimeType": "image/jpeg", "data": other}}]

    def test_a_form_may_hold_an_image_as_text(self) -> None:
        _, images = form(**{"image[]": PNG})
        assert images == [SEEN]
        _, images = form(image=f"data:image/png;base64,{PNG}")
        assert images == [SEEN]

    def test_a_form_may_hold_a_file_that_nobody_chose(self) -> None:
        _, images = form(file(), file("mask", b"", ""))
        assert images == [SEEN]

    @pytest.mark.parametrize("name", ["mask", "markup"])
    @pytest.mark.parametrize("spelling", ["{}", "{}[]", "{}[0]"])
    def test_a_form_with_a_mask_keeps_it_for_the_refusal(self, name: str, spelling: str) -> None:
        request, _ = form(file(), file(spelling.format(name)))
        assert getattr(request, name) == "upload"

    def test_a_form_nests_names_in_brackets(self) -> None:
        names = {
            "google[aspect_ratio]": "16:9",
            "google[generation_config][image_config][image_size]": "2K",
            "google[generation_config][stop_sequences][]": "x",
            "svg[model]": "m",
        }
        request, _ = form(file(), **names)
        assert request.google == {
            "aspect_ratio": "16:9",
            "generation_config": {"image_config": {"image_size": "2K"}, "stop_sequences": ["x"]},
        }
        assert request.svg == {"model": "m"}

    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3)])
    def test_a_form_nests_objects_in_lists_in_either_order(self, order: tuple[int, ...]) -> None:
        said = [("category", "A"), ("threshold", "B"), ("category", "C"), ("threshold", "D")]
        name = "google[safety_settings][][{}]"
        parts = [FormPart(name.format(said[at][0]), bytearray(said[at][1].encode())) for at in order]
        request, _ = form(file(), *parts)
        settings = [{"category": "A", "threshold": "B"}, {"category": "C", "threshold": "D"}]
        assert request.google == {"safety_settings": settings}

    def test_a_form_may_hold_an_object_as_json(self) -> None:
        request, _ = form(file(), extra_body='{"google": {"tools": [{"google_search": {}}]}}')
        assert request.extra_body == {"google": {"tools": [{"google_search": {}}]}}

    @pytest.mark.parametrize(("text", "code"), [("{", "invalid_json"), ("[]", "invalid_type")])
    def test_a_form_whose_object_is_not_json_is_refused(self, text: str, code: str) -> None:
        error = refused(file(), google=text)
        assert (error.param, error.code) == ("google", code)

    @pytest.mark.parametrize(
        "names",
        [
            ("a", "a[b]"),
            ("a[]", "a[b]"),
            ("a[b]", "a[]"),
            ("a[b]", "a[][c]"),
            ("[a]",),
            ("a[",),
            ("a]b",),
            ("",),
            ("a[b]c",),
            ("a[][][c]",),
            ("a" + "[b]" * 9,),
        ],
    )
    def test_a_form_with_names_that_contradict_each_other_is_refused(self, names: tuple[str, ...]) -> None:
        parts = [FormPart(name, bytearray(b"x")) for name in names]
        error = refused(file(), *parts)
        assert (error.param, error.code) == (names[-1][:80], "invalid_form")

    def test_a_form_with_a_file_that_has_no_place_is_refused_by_name(self) -> None:
        error = refused(file(), file("prompt"))
        assert (error.param, error.code) == ("prompt", "invalid_type")

    def test_a_form_without_a_prompt_is_refused_by_name(self) -> None:
        error = refused(file(), prompt="")
        assert (error.param, error.code) == ("prompt", "string_below_min_length")

    def test_a_form_without_an_image_is_refused_by_name(self) -> None:
        error = refused()
        assert (error.param, error.code) == ("image", "missing_required_parameter")

    def test_a_form_with_seventeen_images_is_refused(self) -> None:
        assert len(form(*[file("image[]")] * 16)[1]) == 16
        error = refused(*[file("image[]")] * 17)
        assert (error.param, error.code) == ("image", "array_above_max_length")

    @pytest.mark.parametrize(
        ("content", "problem"),
        [(b"%PDF-1.7", "not an image"), (b"", "empty"), (b"\0\1\2", "no type that Gemini reads")],
    )
    def test_a_form_with_a_file_that_is_no_image_is_refused(self, content: bytes, problem: str) -> None:
        error = refused(file(), file("image[]", content))
        assert (error.param, error.code) == ("image[1]", "unsupported_media_type")
        assert problem in error.message


class TestJson:
    def test_json_holds_images_as_base64_or_data_urls(self) -> None:
        url = f"data:image/png;base64,{PNG}"
        assert json(image=PNG)[1] == [SEEN]
        assert json(image=[PNG, url])[1] == [SEEN, SEEN]
        assert json(images=[{"image_url": url}])[1] == [SEEN]

    @pytest.mark.parametrize("name", ["files/abc", "https://generativelanguage.googleapis.com/v1beta/files/abc"])
    def test_json_may_name_a_gemini_file(self, name: str) -> None:
        uri = "https://generativelanguage.googleapis.com/v1beta/files/abc"
        assert json(images=[{"file_id": name}])[1] == [{"fileData": {"fileUri": uri}}]

    @pytest.mark.parametrize(
        ("body", "param", "code"),
        [
            ({}, "image", "missing_required_parameter"),
            ({"image": []}, "image", "missing_required_parameter"),
            ({"image": ["!"]}, "image[0]", "invalid_base64"),
            ({"image": "https://example.com/a.png"}, "image", "invalid_image_url"),
            ({"image": base64.b64encode(b"%PDF-1.7").decode()}, "image", "unsupported_media_type"),
            ({"images": [{}]}, "images[0].file_id", "invalid_base64"),
            ({"image": 5}, "image", "invalid_type"),
            ({"n": 11, "image": PNG}, "n", "integer_above_max_value"),
        ],
    )
    def test_json_that_is_wrong_is_refused_by_name(self, body: Any, param: str, code: str) -> None:
        with pytest.raises(ApiError) as caught:
            json(**body)
        assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)
