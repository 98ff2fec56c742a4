"""The type of media, from its first bytes."""

import io
import struct
import wave
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gemgate.media.errors import MediaError
from gemgate.media.sniff import choose, gemini_name, sniff


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (2, 2), "red").save(out, kind)
    return out.getvalue()


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(320))
    return out.getvalue()


def box(kind: bytes, payload: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(payload)) + kind + payload


def iso(major: bytes, *compatible: bytes) -> bytes:
    return box(b"ftyp", major + bytes(4) + b"".join(compatible)) + box(b"free") + box(b"mdat", bytes(16))


def ebml(document: bytes) -> bytes:
    head = b"\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82" + bytes([0x80 | len(document)])
    return b"\x1aE\xdf\xa3" + bytes([0x80 | len(head) + len(document)]) + head + document


def frames(second: int, length: int = 417) -> bytes:
    return (bytes([0xFF, second, 0x90, 0x64]) + bytes(length - 4)) * 2


FILES = [
    (picture("PNG"), "image/png"),
    (picture("JPEG"), "image/jpeg"),
    (picture("GIF"), "image/gif"),
    (b"GIF87a" + bytes(20), "image/gif"),
    (picture("WEBP"), "image/webp"),
    (picture("AVIF"), "image/avif"),
    (iso(b"avis", b"msf1"), "image/avif"),
    (iso(b"mif1", b"avif", b"mif1"), "image/avif"),
    (iso(b"heic", b"mif1", b"heic"), "image/heic"),
    (iso(b"heix", b"mif1"), "image/heic"),
    (iso(b"hevc", b"msf1"), "image/heic"),
    (iso(b"mif1", b"mif1", b"heic"), "image/heif"),
    (iso(b"msf1"), "image/heif"),
    (picture("PDF"), "application/pdf"),
    (b"\xef\xbb\xbf%PDF-1.7\n", "application/pdf"),
    (b"\r\n %PDF-1.4\n", "application/pdf"),
    (sound(), "audio/wav"),
    (b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + frames(0xFB), "audio/mp3"),
    (frames(0xFB), "audio/mp3"),
    (frames(0xFA), "audio/mp3"),
    (frames(0xF3), "audio/mp3"),
    (frames(0xF2), "audio/mp3"),
    (frames(0xE3), "audio/mp3"),
    (b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(20), "audio/aac"),
    (b"\xff\xf9\x50\x80\x02\x1f\xfc" + bytes(20), "audio/aac"),
    (b"ADIF" + bytes(20), "audio/aac"),
    (b"fLaC\x00\x00\x00\x22" + bytes(34), "audio/flac"),
    (b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead", "audio/ogg"),
    (b"OggS\x00\x02" + bytes(20) + b"\x01\x1e\x01vorbis", "audio/ogg"),
    (b"FORM\x00\x00\x00\x2eAIFFCOMM", "audio/aiff"),
    (b"FORM\x00\x00\x00\x2eAIFCFVER", "audio/aiff"),
    (iso(b"M4A ", b"isom", b"mp42"), "audio/mp4"),
    (iso(b"isom", b"iso2", b"avc1", b"mp41"), "video/mp4"),
    (iso(b"mp42", b"isom"), "video/mp4"),
    (iso(b"iso5", b"dash"), "video/mp4"),
    (iso(b"M4V "), "video/mp4"),
    (iso(b"3gp4"), "video/3gpp"),
    (iso(b"3g2a"), "video/3gpp"),
    (iso(b"qt  "), "video/mov"),
    (box(b"moov", bytes(100)), "video/mov"),
    (box(b"wide") + box(b"mdat", bytes(9)), "video/mov"),
    (ebml(b"webm"), "video/webm"),
    (b"RIFF\x64\x00\x00\x00AVI LIST", "video/avi"),
    (b"\x00\x00\x01\xba\x44" + bytes(9), "video/mpeg"),
    (b"\x00\x00\x01\xb3\x14" + bytes(9), "video/mpeg"),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(9), "video/wmv"),
    (b"FLV\x01\x05\x00\x00\x00\x09", "video/x-flv"),
]
NO_MEDIA = [
    b"",
    b"\xff",
    b"RIFF",
    b"ID3 is a tag",
    b"The free lunch",
    b"ab, ftyp is a box",
    b"BM, a nice bike",
    b"%PD",
    b"FORM\x00\x00\x00\x2e8SVX",
    ebml(b"matroska"),
    frames(0xFD),  # layer II
    frames(0xEB),  # a version that does not exist
    b"\xff\xfb\xf0\x64",  # a bit rate that does not exist
    b"\xff\xfb\x9c\x64",  # a sample rate that does not exist
    b"\xff\xf1\x7c\x80",  # the same in ADTS
    b"\xff\xfeh\x00i\x00",  # UTF-16
    b"PK\x03\x04" + bytes(40),
]


@pytest.mark.parametrize(("content", "mime"), FILES)
def test_the_first_bytes_tell_the_type(content: bytes, mime: str) -> None:
    assert sniff(content[:1024]) == mime


@pytest.mark.parametrize(("content", "mime"), FILES)
def test_what_the_bytes_show_beats_what_is_declared(content: bytes, mime: str) -> None:
    assert choose(content[:1024], "image/svg+xml", "a.txt") == mime
    assert choose(content[:1024], "image/png" if mime != "image/png" else "image/webp", None) == mime


