"""From 3.2 a person is a row per user in a group of faces, and groups belong to a cluster group of users."""

import pytest

import transfer
from tests.conftest import NOT_PUT_BACK, cross_owner, kinds
from tests.library import Library, new_id
from tests.random_library import leave_cluster

pytestmark = [pytest.mark.since("3.2"), pytest.mark.long]


def cluster_of(library: Library, group: str) -> str | None:
    """The cluster group in which a group of faces lies; None if there is no such group."""
    found = library.rows('select "clusterGroupId" from person_group where id = %s', group)
    return found[0][0] if found else None


def holders(library: Library, group: str) -> set[str]:
    """Who has a person row in the group."""
    return {row[0] for row in library.rows('select "ownerId" from person where "personGroupId" = %s', group)}


def label(library: Library, viewer: str, face: str) -> str | None:
    """The name that a viewer reads at a face: by the viewer's own person row; None: a box without a name."""
    return library.value(
        """
        select p.name from asset_face f
        left join person p on p."personGroupId" = f."personGroupId" and p."ownerId" = %s where f.id = %s
        """,
        viewer,
        face,
    )


def untouched(library: Library) -> dict[str, list[str]]:
    """The rows of faces and groups, to the last stamp."""
    snapshot = library.snapshot()
    return {table: snapshot[table] for table in ("asset_face", "person_group", "face_search")}


# ---- both users in one cluster group --------------------------------------------------------------------------------


@pytest.fixture
def together(library, anna, ben) -> None:
    """Anna and Ben have their faces recognised together."""
    library.cluster(anna, ben)


@pytest.mark.usefixtures("together")
def test_together_a_person_who_goes_changes_hands_by_rows_alone(library, anna, ben, carla, move) -> None:
    photo = library.asset(anna)
    lea = library.person(anna, "Lea", birth="2015-04-01", favorite=True)
    face = library.face(photo, lea, featured=True)
    library.face(photo, lea, box=(0, 0, 900, 700))  # larger, but not the one that was chosen
    album, before = library.album(anna, "Trip", [photo], members={carla: "viewer"}), untouched(library)
    assert kinds(move(album)) == {"Lea": "TRANSFER"}
    assert untouched(library) == before
    assert holders(library, lea) == {ben}
    row = library.person_row(ben, lea)
    assert (row["name"], str(row["birthDate"]), row["isFavorite"]) == ("Lea", "2015-04-01", True)
    assert (row["faceAssetId"], row["thumbnailPath"]) == (face, "")
    assert [label(library, viewer, face) for viewer in (ben, anna, carla)] == ["Lea", None, None]


@pytest.mark.usefixtures("together")
def test_together_a_person_who_also_stays_gets_a_row_for_each(library, anna, ben, carla, move) -> None:
    """Others' rows and photos say nothing about Anna's: Dora, who has the person too, is left alone."""
    dora = library.user("Dora")
    library.cluster(anna, dora)
    photo, home = library.asset(anna), library.asset(anna)
    max_ = library.person(anna, "Max")
    library.person(dora, "Maxi", group=max_)
    there, here = library.face(photo, max_, featured=True), library.face(home, max_)
    elsewhere = library.face(library.asset(dora), max_, featured=True)
    doras, before = library.person_row(dora, max_), untouched(library)
    assert kinds(move(library.album(anna, "Trip", [photo]))) == {"Max": "DUPLICATE"}
    assert untouched(library) == before
    assert holders(library, max_) == {anna, ben, dora}
    assert library.person_row(dora, max_) == doras
    assert (library.person_row(ben, max_)["faceAssetId"], library.person_row(anna, max_)["faceAssetId"]) == (
        there,
        here,
    )
    for face in (there, here, elsewhere):
        assert [label(library, viewer, face) for viewer in (anna, ben, dora)] == ["Max", "Max", "Maxi"]


