#!/usr/bin/env python
"""Asks one question and writes the answer as it arrives.

It knows OpenAI's library and nothing of Gemini or of gemgate: OPENAI_BASE_URL and OPENAI_API_KEY, which the library
reads by itself, say where the gateway is.
"""

import os
import sys

from openai import OpenAI


def main() -> None:
    """Ask what the command line says."""
    question = " ".join(sys.argv[1:]) or "Say hello in three languages."
    stream = OpenAI().chat.completions.create(
        model=os.environ.get("MODEL", "gemini-3.8-flash"),
        messages=[{"role": "user", "content": question}],
        stream=True,
    )
    for chunk in stream:
        for choice in chunk.choices:
            sys.stdout.write(choice.delta.content or "")
            sys.stdout.flush()
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
