"""Speech in answers: voices, the samples that come from Google, and the formats that callers ask for."""
