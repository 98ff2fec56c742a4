"""The command line of openai-python, which its first major version was the last to have."""

import json
import os
import subprocess
import sys
from pathlib import Path

feature, file, base_url, key = sys.argv[1:]
wanted = ["--response-format", "srt"] if feature == "subtitles" else []
done = subprocess.run(
    [
        Path(sys.executable).with_name("openai"),
        "api",
        "audio.transcriptions.create",
        "-m",
        "whisper-1",
        "-f",
        file,
        *wanted,
    ],
    env=os.environ | {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": key},
    stdout=subprocess.PIPE,
    text=True,
    check=True,
)
print(json.dumps({"subtitles": done.stdout}) if wanted else done.stdout)
