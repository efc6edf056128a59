import pytest
from hypothesis import given as forall
from hypothesis import strategies as some

from till_customer.domain.masking import masked, masked_address
from till_customer.domain.names import folded
from till_customer.domain.profile import Profile


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Иванов", "Ivanov"),
        ("Иванов", "Iwanow"),
        ("Łukasz Żółć", "lukasz zolc"),
        ("Юлия", "Yulia"),
        ("Юлия", "Julia"),
        ("Щербаков", "Shcherbakov"),
        ("Щербаков", "Szczerbakow"),
        ("Ковальский", "Kowalski"),
        ("Цой", "Tsoi"),
        ("ООО «Ромашка»", "ooo romashka"),
        ("Müller", "MULLER"),
        ("李伟", "LiWei"),
    ],
)
def test_one_name_written_two_ways_is_one_name(one: str, other: str) -> None:
    assert folded(one) == folded(other)


def test_different_names_stay_different() -> None:
    assert len({folded(name) for name in ("Иванов", "Петров", "Nowak", "Novikov", "Anna", "Ania")}) == 6


@forall(some.text())
def test_folding_gives_plain_words_and_folding_again_changes_nothing(name: str) -> None:
    plain = folded(name)
    assert plain.isascii()
    assert folded(plain) in (plain, folded(folded(plain)))
    assert "  " not in plain


def test_those_who_only_count_do_not_see_who_somebody_is() -> None:
    anna = Profile(
        name="Anna Nowak", phones=("+48501234567",), emails=("anna@example.com",), store_id="s1", locale="pl"
    )
    seen = masked(anna)
    assert (seen.name, seen.phones, seen.emails) == ("A*** N***", ("+4***67",), ("a***@example.com",))
    assert (seen.store_id, seen.locale) == ("s1", "pl")
    assert masked_address("Main Street 1") == "***"