@pytest.mark.usefixtures("together")
def test_together_only_anothers_photo_of_the_person_stays(library, anna, ben, carla, move) -> None:
    """Then Anna has nobody of that group on her photos any more, and her row ends."""
    library.cluster(anna, carla)
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    library.person(carla, "Lea", group=lea)
    library.face(photo, lea)
    hers = library.face(library.asset(carla), lea, featured=True)
    assert kinds(move(library.album(anna, "Trip", [photo]))) == {"Lea": "TRANSFER"}
    assert holders(library, lea) == {ben, carla}
    assert [label(library, viewer, hers) for viewer in (carla, ben, anna)] == ["Lea", "Lea", None]


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize("stays", [True, False])
def test_together_whom_the_destination_has_under_any_name_counts_as_merged(library, anna, ben, stays, move) -> None:
    photo, max_ = library.asset(anna), library.person(anna, "Max")
    library.person(ben, "Opa", group=max_)
    face, own = library.face(photo, max_), library.face(library.asset(ben), max_, featured=True)
    if stays:
        library.face(library.asset(anna), max_)
    his, before = library.person_row(ben, max_), untouched(library)
    report = move(library.album(anna, "Trip", [photo]))
    assert (report.people, report.listed("kept_people"), report.faces) == ((), ("Opa",), 0)
    assert untouched(library) == before
    assert library.person_row(ben, max_) == his
    assert holders(library, max_) == ({anna, ben} if stays else {ben})
    assert [label(library, ben, each) for each in (face, own)] == ["Opa", "Opa"]


@pytest.mark.parametrize("cluster", ["one cluster group", "two"])
@pytest.mark.parametrize("who", ["stays at hers", "stays at a third user's", "goes"])
def test_an_agreed_merge_repoints_the_moved_faces_only(library, anna, ben, carla, cluster, who, move) -> None:
    """A group goes when nobody has it any more."""
    library.cluster(anna, *[ben] * (cluster != "two"), *[carla] * ("third" in who))
    photo, hers, his = library.asset(anna), library.person(anna, "Oma"), library.person(ben, "oma")
    face, deleted = library.face(photo, hers), library.face(photo, hers, deleted=True)
    library.face(library.asset(ben), his, featured=True)
    keeper = {"stays at hers": anna, "stays at a third user's": carla}.get(who)
    if keeper == carla:
        library.person(carla, "Oma", group=hers)
    home = library.face(library.asset(keeper), hers, featured_of=keeper) if keeper else None
    assert kinds(move(library.album(anna, "Trip", [photo]), merge=[hers])) == {"Oma": "MERGE"}
    assert library.person_of(face) == library.person_of(deleted) == his
    assert holders(library, hers) == ({keeper} if keeper else set())
    assert cluster_of(library, hers) == (library.cluster_of(anna) if keeper else None)
    assert label(library, ben, face) == "oma"
    if home:
        assert (library.person_of(home), label(library, keeper, home)) == (hers, "Oma")


@pytest.mark.usefixtures("together")
def test_together_the_source_may_leave_the_cluster_group_later(library, anna, ben, move, mend) -> None:
    photo, home = library.asset(anna), library.asset(anna)
    lea, max_, oma, opa = (library.person(anna, name) for name in ("Lea", "Max", "Oma", "Opa"))
    library.person(ben, "Grandpa", group=opa)
    faces = {person: library.face(photo, person, featured_of=anna) for person in (lea, max_, opa)}
    kept = {person: library.face(home, person) for person in (max_, oma, opa)}
    move(library.album(anna, "Trip", [photo]))
    for leaver in (anna, ben):  # the second has nobody else in the cluster group any more
        leave_cluster(library, leaver)
        assert cross_owner(library) == set()
        assert [label(library, ben, face) for face in faces.values()] == ["Lea", "Max", "Grandpa"]
        assert [label(library, anna, face) for face in kept.values()] == ["Max", "Oma", "Opa"]
        for user in (anna, ben):
            assert mend(user).assets == 0


# ---- each in a cluster group of their own, the default --------------------------------------------------------------


