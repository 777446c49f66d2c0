import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.text.zh.normal import normalise


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2024年5月1日", "二零二四年五月一日"),
        ("2024-05-01", "二零二四年五月一日"),
        ("9:05到12:30", "九点零五分到十二点半"),
        ("8:30-12:30", "八点半至十二点半"),
        ("-3°C", "零下三度"),
        ("36.5摄氏度", "三十六点五度"),
        ("30%", "百分之三十"),
        ("3/4", "四分之三"),
        ("2个", "两个"),
        ("10多个", "十多个"),
        ("5+3=8", "五加三等于八"),
        ("13812345678", "幺三八幺二三四五六七八"),
        ("v1.2.3.4", "一点二点三点四"),
        ("3~5天", "三到五天"),
        ("2cm~3cm", "两厘米至三厘米"),
        ("10²", "十的二次方"),
        ("α和Ω", "阿尔法和欧米伽"),
        ("電話費", "电话费"),
        ("１２个", "十二个"),
        ("嗯……好。。。", "恩…好."),
        ("《红楼梦》", "红楼梦"),
    ],
)
def test_what_is_written_is_said(written: str, said: str) -> None:
    assert normalise(written) == said


@settings(max_examples=200)
@given(st.text(max_size=30) | st.text("0123456789.-~:/%年月日个+=°C²千万 ", max_size=30))
def test_any_text_becomes_characters_and_pauses(text: str) -> None:
    assert all("\u4e00" <= char <= "\u9fa5" or char in "!?…,.-" for char in normalise(text))
