"""Apps fetch everything anew by Immich's own reset; rows in the deletion tables would delete photos on phones."""

import pytest


def flagged(library) -> set[str]:
    return {row[0] for row in library.rows('select "userId" from session where "isPendingSyncReset"')}


def test_both_users_partners_and_album_members_are_reset_and_nobody_else(library, anna, ben, move) -> None:
    names = (
        *("shares with Anna", "Anna shares with", "shares with Ben", "Ben shares with"),
        *("member", "owner of another album", "member of another album"),
        *("stranger", "member of an album without the photos", "partner of a partner", "guest in the album's link"),
    )
    users = {name: library.user(name) for name in names}
    for user in (anna, ben, *users.values()):
        library.session(user)
        library.session(user)
    photo = library.asset(anna)
    album = library.album(anna, "Trip", [photo], members={users["member"]: "viewer"})
    library.album(
        users["owner of another album"], "Other", [photo], members={users["member of another album"]: "editor"}
    )
    library.album(
        anna, "Without", [library.asset(anna)], members={users["member of an album without the photos"]: "editor"}
    )
    library.partner(users["shares with Anna"], anna)
    library.partner(anna, users["Anna shares with"])
    library.partner(users["shares with Ben"], ben)
    library.partner(ben, users["Ben shares with"])
    library.partner(users["partner of a partner"], users["shares with Anna"])
    move(album)
    assert flagged(library) == {anna, ben, *(users[name] for name in names[:7])}
    assert library.value('select count(*) from session where "isPendingSyncReset"') == 18


@pytest.mark.since("3.2")
def test_those_who_recognise_people_together_are_reset(library, anna, ben, carla, move) -> None:
    """Their apps get the faces of each other's photos."""
    stranger = library.user("Stranger")
    for user in (anna, ben, carla, stranger):
        library.session(user)
    library.cluster(anna, carla)
    move(library.album(anna, "Trip", [library.asset(anna)]))
    assert flagged(library) == {anna, ben, carla}


def test_a_session_that_is_to_be_reset_already_stays_so(library, anna, move) -> None:
    session = library.session(anna)
    library.rows('update session set "isPendingSyncReset" = true')
    before = library.row("select * from session where id = %s", session)
    move(library.album(anna, "Trip", [library.asset(anna)]))
    assert library.row("select * from session where id = %s", session) == before


@pytest.mark.cases
@pytest.mark.parametrize("table", ["asset_audit", "asset_face_audit", "album_audit", "album_asset_audit", "user_audit"])
def test_nothing_is_recorded_as_deleted_that_was_not(library, scene, table, move) -> None:
    """An Android phone would move its own copies to the trash (asset_audit)."""
    move(scene.album, merge=[scene.oma])
    assert library.rows(f"select * from {table}") == []


def test_checkpoints_are_left_to_the_server(library, anna, move) -> None:
    """It clears them itself when the app has taken note of the reset."""
    session = library.session(anna)
    library.rows(
        """insert into session_sync_checkpoint ("sessionId", type, ack) values (%s, 'AssetV1', 'AssetV1|x|y')""",
        session,
    )
    before = library.rows("select * from session_sync_checkpoint")
    move(library.album(anna, "Trip", [library.asset(anna)]))
    assert library.rows("select * from session_sync_checkpoint") == before


def test_a_third_user_whose_picture_of_somebody_changes_is_reset(library, anna, ben, carla, move) -> None:
    """An older transfer by hand left it: her person shows a face on Anna's photo, which is nobody's."""
    library.session(carla)
    photo, person = library.asset(anna), library.person(carla, "Pia")
    library.feature(person, library.face(photo), owner=carla)
    move(library.album(anna, "Trip", [photo]))
    assert carla in flagged(library)