def test_a_group_that_nobody_else_knows_moves_whole(library, anna, ben, carla, move) -> None:
    """Its id, and so the person's address in the browser, stays."""
    photo = library.asset(anna)
    lea = library.person(anna, "Lea", color="#00ff00")
    face, deleted = library.face(photo, lea, featured=True), library.face(photo, lea, deleted=True)
    library.face(photo, lea, box=(0, 0, 900, 700))
    album = library.album(anna, "Trip", [photo], members={carla: "viewer"})
    before = untouched(library)["asset_face"]
    assert kinds(move(album)) == {"Lea": "TRANSFER"}
    assert untouched(library)["asset_face"] == before
    assert (cluster_of(library, lea), holders(library, lea)) == (library.cluster_of(ben), {ben})
    assert library.person_of(deleted) == lea
    row = library.person_row(ben, lea)
    assert (row["name"], row["color"], row["faceAssetId"], row["thumbnailPath"]) == ("Lea", "#00ff00", face, "")
    assert [label(library, viewer, face) for viewer in (ben, anna, carla)] == ["Lea", None, None]
    audit = library.rows('select "personGroupId", "ownerId" from person_audit')
    assert audit == [(lea, anna)]


def somebody_has_a_row(library, anna, carla, person) -> None:
    library.person(carla, "Lee", group=person)


def somebody_has_a_face(library, anna, carla, person) -> None:
    library.face(library.asset(carla), person)


def the_source_has_a_face(library, anna, carla, person) -> None:
    library.face(library.asset(anna), person)


@pytest.mark.parametrize("somebody", [somebody_has_a_row, somebody_has_a_face, the_source_has_a_face])
def test_a_group_that_others_know_stays_and_the_destination_gets_its_own(
    library, anna, ben, carla, somebody, move
) -> None:
    library.cluster(anna, carla)
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    faces = [library.face(photo, lea, featured=True), library.face(photo, lea, deleted=True)]
    somebody(library, anna, carla, lea)
    others = set(library.rows('select id, "personGroupId" from asset_face where "assetId" <> %s', photo))
    carlas = library.person_row(carla, lea)
    move(library.album(anna, "Trip", [photo]))
    new = library.person_of(faces[0])
    assert new != lea
    assert library.person_of(faces[1]) == new
    assert (cluster_of(library, new), holders(library, new)) == (library.cluster_of(ben), {ben})
    assert cluster_of(library, lea) == library.cluster_of(anna)
    assert set(library.rows('select id, "personGroupId" from asset_face where "assetId" <> %s', photo)) == others
    assert library.person_row(carla, lea) == carlas
    assert label(library, ben, faces[0]) == "Lea"
    assert label(library, anna, faces[0]) is None


def test_the_destinations_row_in_the_sources_cluster_group_is_not_enough(library, anna, ben, move) -> None:
    """That group goes with Anna's cluster group when her account does: Ben gets one of his own."""
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    library.person(ben, "Lea", group=lea)
    face = library.face(photo, lea, featured=True)
    report = move(library.album(anna, "Trip", [photo]))
    new = library.person_of(face)
    assert (cluster_of(library, new), label(library, ben, face)) == (library.cluster_of(ben), "Lea")
    assert report.listed("kept_people") == ()
    assert anna not in holders(library, new)


@pytest.mark.parametrize("anna_has_a_row", [True, False])
def test_the_destinations_names_at_its_other_photos_are_not_lost(library, anna, ben, anna_has_a_row, move) -> None:
    """Ben's row of that foreign group is what labels his own photo, until a repair."""
    photo, lea = library.asset(anna), new_id()
    library.rows('insert into person_group (id, "clusterGroupId") values (%s, %s)', lea, library.cluster_of(anna))
    library.person(ben, "Lea", group=lea)
    if anna_has_a_row:
        library.person(anna, "Lea", group=lea)
    own, face = library.face(library.asset(ben), lea, featured=True), library.face(photo, lea)
    assert label(library, ben, own) == "Lea"
    move(library.album(anna, "Trip", [photo]))
    assert [label(library, ben, each) for each in (own, face)] == ["Lea", "Lea"]


# ---- people shared with single users --------------------------------------------------------------------------------


def shares(library: Library) -> set[tuple[str, str, str]]:
    return set(library.rows('select "personGroupId", "sharedById", "sharedWithId" from person_user'))


