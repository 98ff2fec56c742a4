#!/usr/bin/env bash
# curl, as in a script: the answer is read with Python's json.
set -euo pipefail
feature=$1 base_url=$2 key=$3

call() {
    curl --silent --show-error --fail --noproxy '*' --no-buffer "$base_url/chat/completions" \
        -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "$1"
}

case $feature in
stream)
    call '{"model": "gemini-2.5-flash", "stream": true, "messages": [{"role": "user", "content": "Hello there"}]}' |
        sed -n 's/^data: //p' | grep -v '^\[DONE\]$' | python3 -c '
import json, sys
pieces = [json.loads(line)["choices"][0]["delta"].get("content") or "" for line in sys.stdin]
print(json.dumps({"pieces": pieces}))'
    ;;
structured)
    call '{"model": "gemini-2.5-flash",
      "messages": [{"role": "user", "content": "John and Susan are going to an AI conference on Friday."}],
      "response_format": {"type": "json_schema", "json_schema": {"name": "event", "schema": {
        "type": "object", "required": ["name", "participants"],
        "properties": {"name": {"type": "string"}, "participants": {"type": "array", "items": {"type": "string"}}}}}}}' |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["choices"][0]["message"]["content"])'
    ;;
esac
