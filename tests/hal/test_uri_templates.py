"""URI templates: the examples of RFC 6570, and strictness."""

import contextlib
import datetime as dt
import enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.errors import TemplateError
from stellantis_hal.hal.uri_templates import expand, plain, variables

# RFC 6570, section 3.2: the variables of its examples.
VALUES: dict[str, Any] = {
    "count": ["one", "two", "three"],
    "dom": ["example", "com"],
    "dub": "me/too",
    "hello": "Hello World!",
    "half": "50%",
    "var": "value",
    "who": "fred",
    "base": "http://example.com/home/",
    "path": "/foo/bar",
    "list": ["red", "green", "blue"],
    "keys": {"semi": ";", "dot": ".", "comma": ","},
    "v": "6",
    "x": "1024",
    "y": "768",
    "empty": "",
    "empty_keys": [],
    "undef": None,
}

EXAMPLES = """
3.2.1  {count}                 one,two,three
3.2.1  {count*}                one,two,three
3.2.1  {/count}                /one,two,three
3.2.1  {/count*}               /one/two/three
3.2.1  {;count}                ;count=one,two,three
3.2.1  {;count*}               ;count=one;count=two;count=three
3.2.1  {?count}                ?count=one,two,three
3.2.1  {?count*}               ?count=one&count=two&count=three
3.2.1  {&count*}               &count=one&count=two&count=three
3.2.2  {var}                   value
3.2.2  {hello}                 Hello%20World%21
3.2.2  {half}                  50%25
3.2.2  O{empty}X               OX
3.2.2  {x,y}                   1024,768
3.2.2  {x,hello,y}             1024,Hello%20World%21,768
3.2.2  ?{x,empty}              ?1024,
3.2.2  ?{empty,x}              ?,1024
3.2.2  {var:3}                 val
3.2.2  {var:30}                value
3.2.2  {list}                  red,green,blue
3.2.2  {list*}                 red,green,blue
3.2.2  {keys}                  semi,%3B,dot,.,comma,%2C
3.2.2  {keys*}                 semi=%3B,dot=.,comma=%2C
3.2.3  {+var}                  value
3.2.3  {+hello}                Hello%20World!
3.2.3  {+half}                 50%25
3.2.3  {base}index             http%3A%2F%2Fexample.com%2Fhome%2Findex
3.2.3  {+base}index            http://example.com/home/index
3.2.3  O{+empty}X              OX
3.2.3  {+path}/here            /foo/bar/here
3.2.3  here?ref={+path}        here?ref=/foo/bar
3.2.3  up{+path}{var}/here     up/foo/barvalue/here
3.2.3  {+x,hello,y}            1024,Hello%20World!,768
3.2.3  {+path,x}/here          /foo/bar,1024/here
3.2.3  {+path:6}/here          /foo/b/here
3.2.3  {+list}                 red,green,blue
3.2.3  {+list*}                red,green,blue
3.2.3  {+keys}                 semi,;,dot,.,comma,,
3.2.3  {+keys*}                semi=;,dot=.,comma=,
3.2.4  {#var}                  #value
3.2.4  {#hello}                #Hello%20World!
3.2.4  {#half}                 #50%25
3.2.4  foo{#empty}             foo#
3.2.4  foo{#undef}             foo
3.2.4  {#x,hello,y}            #1024,Hello%20World!,768
3.2.4  {#path,x}/here          #/foo/bar,1024/here
3.2.4  {#path:6}/here          #/foo/b/here
3.2.4  {#list*}                #red,green,blue
3.2.4  {#keys}                 #semi,;,dot,.,comma,,
3.2.4  {#keys*}                #semi=;,dot=.,comma=,
3.2.5  {.who}                  .fred
3.2.5  {.who,who}              .fred.fred
3.2.5  {.half,who}             .50%25.fred
3.2.5  www{.dom*}              www.example.com
3.2.5  X{.var}                 X.value
3.2.5  X{.empty}               X.
3.2.5  X{.var:3}               X.val
3.2.5  X{.list}                X.red,green,blue
3.2.5  X{.list*}               X.red.green.blue
3.2.5  X{.keys}                X.semi,%3B,dot,.,comma,%2C
3.2.5  X{.keys*}               X.semi=%3B.dot=..comma=%2C
3.2.6  {/who}                  /fred
3.2.6  {/who,who}              /fred/fred
3.2.6  {/half,who}             /50%25/fred
3.2.6  {/who,dub}              /fred/me%2Ftoo
3.2.6  {/var}                  /value
3.2.6  {/var,empty}            /value/
3.2.6  {/var,x}/here           /value/1024/here
3.2.6  {/var:1,var}            /v/value
3.2.6  {/list}                 /red,green,blue
3.2.6  {/list*}                /red/green/blue
3.2.6  {/list*,path:4}         /red/green/blue/%2Ffoo
3.2.6  {/keys}                 /semi,%3B,dot,.,comma,%2C
3.2.6  {/keys*}                /semi=%3B/dot=./comma=%2C
3.2.7  {;who}                  ;who=fred
3.2.7  {;half}                 ;half=50%25
3.2.7  {;empty}                ;empty
3.2.7  {;v,empty,who}          ;v=6;empty;who=fred
3.2.7  {;v,undef,who}          ;v=6;who=fred
3.2.7  {;x,y}                  ;x=1024;y=768
3.2.7  {;x,y,empty}            ;x=1024;y=768;empty
3.2.7  {;hello:5}              ;hello=Hello
3.2.7  {;list}                 ;list=red,green,blue
3.2.7  {;list*}                ;list=red;list=green;list=blue
3.2.7  {;keys}                 ;keys=semi,%3B,dot,.,comma,%2C
3.2.7  {;keys*}                ;semi=%3B;dot=.;comma=%2C
3.2.8  {?who}                  ?who=fred
3.2.8  {?half}                 ?half=50%25
3.2.8  {?x,y}                  ?x=1024&y=768
3.2.8  {?x,y,empty}            ?x=1024&y=768&empty=
3.2.8  {?x,y,undef}            ?x=1024&y=768
3.2.8  {?var:3}                ?var=val
3.2.8  {?list}                 ?list=red,green,blue
3.2.8  {?list*}                ?list=red&list=green&list=blue
3.2.8  {?keys}                 ?keys=semi,%3B,dot,.,comma,%2C
3.2.8  {?keys*}                ?semi=%3B&dot=.&comma=%2C
3.2.9  {&who}                  &who=fred
3.2.9  {&half}                 &half=50%25
3.2.9  ?fixed=yes{&x}          ?fixed=yes&x=1024
3.2.9  {&x,y,empty}            &x=1024&y=768&empty=
3.2.9  {&x,y,undef}            &x=1024&y=768
3.2.9  {&var:3}                &var=val
3.2.9  {&list}                 &list=red,green,blue
3.2.9  {&list*}                &list=red&list=green&list=blue
3.2.9  {&keys}                 &keys=semi,%3B,dot,.,comma,%2C
3.2.9  {&keys*}                &semi=%3B&dot=.&comma=%2C
"""


