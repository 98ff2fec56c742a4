"""`POST /v1/moderations`: closed questions to Google's Decisions API, or to a general model."""
