"""Tests of shared.providers."""
