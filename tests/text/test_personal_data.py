"""What may be personal data is found, and numbers of stories are not."""

from __future__ import annotations

import pytest

from coig.text.personal_data import find_personal_data


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("写信到 wang.li@example.com。", "email", "wang.li@example.com"),
        ("打13800138000找我", "phone", "13800138000"),
        ("打 138 0013 8000 找我", "phone", "138 0013 8000"),
        ("座机010-62345678", "phone", "010-62345678"),
        ("call (212) 555-0187 now", "phone", "(212) 555-0187"),
        ("身份证11010519491231002X", "identity number", "11010519491231002X"),
        ("卡号 4539 1488 0343 6467", "bank card", "4539 1488 0343 6467"),
        ("加微信：li_ming88", "account", "微信：li_ming88"),
        ("QQ号是12345678", "account", "QQ号是12345678"),
    ],
)
def test_personal_data_is_found(text: str, kind: str, found: str) -> None:
    [finding] = find_personal_data(text)
    assert (finding.kind, text[finding.start : finding.end]) == (kind, found)


@pytest.mark.parametrize(
    "text",
    [
        "公元1949年12月31日，圆周率3.14159265358979",
        "身份证110105194912310021",  # a wrong check digit
        "卡号 1234 5678 1234 5678",
        "他发微信说不来了",
        "第10086次",
        "订单号13800138000123",
    ],
)
def test_other_numbers_are_not(text: str) -> None:
    assert find_personal_data(text) == []
