"""Log probabilities of tokens."""

from typing import Any

from gemgate.gemini.types import LogprobsCandidate, LogprobsResult


def token_logprobs(result: LogprobsResult) -> list[dict[str, Any]]:
    """`logprobsResult` as OpenAI's `logprobs.content`; `topCandidates[i]` belongs to `chosenCandidates[i]`."""
    tops = result.get("topCandidates") or []
    tokens = []
    for position, chosen in enumerate(result.get("chosenCandidates") or []):
        likeliest = tops[position].get("candidates") or [] if position < len(tops) else []
        tokens.append({**_token(chosen), "top_logprobs": [_token(candidate) for candidate in likeliest]})
    return tokens


def _token(candidate: LogprobsCandidate) -> dict[str, Any]:
    token = candidate.get("token", "")
    return {"token": token, "logprob": candidate.get("logProbability", 0.0), "bytes": list(token.encode())}
