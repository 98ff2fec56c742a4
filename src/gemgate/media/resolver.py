"""Brings what a request names or holds to where translation, which is pure, can use it: bytes, or a file at Google."""

import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, cached_property, partial

from anyio import to_thread

from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import GeminiFile, is_missing
from gemgate.gemini.uploads import OpenAt
from gemgate.media.budget import BudgetSpentError, RequestBudget
from gemgate.media.errors import MediaError, naming
from gemgate.media.fetch import MediaFetcher
from gemgate.media.google_uploads import MARGIN, Attachments, Owner
from gemgate.media.inline import Inline
from gemgate.media.lending_keys import LendingKeys
from gemgate.media.references import (
    FileRef,
    InlineRef,
    Ref,
    RemoteRef,
    Resolved,
    placeholder,
)
from gemgate.settings import Settings
from gemgate.tasks import all_of
from gemgate.upstream.client import Upstream
from gemgate.upstream.targets import Target, method_call

MAX_PDF = 50_000_000
"""Google's limit of a PDF within a request, in bytes. https://ai.google.dev/gemini-api/docs/file-input-methods"""

_MAX_PDF_TEXT = MAX_PDF // 3 * 4
_PDF = "application/pdf"


@dataclass(frozen=True)
class _Held:
    """Media in the body of the native request: what it is known by in `Resolved`, who names it, and its size there."""

    key: str
    param: str
    size: int
    read: Callable[[], Inline]

    @cached_property
    def media(self) -> Inline:
        """The media itself, checked."""
        with naming(self.param):
            return self.read()

    @property
    def is_large_pdf(self) -> bool:
        """Whether Google refuses it within a request, however small the rest is."""
        return self.size > _MAX_PDF_TEXT and self.media.mime == _PDF


class MediaResolver:
    """Fetches remote media, looks files up, and uploads what is too large for a request.

    Attributes:
        untouched_bytes: There is nothing to do for a request of at most so many bytes that names nothing.
    """

    def __init__(self, settings: Settings, fetcher: MediaFetcher, attachments: Attachments, upstream: Upstream) -> None:
        self._upstream = upstream
        self._settings = settings
        self._fetcher = fetcher
        self._attachments = attachments
        self.untouched_bytes = min(settings.inline_max_bytes, _MAX_PDF_TEXT)

    async def resolve(
        self,
        refs: Sequence[Ref],
        caller: Caller,
        *,
        model: str = "",
        method: str = "generateContent",
        size: int = 0,
        inline: Callable[[], Iterable[InlineRef]] = list,
        is_dry_run: bool = False,
        margin: float = MARGIN,
    ) -> Resolved:
        """What a request of `size` bytes names in `refs`, and what it holds and must not: all of it at once.

        Args:
            refs: What it names.
            caller: Whose files may be named, and whose key uploads them: if it is one of the gateway's, the call that
                follows will use the same.
            model: What the request is for.
            method: What the model is asked for.
            size: Bytes of the request.
            inline: Lists the media it holds; called only for a large one.
            is_dry_run: Nobody is called: placeholders replace media that would be fetched or uploaded.
            margin: Seconds for which files must still be at Google.

        Raises:
            ApiError: 400 that names the parameter which cannot be used, 413 when it is too large.
            GeminiError: Google did not take a file.
        """
        remote = [ref for ref in refs if isinstance(ref, RemoteRef)]
        files = [ref for ref in refs if isinstance(ref, FileRef)]

        owner = self._owner(caller, method_call(model, method), files[0].file_id if files else "")

        async def fetched() -> Resolved:
            return await fetch_media(
                remote, self._fetcher, self._settings, self._budget(caller, size), is_dry_run=is_dry_run
            )

        async def found(ref: FileRef) -> Resolved:
            if is_dry_run:
                return {ref.param: await self._attachments.known(ref, owner())}
            return {ref.param: await self._attachments.file(ref, owner(), margin=margin)}

        resolved = _joined(await _all([*([fetched()] if remote else []), *(found(ref) for ref in files)]))
        excess = await self._excess(size, resolved, {ref.url: ref.param for ref in remote}, inline)
        if not excess:
            return self._known(resolved, owner)
        if self._settings.large_media != "upload":
            raise self._too_large(excess[0])

        async def uploaded(held: _Held) -> Resolved:
            if is_dry_run:
                return {held.key: placeholder(held.media.mime)}
            return {held.key: await self._attachments.media(held.media, held.param, owner(), margin=margin)}

        return self._known({**resolved, **_joined(await _all([uploaded(held) for held in excess]))}, owner)

    async def read(self, ref: FileRef, caller: Caller) -> Inline:
        """The content of a file, no larger than remote media may be.

        Raises:
            ApiError: 400 when the caller has no such file, or it cannot be used.
        """
        return await self._attachments.read(ref, caller.id, self._settings.media_max_bytes)

    def lending_keys(self, caller: Caller, model: str) -> LendingKeys:
        """The keys to lend a file with that `model` is to see."""
        return LendingKeys(self._upstream, caller.key, method_call(model, "generateContent"))

    @asynccontextmanager
    async def lent(
        self, open_at: OpenAt, size: int, mime_type: str, param: str, caller: Caller, key: str
    ) -> AsyncGenerator[GeminiFile]:
        """A file at Google for as long as the block lasts, whose calls go out with `key`, which uploads it.

        Raises:
            ApiError: 400 when Gemini does not take it.
            GeminiError: it could not be uploaded.
        """
        owner = Owner(caller.id, key)
        async with self._attachments.lent(open_at, size, mime_type, param, owner) as file:
            self._upstream.remember([file.name], owner.key)
            yield file

    async def can_renew(self, error: GeminiError, media: Resolved, caller: Caller) -> bool:
        """Whether a request that failed may succeed once what it names was resolved again.

        So it is when Google has lost its files, which then are uploaded again; and when the one of the gateway's keys
        that shows them is used up, which then are uploaded with another.
        """
        names = _files(media)
        if not names:
            return False
        if is_missing(error):
            await self._attachments.forget(caller.id, names)
            return True
        return error.status == 429 and caller.key is None and len(self._upstream.shared.pool) > 1

    def _budget(self, caller: Caller, size: int) -> RequestBudget:
        """What a request of `size` bytes may fetch. What is uploaded need not fit into it, only into the process."""
        is_bounded = self._settings.large_media != "upload"
        return RequestBudget(caller.id, max(0, self._settings.inline_max_bytes - size) if is_bounded else sys.maxsize)

    def _owner(self, caller: Caller, target: Target, affinity: str) -> Callable[[], Owner]:
        """Who uploads, once anything has to be: all files of a request with one key, the same one if possible."""
        return cache(
            lambda: Owner(caller.id, self._upstream.pin_key(caller.key, target, affinity=caller.id + affinity))
        )

    def _known(self, resolved: Resolved, owner: Callable[[], Owner]) -> Resolved:
        """See to it that the request goes out with the key that shows its files."""
        if names := _files(resolved):
            self._upstream.remember(names, owner().key)
        return resolved

    async def _excess(
        self, size: int, resolved: Resolved, params: Mapping[str, str], inline: Callable[[], Iterable[InlineRef]]
    ) -> list[_Held]:
        """What must leave the request, the largest first, so that Google takes the rest."""
        held = [
            _Held(url, params[url], len(media.data), partial(_given, media))
            for url, media in resolved.items()
            if isinstance(media, Inline)
        ]
        total = size + sum(part.size for part in held)
        if total <= self.untouched_bytes:
            return []
        held += [_Held(ref.param, ref.param, len(ref.text), ref.read) for ref in inline()]
        return await to_thread.run_sync(_largest, held, total, self._settings.inline_max_bytes)

    def _too_large(self, held: _Held) -> ApiError:
        maximum = (
            f"a PDF of {MAX_PDF} bytes" if held.is_large_pdf else f"{self._settings.inline_max_bytes} bytes in all"
        )
        msg = (
            f"'{held.param}' has {held.size} bytes in base64, which makes the request too large: Google takes at most "
            f"{maximum} within a request. Upload the file to /v1/files with the purpose 'user_data' and send its id as "
            "file_id, or have the gateway do the same with GEMGATE_LARGE_MEDIA=upload."
        )
        return ApiError(413, msg, param=held.param, code="media_too_large")


