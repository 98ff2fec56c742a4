"""Builds an application: what it holds, and which part takes which setting."""