@pytest.mark.since("3.3")
def test_what_the_source_shared_ends_with_its_row_and_the_recipients_row_stays(library, anna, ben, carla, move) -> None:
    """A group with a share is not moved whole."""
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    face = library.face(photo, lea, featured=True)
    library.share_person(lea, by=anna, to=carla)
    assert library.person_row(carla, lea)["name"] == "Lea"
    move(library.album(anna, "Trip", [photo]))
    assert library.person_of(face) != lea
    assert shares(library) == set()
    assert holders(library, lea) == {carla}
    assert cluster_of(library, lea) == library.cluster_of(anna)


@pytest.mark.since("3.3")
@pytest.mark.parametrize("knows", [False, True], ids=["he has no row", "he has one"])
def test_together_the_destination_shares_instead(library, anna, ben, carla, knows, move) -> None:
    """Carla goes on seeing whom Anna shared with her. With Ben she need not be shared, nor again with whom he does."""
    dora = library.user("Dora")
    library.cluster(anna, ben)
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    library.face(photo, lea, featured=True)
    if knows:
        library.person(ben, "Leah", group=lea)
        library.share_person(lea, by=ben, to=dora)
    for user, role in ((carla, "write"), (dora, "read"), (ben, "read")):
        library.share_person(lea, by=anna, to=user, role=role)
    rows = {user: library.person_row(user, lea) for user in (carla, dora)}
    report = move(library.album(anna, "Trip", [photo]))
    assert holders(library, lea) == {ben, carla, dora}
    assert shares(library) == {(lea, ben, carla), (lea, ben, dora)}
    assert library.value('select role::text from person_user where "sharedWithId" = %s', carla) == "write"
    assert {user: library.person_row(user, lea) for user in (carla, dora)} == rows
    assert (report.of("shares_given"), report.listed("shares_ended")) == (2 - knows, ())


@pytest.mark.since("3.3")
@pytest.mark.parametrize("change", ["two cluster groups", "a merge", "a name that she took away"])
def test_a_share_that_ends_is_told(library, anna, ben, carla, change, move) -> None:
    if change != "two cluster groups":
        library.cluster(anna, ben)
    photo, lea, his = library.asset(anna), library.person(anna, "Lea"), library.person(ben, "Lea")
    library.face(photo, lea, featured=True)
    library.share_person(lea, by=anna, to=carla)
    if change == "a name that she took away":
        library.rows("update person set name = '' where \"ownerId\" = %s", carla)
    carlas = library.person_row(carla, lea)
    report = move(library.album(anna, "Trip", [photo]), merge=[lea] if change == "a merge" else [])
    assert (report.of("shares_given"), report.listed("shares_ended")) == (0, (("Lea", "carla@example.com"),))
    assert shares(library) == set()
    assert library.person_row(carla, lea) == carlas
    assert library.person_row(ben, his) is not None


@pytest.mark.since("3.3")
@pytest.mark.parametrize("since", ["nothing", "he shares her with one more", "he ends it", "she is named"])
def test_an_undo_gives_the_shares_back(library, anna, ben, carla, journey, since) -> None:
    dora = library.user("Dora")
    library.cluster(anna, ben)
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    library.face(photo, lea, featured=True)
    library.share_person(lea, by=anna, to=carla)
    library.settle_usage()
    before = library.snapshot(ignore=NOT_PUT_BACK)
    album = library.album(anna, "Trip", [photo])
    journey.go(transfer.Request(anna, ben, album=album))
    assert shares(library) == {(lea, ben, carla)}
    if since == "he shares her with one more":
        library.share_person(lea, by=ben, to=dora)
    elif since == "he ends it":
        library.rows("delete from person_user")
    elif since == "she is named":
        library.rows("update person set name = 'Leah' where \"ownerId\" = %s", ben)
    journey.back()
    library.rows("delete from album where id = %s", album)
    assert (lea, anna, carla) in shares(library) and (lea, ben, carla) not in shares(library)
    assert ((lea, ben, dora) in shares(library)) == (since == "he shares her with one more")
    if since == "nothing":
        assert library.snapshot(ignore=NOT_PUT_BACK) == before


