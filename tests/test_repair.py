"""Repair: faces and pictures that an older transfer, by hand or by another tool, left with other users' people."""

from datetime import date

import pytest

import transfer
from tests.conftest import cross_owner, kinds, repair_one


@pytest.fixture
def his(library, ben) -> str:
    """A photo of Ben's that was Anna's once."""
    return library.asset(ben, "his.jpg")


def test_a_person_who_is_on_the_users_photos_only_is_handed_over(library, anna, ben, his, mend) -> None:
    lea = library.person(anna, "Lea", birth="2015-04-01", favorite=True)
    faces = [library.face(his, lea), library.face(library.asset(ben), lea)]
    report = mend(ben)
    row = library.person_row(ben, library.person_of(faces[0]))
    assert (row["name"], row["birthDate"], row["isFavorite"]) == ("Lea", date(2015, 4, 1), True)
    assert library.person_of(faces[1]) == library.person_of(faces[0])
    assert library.person_row(anna, lea) is None
    assert kinds(report) == {"Lea": "TRANSFER"}
    assert cross_owner(library) == set()


def test_a_person_who_is_on_the_owners_photos_too_is_given_a_second_time(library, anna, ben, his, mend) -> None:
    max_ = library.person(anna, "Max", birth="1950-01-31")
    face, home = library.face(his, max_), library.face(library.asset(anna), max_, featured=True)
    before = library.person_row(anna, max_)
    report = mend(ben)
    row = library.person_row(ben, library.person_of(face))
    assert (row["name"], row["birthDate"], row["faceAssetId"]) == ("Max", date(1950, 1, 31), face)
    assert library.person_of(home) == max_
    assert library.person_row(anna, max_) == before
    assert (kinds(report), report.faces) == ({"Max": "DUPLICATE"}, 1)
    assert cross_owner(library) == set()


def test_namesakes_are_merged_when_agreed(library, anna, ben, his, params, mend) -> None:
    hers, own = library.person(anna, "Oma", birth="1940-01-01"), library.person(ben, "oma ")
    face = library.face(his, hers, featured_of=anna)
    library.face(library.asset(ben), own, featured=True)
    before = library.snapshot()
    (pair,) = transfer.repair_merge_pairs(params, ben)
    assert (pair.id, pair.merge_id, pair.merge_name) == (hers, own, "oma ")
    assert library.snapshot() == before
    report = mend(ben, merge=[hers])
    assert library.person_of(face) == own
    assert library.person_row(ben, own)["birthDate"] == date(1940, 1, 1)
    assert library.person_row(anna, hers) is None
    assert kinds(report) == {"Oma": "MERGE"}


def test_namesakes_are_not_merged_unless_agreed(library, anna, ben, his, mend) -> None:
    hers, own = library.person(anna, "Oma"), library.person(ben, "Oma")
    face = library.face(his, hers)
    library.face(library.asset(ben), own, featured=True)
    mend(ben)
    assert library.person_of(face) != own


def test_a_picture_on_another_users_photo_is_mended_both_ways(library, anna, ben, his, mend) -> None:
    """Ben's person shows a photo of Anna's; Anna's person shows one of Ben's."""
    photo = library.asset(anna)
    ina, max_ = library.person(ben, "Ina"), library.person(anna, "Max")
    bens, annas = library.face(his, ina), library.face(photo, max_)
    wrong_bens, wrong_annas = library.face(photo, None), library.face(his, None)
    library.feature(ina, wrong_bens, owner=ben)
    library.feature(max_, wrong_annas, owner=anna)
    report = mend(ben)
    assert library.person_row(ben, ina)["faceAssetId"] == bens
    assert library.person_row(ben, ina)["thumbnailPath"] == ""
    assert library.person_row(anna, max_)["faceAssetId"] == annas
    assert library.person_row(anna, max_)["thumbnailPath"] == ""
    assert report.of("featured") == 2
    assert cross_owner(library) == set()


def test_a_picture_for_which_there_is_no_photo_goes(library, anna, ben, his, mend) -> None:
    ina = library.person(ben, "Ina")
    library.feature(ina, library.face(library.asset(anna), None), owner=ben)
    mend(ben)
    row = library.person_row(ben, ina)
    assert (row["faceAssetId"], row["thumbnailPath"]) == (None, "")


