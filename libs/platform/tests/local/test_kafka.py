import base64

from till_platform.local.kafka import new_cluster_id


def test_an_id_of_a_new_cluster_is_16_bytes_and_never_looks_like_an_option_of_kafkas_tools() -> None:
    ids = {new_cluster_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(base64.urlsafe_b64decode(cluster + "==")) for cluster in ids} == {16}
    assert not [cluster for cluster in ids if cluster.startswith("-")]
