"""Fetches remote media before translation, which is pure."""

from collections.abc import Sequence

from gemgate.errors import ApiError
from gemgate.media.errors import MediaError
from gemgate.media.fetch import MediaFetcher
from gemgate.media.inline import Inline
from gemgate.references import RemoteRef
from gemgate.settings import Settings
from gemgate.tasks import all_of


async def fetch_media(
    wanted: Sequence[RemoteRef], fetcher: MediaFetcher, settings: Settings, *, is_dry_run: bool = False
) -> dict[str, Inline]:
    """Fetch `wanted`, all at once, and give them by URL; a dry run calls nobody and gets a stand-in.

    Raises:
        ApiError: 400 that names the parameter whose URL could not be fetched, or that is one too many.
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
            return await fetcher.fetch(ref.url)
        except MediaError as error:
            raise ApiError(400, f"'{ref.param}': {error}", param=ref.param, code=error.code) from error

    found = await all_of([fetch(ref) for ref in wanted])
    return {ref.url: media for ref, media in zip(wanted, found, strict=True)}