@pytest.mark.unmeasured
@pytest.mark.parametrize(("_section", "template", "expected"), [line.split() for line in EXAMPLES.strip().splitlines()])
def test_templates_expand_as_the_rfc_shows(_section: str, template: str, expected: str) -> None:
    assert expand(template, {name: VALUES[name] for name in variables(template)}) == expected


UNDEFINED = """
2.3    O{undef}X               OX
2.3    O{+undef}X              OX
2.3    {x,undef}               1024
2.3    {undef,y}               768
2.3    X{.undef}               X
2.3    X{.empty_keys}          X
2.3    X{.empty_keys*}         X
2.3    {/var,undef}            /value
2.3    /a{/empty_keys}         /a
2.3    /a{/empty_keys*}        /a
2.3    /a{/undef}              /a
2.3    /files{/undef*}         /files
2.3    /files{.undef}          /files
2.3    /files{;undef}          /files
2.3    /files{+undef}          /files
2.3    /files{#undef}          /files
2.3    /a{&undef}              /a
2.3    /find?q={undef}         /find?q=
2.3    /find?{undef}           /find?
2.3    /find#/{undef}          /find#/
"""


@pytest.mark.parametrize(
    ("_section", "template", "expected"), [line.split() for line in UNDEFINED.strip().splitlines()]
)
def test_undefined_variables_vanish(_section: str, template: str, expected: str) -> None:
    assert expand(template, {name: VALUES[name] for name in variables(template)}) == expected
    assert expand(template, {name: VALUES[name] for name in variables(template) if VALUES[name]}) == expected


@pytest.mark.parametrize(
    "template",
    ["{undef}", "/{undef}", "/a/{undef}", "/{undef}/a", "http://{undef}/a", "{+undef}/a", "/{undef}{?x}", "/{undef}?x"],
)
def test_a_segment_of_the_path_is_required(template: str) -> None:
    """RFC 6570 leaves a gap there, such as ``//remotes``, and following such a link is never meant."""
    with pytest.raises(TemplateError, match="'undef'"):
        expand(template, {})


@pytest.mark.parametrize("after", ["X", "x", ".json", "-", ";p", "%20"])
def test_a_part_of_a_segment_may_be_missing(after: str) -> None:
    for before in ("", "/", "http://h/"):
        assert expand(f"{before}{{undef}}{after}", {}) == before + after
    for end in "/?#":
        with pytest.raises(TemplateError, match="without 'undef'"):
            expand(f"/{{undef}}{end}{after}", {})


def test_each_variable_of_a_missing_segment_is_named() -> None:
    with pytest.raises(TemplateError, match="without 'a', 'b', 'c'"):
        expand("/x/{a}{;p}{b}/y/{+c}", {})


