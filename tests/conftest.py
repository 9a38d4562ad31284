"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine must fail no test: hypothesis would fail an example of more than 200 ms.
settings.register_profile("tidepost", deadline=None)
settings.load_profile("tidepost")