@pytest.mark.since("3.3")
def test_what_was_shared_with_the_source_ends_with_its_row(library, anna, ben, carla, move) -> None:
    library.cluster(anna, carla)
    photo, pia = library.asset(anna), library.person(carla, "Pia")
    own = library.face(library.asset(carla), pia, featured=True)
    library.share_person(pia, by=carla, to=anna)
    face = library.face(photo, pia)
    move(library.album(anna, "Trip", [photo]))
    assert label(library, ben, face) == "Pia"
    # Carla's photo still shows her: Anna's row stays as long as the person is to be seen anywhere in the group
    assert label(library, carla, own) == "Pia"
    assert (pia, carla, anna) in shares(library) or anna not in holders(library, pia)
    assert not {share for share in shares(library) if ben in share}


@pytest.mark.since("3.3")
def test_the_shares_of_people_who_stay_stay(library, anna, ben, carla, move) -> None:
    photo, max_, other = library.asset(anna), library.person(anna, "Max"), library.person(anna, "Other")
    library.face(photo, max_)
    library.face(library.asset(anna), max_, featured=True)
    for person in (max_, other):
        library.share_person(person, by=anna, to=carla)
    before = library.snapshot()["person_user"]
    move(library.album(anna, "Trip", [photo]))
    assert library.snapshot()["person_user"] == before


@pytest.mark.since("3.3")
@pytest.mark.parametrize("cluster", ["one", "two"])
def test_a_person_who_was_shared_with_the_destination_is_there_once(library, anna, ben, cluster, move) -> None:
    """The row that the share had made must not be left behind as a second person without a face."""
    if cluster == "one":
        library.cluster(anna, ben)
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    face = library.face(photo, lea, featured=True)
    library.share_person(lea, by=anna, to=ben)
    move(library.album(anna, "Trip", [photo]))
    assert label(library, ben, face) == "Lea"
    assert shares(library) == set()
    assert library.rows('select name from person where "ownerId" = %s', ben) == [("Lea",)]


@pytest.mark.since("3.3")
def test_a_person_who_was_shared_with_the_destination_says_what_it_said(library, anna, ben, move) -> None:
    """Only a name and a birth date that it lacks come from the source's, as when Immich shares a person."""
    photo, lea = library.asset(anna), library.person(anna, "", favorite=True, color="#aabbcc")
    face = library.face(photo, lea, featured=True)
    library.share_person(lea, by=anna, to=ben)
    library.rows("update person set name = 'Lea', \"birthDate\" = '2015-04-01' where \"ownerId\" = %s", anna)
    move(library.album(anna, "Trip", [photo]))
    row = library.person_row(ben, library.person_of(face))
    assert (row["name"], str(row["birthDate"])) == ("Lea", "2015-04-01")
    assert (row["isFavorite"], row["color"], row["faceAssetId"]) == (False, None, face)


@pytest.mark.since("3.3")
@pytest.mark.parametrize("his_name", ["Lea", "Lea M.", ""])
def test_a_person_who_was_shared_with_the_destination_and_stays_is_there_once(
    library, anna, ben, journey, his_name
) -> None:
    """Under the name that the destination gave."""
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    face, home = library.face(photo, lea), library.face(library.asset(anna), lea, featured=True)
    library.share_person(lea, by=anna, to=ben)
    library.rows('update person set name = %s where "ownerId" = %s', his_name, ben)
    album = library.album(anna, "Trip", [photo])
    with journey.returning():
        journey.go(transfer.Request(anna, ben, album=album))
        new = library.person_of(face)
        assert holders(library, new) == {ben} and library.person_of(home) == lea
        assert library.rows('select name from person where "ownerId" = %s', ben) == [(his_name or "Lea",)]


def test_a_source_without_a_photo_of_a_person_whom_others_have_does_not_keep_it(
    library, anna, ben, carla, journey
) -> None:
    """Else Anna would have a named person without photos."""
    library.cluster(anna, carla)
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    library.person(carla, "Lea", group=lea)
    face, carlas = library.face(photo, lea, featured=True), library.face(library.asset(carla), lea)
    album = library.album(anna, "Trip", [photo])
    with journey.returning():
        journey.go(transfer.Request(anna, ben, album=album))
        new = library.person_of(face)
        assert (holders(library, new), cluster_of(library, new)) == ({ben}, library.cluster_of(ben))
        assert (holders(library, lea), library.person_of(carlas)) == ({carla}, lea)


