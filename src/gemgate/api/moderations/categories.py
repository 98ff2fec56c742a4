"""OpenAI's categories of harm, each as a closed question.

Source: https://platform.openai.com/docs/guides/moderation and openai-python 3.54, `types/moderation.py`: the
definitions, and which of them are judged in images.
"""

from typing import Literal, NamedTuple

Kind = Literal["text", "image"]
"""What an input has, in OpenAI's words."""

_TEXT: tuple[Kind, ...] = ("text",)
_BOTH: tuple[Kind, ...] = ("text", "image")


class Category(NamedTuple):
    """One category.

    Attributes:
        name: OpenAI's name of it, such as `harassment/threatening`.
        kinds: The kinds of input that it is judged in.
        definition: What content of it is.
    """

    name: str
    kinds: tuple[Kind, ...]
    definition: str

    @property
    def id(self) -> str:
        """The name as an identifier of a question: letters, digits, dashes and underscores."""
        return self.name.replace("/", "_")

    @property
    def question(self) -> str:
        """The closed question."""
        return f"Is this true of the content? It is {self.definition}"


CATEGORIES: tuple[Category, ...] = (
    Category(
        "harassment",
        _TEXT,
        "content that expresses, incites, or promotes harassing language towards any target.",
    ),
    Category(
        "harassment/threatening",
        _TEXT,
        "harassment content that also includes violence or serious harm towards any target.",
    ),
    Category(
        "hate",
        _TEXT,
        "content that expresses, incites, or promotes hate based on race, gender, ethnicity, religion, nationality, "
        "sexual orientation, disability status, or caste. Hateful content aimed at non-protected groups is harassment.",
    ),
    Category(
        "hate/threatening",
        _TEXT,
        "hateful content that also includes violence or serious harm towards the targeted group based on race, gender, "
        "ethnicity, religion, nationality, sexual orientation, disability status, or caste.",
    ),
    Category(
        "illicit",
        _TEXT,
        "content that includes instructions or advice that facilitate the planning or execution of wrongdoing, or that "
        "gives advice or instruction on how to commit illicit acts.",
    ),
    Category(
        "illicit/violent",
        _TEXT,
        "content that includes instructions or advice that facilitate the planning or execution of wrongdoing that "
        "also includes violence, or that gives advice or instruction on the procurement of any weapon.",
    ),
    Category(
        "self-harm",
        _BOTH,
        "content that promotes, encourages, or depicts acts of self-harm, such as suicide, cutting, and eating "
        "disorders.",
    ),
    Category(
        "self-harm/intent",
        _BOTH,
        "content where the speaker expresses that they are engaging or intend to engage in acts of self-harm, such as "
        "suicide, cutting, and eating disorders.",
    ),
    Category(
        "self-harm/instructions",
        _BOTH,
        "content that encourages performing acts of self-harm, such as suicide, cutting, and eating disorders, or that "
        "gives instructions or advice on how to commit such acts.",
    ),
    Category(
        "sexual",
        _BOTH,
        "content meant to arouse sexual excitement, such as the description of sexual activity, or that promotes "
        "sexual services (excluding sex education and wellness).",
    ),
    Category("sexual/minors", _TEXT, "sexual content that includes an individual who is under 18 years old."),
    Category("violence", _BOTH, "content that depicts death, violence, or physical injury."),
    Category(
        "violence/graphic",
        _BOTH,
        "content that depicts death, violence, or physical injury in graphic detail.",
    ),
)
