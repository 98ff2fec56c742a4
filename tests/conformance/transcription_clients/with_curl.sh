#!/usr/bin/env bash
# curl, as in a script: the answer is read with Python's json.
set -euo pipefail
feature=$1 file=$2 base_url=$3 key=$4

call() {
    curl --silent --show-error --fail --noproxy '*' --no-buffer "$base_url/audio/transcriptions" \
        -H "Authorization: Bearer $key" -F file=@"$file" "$@"
}

case $feature in
text) call -F model=whisper-1 ;;
subtitles)
    call -F model=whisper-1 -F response_format=srt |
        python3 -c 'import json, sys; print(json.dumps({"subtitles": sys.stdin.read()}))'
    ;;
streamed)
    call -F model=gpt-4o-transcribe -F stream=true | sed -n 's/^data: //p' | python3 -c '
import json, sys
events = [json.loads(line) for line in sys.stdin if line.startswith("{")]
pieces = [event["delta"] for event in events if event["type"] == "transcript.text.delta"]
print(json.dumps({"pieces": pieces}))'
    ;;
esac
