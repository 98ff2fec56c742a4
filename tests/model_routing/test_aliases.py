import pytest

from gemgate.model_routing.aliases import ModelAliases, parse_models, written

TEXT = "gpt-4o=gemini-2.5-flash,gemini-2.5-flash-lite;text-embedding-3-small=gemini-embedding-001"
LISTS = {
    "gpt-4o": ("gemini-2.5-flash", "gemini-2.5-flash-lite"),
    "text-embedding-3-small": ("gemini-embedding-001",),
}


@pytest.mark.parametrize(
    ("text", "lists"),
    [
        (TEXT, LISTS),
        (TEXT.replace(";", " ;\n  ").replace("=", " = ").replace(",", " , "), LISTS),
        (f"\n{TEXT.replace(';', chr(10))};\n", LISTS),
        ("", {}),
        ("openai/gpt-4o:free=models/gemini-2.5-flash", {"openai/gpt-4o:free": ("models/gemini-2.5-flash",)}),
        (
            "gemini-2.5-pro=gemini-2.5-pro,gemini-2.5-flash; gpt=gemini-2.5-pro",
            {"gemini-2.5-pro": ("gemini-2.5-pro", "gemini-2.5-flash"), "gpt": ("gemini-2.5-pro",)},
        ),
    ],
)
def test_lists_are_read(text: str, lists: dict[str, tuple[str, ...]]) -> None:
    assert parse_models(text) == lists
    assert parse_models(written(lists)) == lists


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gpt-4o", "'gpt-4o' has no '='"),
        ("gpt-4o=", "'gpt-4o' has no models"),
        ("gpt-4o=,", "'gpt-4o' has no models"),
        ("gpt-4o=gemini-2.5-flash,", "'gpt-4o' has a ',' too many"),
        ("=gemini-2.5-flash", "'' cannot be the name of a model"),
        ("gpt 4o=gemini-2.5-flash", "'gpt 4o' cannot be the name of a model"),
        ("gpt-4o=../secret", "'../secret' is not the name of a model"),
        ("gpt-4o=a=b", "'a=b' is not the name of a model"),
        ("gpt-4o=gemini-2.5-flash,gemini-2.5-flash", "names a model twice"),
        ("gpt-4o=gemini-2.5-flash; gpt-4o=gemini-2.5-pro", "'gpt-4o' is there twice"),
        ("a=b; b=gemini-2.5-flash", "'a' names 'b', which is an alias itself"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"['=]") as caught:
        parse_models(text)
    assert told in str(caught.value)


@pytest.mark.parametrize("asked", ["gpt-4o", "models/gpt-4o", "google/gpt-4o"])
def test_a_name_stands_for_its_list_however_it_is_written(asked: str) -> None:
    aliases = ModelAliases(LISTS)
    assert aliases.resolve(asked) == LISTS["gpt-4o"]
    assert aliases.first(asked) == "gemini-2.5-flash"


@pytest.mark.parametrize("asked", ["gemini-2.5-flash", "models/gemini-2.5-flash", "../x", ""])
def test_any_other_name_stands_for_itself(asked: str) -> None:
    assert ModelAliases(LISTS).resolve(asked) == (asked,)