def test_a_missing_path_variable_is_named() -> None:
    with pytest.raises(TemplateError, match="without 'cbid': pass variables="):
        expand("/callbacks/{cbid}/remotes", {})


def test_missing_query_variables_are_left_out() -> None:
    assert expand("/trips{?page,size}", {}) == "/trips"
    assert expand("/trips{?page,size}", {"size": 0}) == "/trips?size=0"


def test_an_unknown_variable_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        TemplateError, match=r"no variable 'siez' in the template '/trips\{\?page,size\}'; it has: page, size"
    ):
        expand("/trips{?page,size}", {"siez": 1})


def test_an_error_names_no_variables_where_there_are_none() -> None:
    with pytest.raises(TemplateError, match="it has: none"):
        expand("/trips", {"page": 1})


@pytest.mark.parametrize(
    "template", ["{", "}", "{}", "{a", "{customer-uuid}", "/{*path}", "{!a}", "{a:x}", "{|a}", "{?}"]
)
def test_invalid_templates_are_a_template_error(template: str) -> None:
    with pytest.raises(TemplateError):
        expand(template, {})
    with pytest.raises(TemplateError):
        variables(template)


class _Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (1.5, "1.5"),
        ("a", "a"),
        (_Colour.RED, "red"),
        (dt.datetime(2023, 9, 12, 9, 41, tzinfo=dt.UTC), "2023-09-12T09:41:00+00:00"),
        (dt.date(2023, 9, 12), "2023-09-12"),
        (dt.time(9, 41), "09:41:00"),
        (["a", None, True], ["a", "true"]),
        (("a", 1), ["a", "1"]),
        ({"a": True, "b": None}, {"a": "true"}),
    ],
)
def test_values_are_converted_to_text(value: Any, text: Any) -> None:
    assert plain(value) == text


def test_a_value_of_a_wrong_type_is_a_template_error() -> None:
    with pytest.raises(TemplateError, match="does not accept a value of this type"):
        expand("{keys:3}", {"keys": {"a": "b"}})


def test_literals_that_are_not_ascii_are_encoded() -> None:
    assert expand("/café/{x}", {"x": "é"}) == "/caf%C3%A9/%C3%A9"


@pytest.mark.unmeasured
@given(
    st.text(alphabet="{}?&#/;.+,:*=|!@ab1%é ", max_size=12), st.dictionaries(st.sampled_from("ab"), st.text(max_size=3))
)
def test_any_text_expands_or_is_a_template_error(template: str, values: dict[str, str]) -> None:
    with contextlib.suppress(TemplateError):
        assert expand(template, values).isascii()


@pytest.mark.parametrize("template", ["{" * 1_000_000, "{?a}" * 100_000, "{" + "v," * 500_000 + "}"])
def test_a_very_long_template_is_rejected_unparsed(template: str) -> None:
    # The parser would take hours for the first.
    with pytest.raises(TemplateError, match="characters") as caught:
        expand(template, {})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("template", ["\ud800{a}", "{a}\ud800", "{\ud800}"])
def test_a_lone_surrogate_is_not_a_template(template: str) -> None:
    with pytest.raises(TemplateError) as caught:
        expand(template, {"a": 1})
    assert str(caught.value).isprintable()


def test_a_template_is_masked_in_messages() -> None:
    with pytest.raises(TemplateError) as caught:
        expand("/vehicles/VF3ABCDEF12345678\n/{a}", {})
    assert "/vehicles/***" in str(caught.value)
    assert "\\n" not in str(caught.value)


def test_every_unknown_variable_is_named() -> None:
    with pytest.raises(TemplateError, match="no variable 'y', 'z' in the template"):
        expand("/{x}", {"x": 1, "y": 2, "z": 3})


def test_a_template_has_at_most_8192_characters() -> None:
    assert expand("x" * 8_192, {}) == "x" * 8_192
    with pytest.raises(TemplateError, match=r"8193 characters .*: the limit is 8192"):
        expand("x" * 8_193, {})


@pytest.mark.parametrize(
    "value", [b"x", bytearray(b"x"), {1, 2}, frozenset((1,)), object(), iter((1,)), str.strip, [b"x"]]
)
def test_what_has_no_text_is_refused(value: Any) -> None:
    """Its ``repr`` would be sent, which no server understands."""
    with pytest.raises(TypeError, match=r"must be text, a number, .* not \w+"):
        plain(value)
    with pytest.raises(TypeError, match="must be text, a number"):
        expand("{?v}", {"v": value})


def test_an_error_quotes_the_begin_of_a_long_template() -> None:
    with pytest.raises(TemplateError) as caught:
        expand("a {" + "[" * 8_000 + "}", {})
    assert len(str(caught.value)) < 1_200
    assert str(caught.value).startswith(f"'a {{{'[' * 497}…' is not a URI template (RFC 6570)")
