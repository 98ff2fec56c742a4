"""OpenAI's own client for Python."""

import json
import sys
from pathlib import Path

from openai import OpenAI

feature, file, base_url, key = sys.argv[1:]
transcriptions = OpenAI(base_url=base_url, api_key=key, max_retries=0).audio.transcriptions

if feature == "text":
    print(json.dumps({"text": transcriptions.create(model="whisper-1", file=Path(file)).text}))
elif feature == "subtitles":
    answer = transcriptions.create(model="whisper-1", file=Path(file), response_format="srt")
    print(json.dumps({"subtitles": answer}))
else:
    stream = transcriptions.create(model="gpt-4o-transcribe", file=Path(file), stream=True)
    print(json.dumps({"pieces": [event.delta for event in stream if event.type == "transcript.text.delta"]}))