# ---- what must never happen -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cluster", ["one", "two"])
def test_the_owner_of_a_person_row_is_never_updated(library, anna, ben, carla, journey, cluster) -> None:
    """Neither on the way nor back: the row may be there already, and shares would follow."""
    if cluster == "one":
        library.cluster(anna, ben)
    photo = library.asset(anna)
    people = {name: library.person(anna, name) for name in ("Lea", "Max", "Oma", "Kim")}
    for person in people.values():
        library.face(photo, person, featured=True)
    library.face(library.asset(anna), people["Max"])
    library.face(library.asset(ben), library.person(ben, "Oma"), featured=True)
    library.person(carla, "Kim", group=people["Kim"])
    if library.has_person_sharing:
        library.share_person(people["Lea"], by=anna, to=carla)
    album = library.album(anna, "Trip", [photo])
    with journey.returning():
        library.rows(
            """
            create function refuse() returns trigger language plpgsql as
            $body$ begin raise exception 'person.ownerId was updated'; end $body$;
            create trigger refuse before update of "ownerId", "personGroupId" on person
            for each row execute function refuse()
            """
        )
        request = transfer.Request(anna, ben, album=album, merge=frozenset([people["Oma"]]))
        report = journey.go(request)
        assert {person.action for person in report.people} >= {"TRANSFER", "DUPLICATE", "MERGE"}


# ---- repair ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("together")
def test_repair_leaves_a_face_whose_owner_has_a_row_in_the_own_cluster_group(library, anna, ben, mend) -> None:
    """Whoever else has a row of the same group, or made it."""
    lea = library.person(anna, "Lea")
    library.person(ben, "Lea", group=lea)
    library.face(library.asset(ben), lea, featured=True)
    library.face(library.asset(anna), lea, featured=True)
    before = untouched(library), library.snapshot()["person"]
    report = mend(ben)
    assert (report.assets, report.people) == (0, ())
    assert (untouched(library), library.snapshot()["person"]) == before


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize("elsewhere", [True, False], ids=["on her own photo too", "on his photo only"])
def test_repair_gives_the_owner_the_missing_row(library, anna, ben, elsewhere, mend) -> None:
    """Inside one cluster group the face and the group are right. Hers stays if she has photos of the person."""
    lea = library.person(anna, "Lea")
    face = library.face(library.asset(ben), lea)
    if elsewhere:
        library.face(library.asset(anna), lea)
    before = untouched(library)
    report = mend(ben)
    assert (report.assets, report.faces) == (1, 0)
    assert untouched(library) == before
    assert holders(library, lea) == ({anna, ben} if elsewhere else {ben})
    assert label(library, ben, face) == "Lea"
    assert mend(ben).assets == 0


@pytest.mark.parametrize("named", [True, False])
def test_repair_gives_the_owner_a_group_in_the_own_cluster_group(library, anna, ben, named, mend) -> None:
    """Ben has a row, but the group would go with Anna's account."""
    lea = library.person(anna, "Lea")
    if named:
        library.person(ben, "Lee", group=lea)
    face, home = library.face(library.asset(ben), lea), library.face(library.asset(anna), lea, featured=True)
    report = mend(ben)
    new = library.person_of(face)
    assert (report.assets, report.faces) == (1, 1)
    assert (cluster_of(library, new), holders(library, new)) == (library.cluster_of(ben), {ben})
    assert (library.person_of(home), label(library, anna, home)) == (lea, "Lea")
    assert label(library, ben, face) in ("Lea", "Lee")
    assert cross_owner(library) == set()


@pytest.mark.since("3.2")
def test_a_deleted_face_that_stays_loses_its_link_with_a_person_who_leaves(library, anna, ben, move) -> None:
    """Both know the group; the former owner's row of it ends, so a photo of hers may not be of that person."""
    library.cluster(anna, ben)
    photo, stays = library.asset(anna), library.asset(anna)
    lea = library.person(anna, "Lea")
    library.face(photo, lea)
    deleted = library.face(stays, lea, deleted=True)
    move(library.album(anna, "Trip", [photo]))
    assert library.person_row(anna, lea) is None
    assert library.person_row(ben, lea)["name"] == "Lea"
    assert library.person_of(deleted) is None
