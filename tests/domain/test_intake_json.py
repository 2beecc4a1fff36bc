import pytest

from rekon.domain.intake_json import NotJsonError, read_json, read_object


@pytest.mark.parametrize(
    ("raw", "document"),
    [
        (b"{}", {}),
        (b' {"a": [1, 2.5, "x", null, true]}\n', {"a": [1, 2.5, "x", None, True]}),
        ('{"a": "é"}'.encode(), {"a": "é"}),
        (b"[]", []),
        ("1", 1),
    ],
)
def test_a_strict_document_is_read(raw, document):
    assert read_json(raw) == document


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b'{"a": 1} {"a": 1}',
        b'{"a": 1}x',
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 1} // a comment',
        b'{"a": 1, "a": 1}',
        b'{"b": {"a": 1, "a": 2}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\xff"}',
        b'{"a": "\n"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"1" * 5_000 + b"}",
        b"<html></html>",
    ],
)
def test_what_readers_disagree_about_is_not_json(raw):
    with pytest.raises(NotJsonError):
        read_json(raw)


@pytest.mark.parametrize("raw", [b"[]", b'"a"', b"1", b"null", b"true"])
def test_only_an_object_is_an_object(raw):
    with pytest.raises(NotJsonError):
        read_object(raw)


def test_the_refusal_holds_nothing_of_the_document():
    with pytest.raises(NotJsonError) as caught:
        read_json(b'{"number": "081234567890", "number": 1}')
    assert "0812" not in str(caught.value)
    assert caught.value.__cause__ is None
