from recipes.sample.corpus import pieces

TEXT = "第一回\n此开卷第一回也。作者自云：“曾历过一番梦幻。”之后，故将真事隐去。\n\n却说那女娲氏！\n"


def test_pieces_end_where_lines_do() -> None:
    assert list(pieces("one\ntwo\nthree\n", 8)) == ["one\ntwo", "three"]


def test_long_lines_are_cut_behind_sentences() -> None:
    assert list(pieces(TEXT, 30)) == [
        "第一回\n此开卷第一回也。作者自云：“曾历过一番梦幻。”",
        "之后，故将真事隐去。\n\n却说那女娲氏！",
    ]
    assert list(pieces('He came. "Why?" she said.', 16)) == ['He came. "Why?"', "she said."]


def test_nothing_is_lost_and_nothing_too_long() -> None:
    for limit in range(1, 40):
        cut = list(pieces(TEXT, limit))
        assert max(map(len, cut)) <= limit
        assert "".join("".join(cut).split()) == "".join(TEXT.split())
