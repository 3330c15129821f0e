"""Templates: their routes by every name, and the table of §4.1 (acceptance 6, hazard 44)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mailbox_service.core.sending_api import BadField
from mailbox_service.services.sending_api.rendering import Rendering
from tests.web.sending.conftest import Api

pytestmark = pytest.mark.anyio

HELLO = {
    "id": "hello",
    "template_name": "Hello",
    "subject": "Hi {{name}}",
    "html_body": "<p>{{name}}</p>",
    "text_body": "{{name}}",
    "template_variables": {"name": "you"},
    "tags": ["news"],
}
BOTH = {**HELLO, "name": "Hello", "is_archived": False, "editor_code": None}


async def test_a_template_is_kept_seen_changed_and_deleted(api: Api) -> None:
    added = await api.data("template/add", HELLO)
    assert {**added, "last_updated": ""} == {**BOTH, "last_updated": ""}
    assert len(added["last_updated"]) == len("2026-01-01 00:00:00")
    assert await api.data("template/view", {"id": "hello"}) == added
    edited = await api.data("template/edit", {"id": "hello", "subject": "New", "new_id": "other"})
    assert {**edited, "last_updated": ""} == {**BOTH, "subject": "New", "id": "other",
                                              "last_updated": ""}  # fmt: skip
    assert (await api.refused("template/view", {"id": "hello"}))[0] == 400
    gone = await api.data("template/delete", {"id": "other"})
    assert gone == "Successfully deleted template 'other'"
    assert await api.refused("template/delete", {"id": "other"}) == (400, "API_EXCEPTION", "")


async def test_a_template_loses_its_last_tag(api: Api) -> None:
    added = await api.data("template/add", {**HELLO, "tags": ["a"]})
    edited = await api.data("template/edit", {"id": added["id"], "tags": None, "subject": ""})
    assert (edited["tags"], edited["subject"]) == (["a"], added["subject"])
    assert (await api.data("template/edit", {"id": added["id"], "tags": []}))["tags"] == []


async def test_every_other_name_does_the_same(api: Api) -> None:
    """Acceptance 10: S2's and S3's names."""
    added = await api.data("template/add", {"name": "N", "html_body": "<p>a</p>"})
    assert 5 <= len(added["id"]) <= 24
    assert (added["subject"], added["text_body"]) == ("", "a")
    template_id = added["id"]
    assert (await api.data("template/view", {"template_id": template_id}))["name"] == "N"
    edited = await api.data("template/edit", {"template_id": template_id, "name": "M",
                            "editor_code": {"a": 1}, "is_archived": True})  # fmt: skip
    assert (edited["template_name"], edited["editor_code"]) == ("M", {"a": 1})
    assert (await api.data("template/search"))["total_count"] == 0
    found = await api.data("template/search", {"include_archived": True})
    assert found["templates"][0]["is_archived"] is True


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["Alpha", "Beta", "Gamma"]),
        ({"sort_direction": "desc"}, ["Gamma", "Beta", "Alpha"]),
        ({"search_terms": ["alp"]}, ["Alpha"]),
        ({"search_terms": ["alp", "gam"]}, ["Alpha", "Gamma"]),
        ({"search_terms": "id-beta"}, ["Beta"]),
        ({"search_terms": ["About Gamma"], "fuzzy_search": True}, ["Gamma"]),
        ({"search_terms": ["gmama"], "fuzzy_search": True}, ["Gamma"]),
        ({"search_terms": ["gmama"]}, []),
        ({"tags": ["tag-Alpha"]}, ["Alpha"]),
        ({"template_id": "id-Beta"}, ["Beta"]),
        ({"name": "Gamma"}, ["Gamma"]),
        ({"name": "gam"}, []),
        ({"page_size": 2}, ["Alpha", "Beta"]),
        ({"limit": 1, "offset": 1}, ["Beta"]),
    ],
)
async def test_templates_are_searched(api: Api, fields: dict[str, Any], names: list[str]) -> None:
    for name in ("Beta", "Alpha", "Gamma"):
        own = {"id": f"id-{name}", "template_name": name, "tags": [f"tag-{name}"]}
        await api.data("template/add", {**HELLO, **own, "subject": f"About {name}"})
    found = await api.data("template/search", fields)
    assert [one["name"] for one in found["templates"]] == names


async def test_templates_page_by_their_token(api: Api) -> None:
    for number in range(3):
        await api.data("template/add", {**HELLO, "id": f"number{number}"})
    page = await api.data("template/search", {"page_size": 2})
    assert page["total_count"] == 3
    rest = await api.data("template/search", {"continue_token": page["continue_token"]})
    assert len(rest["templates"]) == 1
    assert rest["continue_token"] is None
    got = await api.refused("template/search", {"continue_token": "nonsense"})
    assert got[2] == "continue_token"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"template_name": None}, "NON_VALIDATING_IN_PAYLOAD", "template_name"),
        ({"template_name": "x" * 65}, "NON_VALIDATING_IN_PAYLOAD", "template_name"),
        ({"id": "abc"}, "NON_VALIDATING_IN_PAYLOAD", "id"),
        ({"id": "x" * 65}, "NON_VALIDATING_IN_PAYLOAD", "id"),
        ({"html_body": None, "text_body": None}, "NON_VALIDATING_IN_PAYLOAD", "html_body"),
        ({"html_body": "{{#if x}}"}, "NON_VALIDATING_IN_PAYLOAD", "html_body"),
        ({"subject": "{{"}, "NON_VALIDATING_IN_PAYLOAD", "subject"),
        ({"text_body": "{{foo 1}}"}, "NON_VALIDATING_IN_PAYLOAD", "text_body"),
        ({"tags": 5}, "NON_VALIDATING_IN_PAYLOAD", "tags"),
        ({"template_variables": [1]}, "NON_VALIDATING_IN_PAYLOAD", "template_variables"),
        ({"id": "taken"}, "API_EXCEPTION", ""),
    ],
)
async def test_what_is_no_template_is_refused(
    api: Api, change: dict[str, Any], code: str, field: str
) -> None:
    await api.data("template/add", {**HELLO, "id": "taken"})
    assert await api.refused("template/add", {**HELLO, **change}) == (400, code, field)


async def test_an_id_is_not_taken_over(api: Api) -> None:
    await api.data("template/add", HELLO)
    await api.data("template/add", {**HELLO, "id": "other"})
    got = await api.refused("template/edit", {"id": "other", "new_id": "hello"})
    assert got == (400, "API_EXCEPTION", "")


# --- What handlebars.js makes of templates (§4.1) ----------------------------------------------


@pytest.fixture(scope="module")
def rendering() -> Iterator[Rendering]:
    made = Rendering()
    yield made
    made.close()


async def render(rendering: Rendering, source: str, data: Any, kind: str = "html") -> str:
    return (await rendering.render({"html_body": (kind, source)}, data))["html_body"]


ODD = "<b>&\"'`="
FALSY: tuple[Any, ...] = (0, "", [], None, False)
TRUTHY: tuple[Any, ...] = ({}, "0")
TABLE: list[tuple[str, Any, str]] = [
    ("Hello {{ name }}!", {"name": "A"}, "Hello A!"),
    ("Hello {{ name }}!", {}, "Hello !"),
    ("{{x}}", {"x": ODD}, "&lt;b&gt;&amp;&quot;&#x27;&#x60;&#x3D;"),
    ("{{{x}}}", {"x": ODD}, ODD),
    ("{{&x}}", {"x": ODD}, ODD),
    ("{{x}}", {"x": 1.5}, "1.5"),
    ("{{x}}", {"x": 0}, "0"),
    ("{{x}}", {"x": True}, "true"),
    ("{{x}}", {"x": False}, "false"),
    ("{{x}}", {"x": None}, ""),
    ("{{x}}", {"x": [1, 2, 3]}, "1,2,3"),
    ("{{x}}", {"x": {}}, "[object Object]"),
    ("{{a.b}}{{a.[b c]}}{{xs.[0]}}{{xs.length}}{{this.q}}{{./q}}{{no.way}}",
     {"a": {"b": 1, "b c": 2}, "xs": [3], "q": 4}, "123144"),
    ("{{#each xs}}{{../a}}{{/each}}", {"a": 7, "xs": [1, 2]}, "77"),
    ("{{first-name}}", {"first-name": "F"}, "F"),
    *[("{{#if x}}Y{{else}}N{{/if}}", {"x": x}, "N") for x in FALSY],
    *[("{{#if x}}Y{{else}}N{{/if}}", {"x": x}, "Y") for x in TRUTHY],
    ("{{#if x includeZero=true}}Y{{else}}N{{/if}}", {"x": 0}, "Y"),
    ("{{#if a}}A{{else if b}}B{{else}}C{{/if}}", {"b": 1}, "B"),
    ("{{#if a}}A{{else if b}}B{{else}}C{{/if}}", {}, "C"),
    ("{{#unless x}}a{{else}}b{{/unless}}", {}, "a"),
    ("{{#each xs}}{{@index}}{{@first}}{{@last}}{{this}}{{else}}none{{/each}}",
     {"xs": ["p", "q"]}, "0truefalsep1falsetrueq"),
    ("{{#each xs}}x{{else}}none{{/each}}", {"xs": []}, "none"),
    ("{{#each o}}{{@key}}={{this}};{{/each}}", {"o": {"a": 1, "b": 2}}, "a=1;b=2;"),
    ("{{#each xs as |v i|}}{{i}}{{v}}{{/each}}", {"xs": [5, 6]}, "0516"),
    ("{{#with a}}{{b}}{{else}}none{{/with}}", {"a": {"b": 1}}, "1"),
    ("{{#with a}}{{b}}{{else}}none{{/with}}", {}, "none"),
    ("{{lookup xs 1}}", {"xs": [5, 6]}, "6"),
    ("{{#list}}<{{.}}>{{/list}}{{^none}}inv{{/none}}", {"list": [1, 2]}, "<1><2>inv"),
    ("{{#a}}{{b}}{{/a}}", {"a": {"b": 1}}, "1"),
    ("{{! c }}{{!-- c --}}", {}, ""),
    ("a {{~x~}} b", {"x": 1}, "a1b"),
    ("\\{{x}}", {"x": 1}, "{{x}}"),
    ("{{#if a}}\n  yes\n{{/if}}\nend", {"a": 1}, "  yes\nend"),
    ("{{toString}}{{constructor}}{{__proto__}}", {}, ""),
    ("{{#with (lookup this 'constructor')}}{{name}}{{/with}}", {}, ""),
    ("{{a.constructor.name}}{{a.__proto__.x}}", {"a": "text"}, ""),
    ('{{log "x"}}', {}, ""),
    ("%%UNSUBSCRIBE%%", {}, "%%UNSUBSCRIBE%%"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "data", "result"), TABLE)
async def test_templates_render_as_handlebars_does(
    rendering: Rendering, source: str, data: Any, result: str
) -> None:
    assert await render(rendering, source, data) == result


async def test_subjects_and_texts_are_not_escaped(rendering: Rendering) -> None:
    assert await render(rendering, "{{x}}", {"x": ODD}, "plain") == ODD


@pytest.mark.parametrize(
    "source",
    ["{{foo 1}}", "{{> part}}", "{{#if x}}", "{{#if a}}{{#each b}}{{/if}}{{/each}}", "{{", "{{}}"],
)
async def test_a_broken_template_is_an_error_of_its_field(
    rendering: Rendering, source: str
) -> None:
    with pytest.raises(BadField) as caught:
        await render(rendering, source, {})
    assert caught.value.field == "html_body"


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("{{#each x}}{{#each ../x}}{{#each ../../x}}{{#each ../../../x}}{{#each ../../../../x}}"
         "x{{/each}}{{/each}}{{/each}}{{/each}}{{/each}}", {"x": list(range(200))}),
        ("{{#each x}}{{../a}}{{/each}}", {"a": "x" * 1_000_000, "x": list(range(100))}),
        ("{{#each x}}{{#each ../x}}{{../../a}}{{/each}}{{/each}}",
         {"a": "x" * 100_000, "x": list(range(1000))}),
        ("{{#if x}}" * 20_000 + "{{/if}}" * 20_000, {"x": 1}),
        ("{{" + "(" * 50_000, {}),
        ("x" * 1_100_000, {}),
    ],
)  # fmt: skip
async def test_a_greedy_template_is_stopped_and_the_next_one_works(
    rendering: Rendering, source: str, data: Any
) -> None:
    """Hazard 44: time, memory, stack and size."""
    with pytest.raises(BadField):
        await render(rendering, source, data)
    assert await render(rendering, "{{a}}", {"a": "fine"}) == "fine"


async def test_a_template_that_was_quick_and_is_not_any_more_harms_nobody(
    rendering: Rendering,
) -> None:
    """Hazard 43: what is rendered on the event loop has milliseconds, then the thread has it."""
    source = "{{#each a}}{{#each @root.a}}{{#each @root.a}}{{/each}}{{/each}}{{/each}}done"
    for _ in range(3):
        assert await render(rendering, source, {"a": [1]}) == "done"
    with pytest.raises(BadField, match="takes too much"):
        await render(rendering, source, {"a": [1] * 1_000})
    for _ in range(3):
        assert await render(rendering, source, {"a": [1, 2]}) == "done"
        assert await render(rendering, "Dear {{name}}", {"name": "Ann"}) == "Dear Ann"
    with pytest.raises(BadField, match=r"too large|too long|takes too much"):
        await render(rendering, "{{#each a}}{{@root.long}}{{/each}}", {
            "a": [1] * 2_000, "long": "x" * 10_000})  # fmt: skip


async def test_one_template_leaves_nothing_for_the_next(rendering: Rendering) -> None:
    """Hazard 44: no prototype, no global, no helper of another's is reached."""
    for source in (
        "{{#with __proto__}}{{/with}}{{lookup (lookup this '__proto__') 'x'}}",
        "{{#each this}}{{@root.constructor}}{{/each}}",
        "{{globalThis}}{{Handlebars}}{{process}}{{require}}",
    ):
        assert await render(rendering, source, {"__proto__": {"polluted": 1}}) == ""
    assert await render(rendering, "{{polluted}}", {}) == ""
