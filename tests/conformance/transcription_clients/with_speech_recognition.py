"""SpeechRecognition, which asks OpenAI's Whisper."""

import json
import os
import sys

from speech_recognition import AudioFile, Recognizer

_, file, base_url, key = sys.argv[1:]
os.environ |= {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": key}
recognizer = Recognizer()
with AudioFile(file) as source:
    audio = recognizer.record(source)
print(json.dumps({"text": recognizer.recognize_openai(audio)}))
