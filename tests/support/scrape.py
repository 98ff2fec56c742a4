"""Reads `/metrics`."""

import httpx
from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """The samples of one answer of `/metrics`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._samples = [sample for family in self.families.values() for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels."""
        found = [
            sample.value
            for sample in self._samples
            if sample.name == name and all(sample.labels.get(label) == value for label, value in labels.items())
        ]
        return sum(found)

    def labels(self, name: str, label: str) -> set[str]:
        """The values of one label."""
        return {sample.labels[label] for sample in self._samples if sample.name == name}


def scrape(origin: str, **headers: str) -> Scrape:
    """The metrics of the gateway at `origin`."""
    answer = httpx.get(f"{origin}/metrics", headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)
