"""Where a page is bound, and the address that people are told."""

from __future__ import annotations

import pytest

from coig.errors import ConfigError
from coig.web.serving import address_of, bind


def test_the_address_is_where_people_reach_the_page() -> None:
    with bind("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        assert address_of(bound, None) == f"http://127.0.0.1:{port}"
        assert address_of(bound, "https://lab.example.org/compare/") == "https://lab.example.org/compare"
        with pytest.raises(ConfigError, match=f"port={port}: cannot be used"):
            bind("127.0.0.1", port)
    with bind("0.0.0.0", 0) as bound:
        assert "0.0.0.0" not in address_of(bound, None)  # which is no address on a phone
