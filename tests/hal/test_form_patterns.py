"""Patterns of form fields, within bounds of time."""

import time

import pytest

from stellantis_hal.hal import form_patterns
from stellantis_hal.hal.form_patterns import PatternChecker


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [("[0-9]+", "12", True), ("[0-9]+", "12a", False), ("a|b", "b", True), ("a|b", "ab", False), ("^a$", "a", True),
     (r"\p{L}+", "été", True), (r"\p{Lu}", "a", False), (r"(?<n>a)\k<n>", "aa", True), (r"[\w--\d]+", "ab", True),
     (r"[\w--\d]+", "a1", False), ("[]a]", "a", True), (r"\[", "[", True), (r"[\]]", "]", True), ("(a)(b)?", "a", True),
     ("a{2}", "aa", True), ("(ab){1,3}", "abab", True), ("(ab){1,}", "ab" * 9, True), ("a{,2}", "aa", True),
     (r"[0-9]{8}(-[0-9]{4}){3}-[0-9]{12}", "12345678-1234-1234-1234-123456789012", True)],
)  # fmt: skip
def test_the_whole_value_has_to_match(pattern: str, value: str, matches: bool) -> None:
    """F12: the constructs of browsers that ``re`` does not know included."""
    assert PatternChecker().check(pattern, value) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        "[",
        "(",
        ")",
        "*",
        r"\p{Nonsense}",
        "(?<n>",
        "a{2,1}",
        "(" * 400 + ")" * 400,
        "\\",
        "(abc)(?#){900}",
        "(?x)(abc) {900}",
        "(?ix-s:(abc) {900})",
        "a{2}(?x:b {3})",
    ],
)
def test_unreadable_patterns_are_not_checked(pattern: str) -> None:
    """F12."""
    assert PatternChecker().check(pattern, "x") == "the pattern cannot be read"


@pytest.mark.parametrize(("count", "matches"), [("1000", False), ("1001", None), ("7,1000", False), ("7,1001", None)])
def test_repeated_groups_are_bounded_by_the_parts_they_have(count: str, matches: bool | None) -> None:
    """A group of one letter has two parts, and 2,000 parts are compiled."""
    result = PatternChecker().check(f"(a){{{count}}}", "x")
    assert result == ("the pattern repeats too much too often" if matches is None else matches)


@pytest.mark.parametrize(
    "pattern", ["a{2000}", "[ab]{0,64000}", ".{1,64000}", "a{}", "a{,}", r"\d{1,64000}", r"\p{L}{2,64000}"]
)
def test_a_character_may_be_repeated_up_to_any_length(pattern: str) -> None:
    assert PatternChecker().check(pattern, "!") in {True, False}


def test_long_patterns_are_not_checked() -> None:
    assert PatternChecker().check("a" * 2_000, "a") == "the pattern has 2000 characters; at most 1000 are read"


@pytest.mark.parametrize(
    "pattern",
    ["(?:(?:(?:(?:x?){50}){50}){50}){50}", "((a|b){1,100}){1,100}", "(?:(a){200}b){200}", "((a{9}){99}){99}",
     r"((\)){99}[(]){99}", "a{2001}", "a{999999999}", "a{0004000000,}", "[ab]{9999}", r"\d{9999}", ".{9999}{9}",
     "(a){0004000000}", "(a{50}){50}", f"a{{{'9' * 900}}}"],
)  # fmt: skip
def test_patterns_that_take_long_to_compile_are_not(pattern: str) -> None:
    """Some of these took 15 seconds and gigabytes to compile."""
    assert PatternChecker().check(pattern, "x") == "the pattern repeats too much too often"


@pytest.mark.wall_clock
def test_a_match_has_a_time_limit() -> None:
    checker, slow = PatternChecker(), "a*" * 400
    started = time.process_time()
    assert checker.check(slow, "a" * 40 + "!") == "the pattern was stopped after 0.1 s"
    assert checker.check("a", "a") is True
    assert checker.check(slow, "a" * 40 + "!") == "the pattern was stopped after 0.1 s"
    assert checker.check("a", "a") == "patterns before this one took too long"
    assert time.process_time() - started < 10


def test_a_match_has_a_memory_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Greedy:
        def fullmatch(self, value: str, timeout: float) -> None:
            raise MemoryError

    def compiled(pattern: str) -> Greedy:
        return Greedy()

    monkeypatch.setattr(form_patterns, "_compile", compiled)
    assert PatternChecker().check("a", "a") == "the pattern needs too much memory"


def test_without_the_extra_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_patterns, "_regex", None)
    outcome = PatternChecker().check("a", "b")
    assert isinstance(outcome, str)
    assert "stellantis-hal[forms]" in outcome
