"""Draws docs/assets/demo.svg: what `make demo` and the lines of the README print, run for real."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

PICTURE = Path(__file__).parents[1] / "docs" / "assets" / "demo.svg"
ASKED = '{"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}], "reasoning_effort": "low"}'
BODY = '{"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello!"}]}'
CURL = "curl -s $URL/chat/completions -H 'Authorization: Bearer demo'"
COMMANDS = (
    f"{CURL} --json '{BODY}' | jq -r '.choices[0].message.content'",
    f"{CURL} -H 'x-gemgate-dry-run: true' --json '{ASKED}' | jq -c '.path, .body'",
)
WIDTH = 112


def main() -> None:
    """Run the commands and draw what they print."""
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115, PTH123
    with tempfile.TemporaryDirectory() as data:
        environment = os.environ | {"GEMGATE_DATA_DIR": data}
        command = [sys.executable, "-m", "gemgate", "serve", "--emulator", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=data) as gateway:
            assert gateway.stdout is not None
            said = [gateway.stdout.readline().rstrip() for _ in range(5)]
            url = re.search(r"http://[\d.:]+", said[0])
            assert url
            console.print(Text("$ make demo", "bold green"))
            for line in said[:3]:
                console.print(line.replace(url[0], "http://127.0.0.1:8080"), highlight=False)
            for shown in COMMANDS:
                console.print()
                console.print(Text("$ " + shown.replace("$URL", "http://127.0.0.1:8080/v1"), "bold green"))
                real = shown.replace("$URL", f"{url[0]}/v1")
                done = subprocess.run(["bash", "-c", real], capture_output=True, text=True, check=True)
                console.print(done.stdout.rstrip(), highlight=False, markup=False)
            gateway.terminate()
    # Without the web font: no picture of ours calls another server.
    plain = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    plain = plain.replace("Fira Code, monospace", "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace")
    console.save_svg(str(PICTURE), title="gemgate", code_format=plain, theme=DIMMED_MONOKAI)


if __name__ == "__main__":
    main()