def test_a_deleted_face_makes_no_person(library, anna, ben, his, mend) -> None:
    max_ = library.person(anna, "Max")
    face = library.face(his, max_, deleted=True)
    report = mend(ben)
    assert library.person_of(face) is None
    assert report.people == ()
    assert cross_owner(library) == set()


def test_people_of_several_users_are_sorted_out_at_once(library, anna, ben, carla, his, mend) -> None:
    max_, pia = library.person(anna, "Max"), library.person(carla, "Pia")
    for person, owner in ((max_, anna), (pia, carla)):
        library.face(his, person)
        library.face(library.asset(owner), person)
    report = mend(ben)
    assert kinds(report) == {"Max": "DUPLICATE", "Pia": "DUPLICATE"}
    assert cross_owner(library) == set()


def test_other_users_photos_are_left_to_their_own_repair(library, anna, ben, carla, his, mend) -> None:
    face = library.face(library.asset(carla), library.person(anna, "Max"))
    report = mend(ben)
    assert (report.assets, report.people) == (0, ())
    assert library.person_of(face)
    assert mend(carla).faces == 0  # handed over: the link itself is right now
    assert cross_owner(library) == set()


def test_nothing_to_mend_changes_nothing(library, scene, mend) -> None:
    before = library.snapshot()
    report = mend(scene.ben)
    after = library.snapshot()
    assert (report.assets, report.people, report.faces, report.of("featured")) == (0, (), 0, 0)
    for table in ("person", "asset_face", "asset", "user"):
        assert after[table] == before[table]


def test_the_second_repair_finds_nothing(library, anna, ben, carla, his, mend) -> None:
    for user, name in ((anna, "Max"), (carla, "Pia"), (anna, "Lea")):
        person = library.person(user, name)
        library.face(his, person, featured_of=user)
        if name != "Lea":
            library.face(library.asset(user), person)
    assert mend(ben).assets == 1
    report = mend(ben)
    assert (report.assets, report.people, report.faces, report.of("featured")) == (0, (), 0, 0)


def test_a_naive_transfer_is_put_right(library, scene, mend) -> None:
    """UPDATE asset SET "ownerId": what others' scripts do. Faces and pictures are what Repair is for."""
    photos = [scene.lake, scene.hill]
    library.rows('update asset set "ownerId" = %s where id = any(%s::uuid[])', scene.ben, photos)
    report = mend(scene.ben, merge=[scene.oma])
    assert kinds(report) == {"Lea O'Neil": "TRANSFER", "Max": "DUPLICATE", "Oma": "MERGE"}
    assert not [problem for problem in cross_owner(library) if problem.startswith(("face", "featured"))]
    assert library.person_of(scene.faces["oma"]) == scene.bens_oma


def test_phones_of_both_are_reset(library, anna, ben, carla, his, mend) -> None:
    for user in (anna, ben, carla):
        library.session(user)
    library.face(his, library.person(anna, "Max"))
    mend(ben)
    assert set(library.rows('select "userId" from session where "isPendingSyncReset"')) == {(anna,), (ben,)}


def test_a_deleted_user_is_refused(library, params) -> None:
    gone = library.user("Gone", deleted=True)
    for dry_run in (True, False):
        with pytest.raises(transfer.TransferError):
            repair_one(params, gone, transfer.How(dry_run=dry_run))


def test_what_was_shown_is_what_is_mended_or_nothing_is(library, anna, ben, his, params) -> None:
    library.face(his, library.person(anna, "Max"))
    shown = repair_one(params, ben, transfer.How(dry_run=True))
    library.face(his, library.person(anna, "Lea"))
    before = library.snapshot()
    with pytest.raises(transfer.Changed):
        repair_one(params, ben, transfer.How(dry_run=False, expected_digest=shown.digest))
    assert library.snapshot() == before


def test_a_violation_planted_in_a_repair_rolls_back(library, anna, ben, his, params) -> None:
    max_ = library.person(anna, "Max")
    library.face(his, max_, featured_of=anna)
    library.face(library.asset(anna), max_)
    library.rows(
        f"""
        create function plant() returns trigger language plpgsql as $body$
        begin update asset set "ownerId" = '{anna}' where id = '{his}'; return null; end $body$;
        create trigger plant after update of "faceAssetId" on person for each statement execute function plant()
        """
    )
    before = library.snapshot()
    with pytest.raises(transfer.InvariantBroken):
        repair_one(params, ben, transfer.How(dry_run=False))
    assert library.snapshot() == before
