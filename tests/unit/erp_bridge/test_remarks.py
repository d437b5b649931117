"""Whatever keeps a document from being booked, a person reads what to do, in their language."""

import json

import pytest

from dashboards.build import WEB
from erp_bridge.adapter import Remark
from tests.architecture.graph import ROOT


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_remark_has_its_words(language: str) -> None:
    texts = json.loads((WEB / f"src/i18n/{language}.json").read_text(encoding="utf-8"))["documentError"]
    assert set(texts) == {remark.value for remark in Remark}


def test_every_remark_is_in_the_repair_guide() -> None:
    guide = (ROOT / "docs/how-to/repair-the-link-to-the-erp.md").read_text(encoding="utf-8")
    assert [remark.value for remark in Remark if f"`{remark.value}`" not in guide] == []