@pytest.mark.parametrize("content", NO_MEDIA)
def test_the_first_bytes_of_other_things_tell_nothing(content: bytes) -> None:
    assert sniff(content) is None


@pytest.mark.parametrize(
    ("declared", "mime"),
    [
        ("audio/x-wav", "audio/wav"),
        ("audio/mpeg", "audio/mp3"),
        ("Audio/MPEG; charset=binary", "audio/mp3"),
        ("image/jpg", "image/jpeg"),
        ("video/quicktime", "video/mov"),
        ("video/x-msvideo", "video/avi"),
        ("audio/x-m4a", "audio/mp4"),
        ("application/xml", "text/xml"),
        ("audio/L16;codec=pcm;rate=24000", "audio/L16;codec=pcm;rate=24000"),
        ("chemical/x-pdb", "chemical/x-pdb"),
        ("", None),
        (None, None),
    ],
)
def test_types_have_geminis_names(declared: str | None, mime: str | None) -> None:
    assert gemini_name(declared) == mime


@pytest.mark.parametrize(
    ("content", "declared", "filename", "mime"),
    [
        (b"a,b\n1,2\n", None, None, "text/plain"),
        (b"a,b\n1,2\n", "text/csv; charset=utf-8", None, "text/csv"),
        (b"a,b\n1,2\n", "application/vnd.ms-excel", "table.csv", "text/csv"),
        (b'{"a": 1}', "application/json", None, "application/json"),
        (b'{"a": 1}', None, "data.json", "application/json"),
        (b'{"a": 1}\n', "application/x-ndjson", None, "text/plain"),
        (b"# Title", "text/markdown", None, "text/markdown"),
        (b"# Title", "application/octet-stream", "README.md", "text/markdown"),
        (b"let a: number", None, "main.ts", "text/plain"),
        (b"print(1)", None, "main.py", "text/x-python"),
        (b"key: value", None, "some.unknown", "text/plain"),
        (b"key: value", None, "noextension", "text/plain"),
        (b"<!DOCTYPE html><html></html>", None, None, "text/html"),
        (b"<!DOCTYPE html><html></html>", "text/plain", None, "text/plain"),
        (b"<html><body>Not found</body></html>", "image/png", None, "text/html"),
        (b'<svg xmlns="x"/>', "text/xml", None, "text/xml"),
        (b"<?xml version='1.0'?><a/>", "application/xml", None, "text/xml"),
        ("müßig".encode("latin-1"), "text/plain", None, "text/plain"),
        ("ä".encode() * 512, None, None, "text/plain"),
        (b"x" + "ä".encode() * 512, None, None, "text/plain"),
        (bytes(range(1, 100)), "audio/pcm;rate=16000", None, "audio/pcm;rate=16000"),
        (b"\0\0\x01\x02", "application/octet-stream", "take.mp3", "audio/mp3"),
        (ebml(b"webm"), "audio/webm", None, "audio/webm"),
        (ebml(b"webm"), "audio/wav", None, "video/webm"),
        (iso(b"isom"), "audio/m4a", None, "audio/mp4"),
        (iso(b"isom"), None, "take.mp4", "video/mp4"),
    ],
)
def test_declaration_and_name_decide_where_the_bytes_do_not(
    content: bytes, declared: str | None, filename: str | None, mime: str
) -> None:
    assert choose(content[:1024], declared, filename) == mime


@pytest.mark.parametrize(
    ("content", "declared", "complaint"),
    [
        (b"", "image/png", "is empty"),
        (picture("BMP"), "image/bmp", "'image/bmp', is of no type that Gemini reads"),
        (picture("TIFF"), None, "of no type that Gemini reads"),
        (b'<svg xmlns="x"/>', None, "'image/svg+xml'"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "image/svg+xml", "'image/svg+xml'"),
        (b"<!-- drawn -->\n<svg/>", "image/png", "'image/svg+xml'"),
        (b"<!doctype svg><svg/>", None, "'image/svg+xml'"),
        (b"nothing yet", "image/svg+xml", "'image/svg+xml'"),
        (b"PK\x03\x04" + bytes(40), "application/zip", "'application/zip'"),
        (b"h\0i\0", "text/plain", "'text/plain'"),
        (b"\xff\xfe\x01", None, "of no type"),
        ("müßig".encode("latin-1"), None, "of no type"),
        (ebml(b"matroska"), "video/x-matroska", "'video/x-matroska'"),
    ],
)
def test_other_content_is_refused_with_the_way_out(content: bytes, declared: str | None, complaint: str) -> None:
    with pytest.raises(MediaError) as caught:
        choose(content[:1024], declared, None)
    assert caught.value.code == "unsupported_media_type"
    assert complaint in caught.value.message


def test_a_long_declaration_is_cut_in_the_message() -> None:
    with pytest.raises(MediaError) as caught:
        choose(bytes(9), "x/" + "y" * 10_000, None)
    assert len(caught.value.message) < 600


@given(st.binary(max_size=64), st.none() | st.text(), st.none() | st.text())
def test_any_bytes_get_a_name_or_a_refusal(content: bytes, declared: str | None, filename: str | None) -> None:
    with suppress(MediaError):
        assert "/" in choose(content, declared, filename)