def _largest(held: Iterable[_Held], total: int, maximum: int) -> list[_Held]:
    """What must go so that `total` bytes become `most`, checked. It takes a while: it reads base64 of 100 MB."""
    excess = []
    for part in sorted(held, key=lambda part: part.size, reverse=True):
        if total > maximum or part.is_large_pdf:
            _ = part.media
            excess.append(part)
            total -= part.size
    return excess


def _files(media: Resolved) -> list[str]:
    return [found.name for found in media.values() if isinstance(found, GeminiFile)]


def _given(media: Inline) -> Inline:
    return media


async def _all(calls: Sequence[Coroutine[object, object, Resolved]]) -> list[Resolved]:
    return await all_of(calls) if calls else []


def _joined(parts: Iterable[Resolved]) -> dict[str, Inline | GeminiFile]:
    return {key: value for part in parts for key, value in part.items()}


async def fetch_media(
    wanted: Sequence[RemoteRef],
    fetcher: MediaFetcher,
    settings: Settings,
    budget: RequestBudget,
    *,
    is_dry_run: bool = False,
) -> dict[str, Inline]:
    """Fetch `wanted`, all at once, and give them by URL; a dry run calls nobody and gets a placeholder.

    Raises:
        ApiError: 400 that names the parameter whose URL could not be fetched, or that is one too many; 413 as soon as
            they are larger than `budget`; 503 when the process holds too much media.
    """
    if not wanted or settings.remote_media != "fetch":
        return {}
    if len(wanted) > settings.media_max_urls:
        msg = (
            f"The request names {len(wanted)} remote files, and this gateway fetches {settings.media_max_urls} at most."
        )
        raise ApiError(400, msg, param=wanted[settings.media_max_urls].param, code="too_many_urls")
    if is_dry_run:
        return {ref.url: Inline("application/octet-stream", "") for ref in wanted}

    async def fetch(ref: RemoteRef) -> Inline:
        try:
            return await fetcher.fetch(ref.url, budget)
        except BudgetSpentError:
            msg = (
                f"'{ref.param}': with this file the request is too large: Google takes at most "
                f"{settings.inline_max_bytes} bytes in all within a request. Upload the file to /v1/files with the "
                "purpose 'user_data' and send its id as file_id."
            )
            raise ApiError(413, msg, param=ref.param, code="media_too_large") from None
        except MediaError as error:
            raise ApiError(400, f"'{ref.param}': {error}", param=ref.param, code=error.code) from error

    found = await all_of([fetch(ref) for ref in wanted])
    return {ref.url: media for ref, media in zip(wanted, found, strict=True)}
