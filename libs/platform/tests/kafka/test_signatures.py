from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_platform.kafka.signatures import SIGNATURE, TOGETHER, Signer, Trust, new_signing_key, signer_of, trust_of
from till_platform.settings import Settings, SettingsError

OWNER, PLACE = "order", ("till.order", 3)
ORDER, LOYALTY = Signer(new_signing_key()), Signer(new_signing_key())
TRUST = Trust({"order": [ORDER.public], "loyalty": [LOYALTY.public]})


@dataclass(frozen=True)
class Record:
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def record(number=0):
    return Record(b"ann", b'{"amount": %d}' % number, (("ce_id", b"%d" % number), ("ce_logposition", b"7")))


def signed(*records, signer=ORDER):
    proofs = signer.sign([(PLACE, one) for one in records])
    return [replace(one, headers=(*one.headers, proof)) for one, proof in zip(records, proofs, strict=True)]


def vouched_for(one, owner=OWNER, place=PLACE, trust=TRUST):
    return trust.vouches_for(owner, place, one)


@pytest.mark.parametrize("count", [1, 2, 3, 5, TOGETHER - 1, TOGETHER, TOGETHER + 1, 2 * TOGETHER + 7])
def test_each_record_of_a_batch_proves_by_itself_who_published_it(count):
    assert all(vouched_for(one) for one in signed(*map(record, range(count))))


def test_a_record_without_a_signature_is_vouched_for_by_nobody():
    assert not vouched_for(record())


def test_the_signature_of_another_service_is_not_the_owners():
    (one,) = signed(record(), signer=LOYALTY)
    assert vouched_for(one, owner="loyalty"), "control: it is a good signature of another one"
    assert not vouched_for(one)


def test_a_genuine_record_that_is_copied_to_another_partition_or_topic_is_not_genuine():
    (one,) = signed(record())
    assert not vouched_for(one, place=("till.order", 4))
    assert not vouched_for(one, place=("other.order", 3))


def test_a_key_that_is_not_known_any_more_proves_nothing():
    (one,) = signed(record())
    assert not vouched_for(one, trust=Trust({"order": [LOYALTY.public]}))
    assert vouched_for(one, trust=Trust({"order": [LOYALTY.public, ORDER.public]}))


CHANGES = {
    "key": lambda one: replace(one, key=b"bob"),
    "no key": lambda one: replace(one, key=None),
    "value": lambda one: replace(one, value=one.value + b" "),
    "header": lambda one: replace(one, headers=(("ce_id", b"x"), *one.headers[1:])),
    "header left out": lambda one: replace(one, headers=one.headers[1:]),
    "header added": lambda one: replace(one, headers=(("ce_actor", b"x"), *one.headers)),
    "headers swapped": lambda one: replace(one, headers=(one.headers[1], one.headers[0], *one.headers[2:])),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_whatever_is_changed_the_signature_does_not_fit_any_more(change):
    one = signed(*map(record, range(5)))[2]
    assert vouched_for(one)
    assert not vouched_for(change(one))


@given(st.integers(0, 4), st.data())
def test_no_byte_of_a_signature_can_be_changed(number, data):
    one = signed(*map(record, range(5)))[number]
    proof = dict(one.headers)[SIGNATURE]
    at = data.draw(st.integers(0, len(proof) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != proof[at]))
    forged = proof[:at] + bytes([other]) + proof[at + 1 :]
    assert not vouched_for(replace(one, headers=(*one.headers[:-1], (SIGNATURE, forged))))


@pytest.mark.parametrize("rubbish", [b"", b"\xff", b"AAAA", b"A" * 96, b"A" * 128, b"A" * 100_000])
def test_rubbish_for_a_signature_is_refused_and_not_an_error(rubbish):
    assert not vouched_for(replace(record(), headers=((SIGNATURE, rubbish),)))


def settings(**given):
    return Settings.read(service="order", environment="local", pg="p", kafka="k:9", redis="r", **given)


def test_keys_come_from_the_settings_and_without_them_nothing_is_signed_or_checked():
    assert signer_of(settings()) is None
    assert trust_of(settings()) is None
    key = new_signing_key()
    signer = signer_of(settings(signing_key=key))
    trust = trust_of(settings(trusted_keys=f'{{"order": ["{signer.public}"]}}'))
    (one,) = signed(record(), signer=signer)
    assert vouched_for(one, trust=trust)


@pytest.mark.parametrize(
    "wrong",
    [{"signing_key": "secret"}, {"trusted_keys": "{"}, {"trusted_keys": "[]"}, {"trusted_keys": '{"order": ["x"]}'}],
)
def test_a_key_that_is_none_is_named_and_not_shown(wrong):
    (name,) = wrong
    with pytest.raises(SettingsError, match=f"TILL_{name.upper()}") as refusal:
        signer_of(settings(**wrong)), trust_of(settings(**wrong))
    assert "secret" not in str(refusal.value)
