"""The check at the start: the address and the database are one and the same Immich, of a known kind, with a fit key."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

import transfer
from tests.library import new_id
from tests.terminal import Installation, Terminal, installation
from transfer import NotAllowed, Server, TransferError

pytestmark = pytest.mark.screens

TWO_SERVERS = "two different Immich servers"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("start")) as made:
        made.library.user("Deleted", deleted=True)
        made.save()
        yield made


@pytest.fixture
def there(shared: Installation) -> Iterator[Installation]:
    version = shared.immich.version
    yield shared
    shared.immich.forget()
    shared.immich.version = version


def check(there: Installation, key: str | None = None) -> Server:
    return transfer.check_server(transfer.open_api(there.immich.url, key or there.key), there.params)


def shown(there: Installation, path: str, key: str | None = None) -> Any:
    """What REST really answers."""
    return requests.get(there.immich.url + path, headers={"x-api-key": key or there.key}, timeout=90).json()


@pytest.fixture
def newcomer(there: Installation) -> Iterator[str]:
    """A user in the database whom a planted answer doesn't know."""
    user = there.library.user("Newcomer")
    yield user
    there.library.rows('delete from "user" where id = %s', user)


def test_an_administrators_key(there: Installation) -> None:
    found = check(there)
    assert (found.version, found.user_email, found.is_admin) == ("2.7.5", "root@example.com", True)
    assert found.user_id == there.root
    assert not found.is_newer
    assert found.unknown_links == ()


def test_the_check_changes_nothing(there: Installation) -> None:
    before = there.library.snapshot()
    check(there)
    assert there.library.snapshot() == before
    assert there.wait_for_no_session() == []


def test_another_users_key(there: Installation) -> None:
    found = check(there, there.immich.key(there.alice))
    assert (found.user_id, found.is_admin) == (there.alice, False)


# What REST says of users, to an administrator or to Alice: by what is planted for the real answer. Immich's setting
# `publicUsers` may hide the others from who is no administrator.
SAID = {
    "herself only": ("alice", lambda there, users: [user for user in users if user["id"] == there.alice], True),
    "nobody": ("alice", lambda there, users: [], True),
    "not the newcomer, to others": ("alice", lambda there, users: [u for u in users if u["name"] != "Newcomer"], True),
    "in another order": ("root", lambda there, users: users[::-1], True),
    "deleted ones too": ("root", lambda there, users: shown(there, "/api/admin/users?withDeleted=true"), True),
    "not the newcomer": ("root", lambda there, users: [u for u in users if u["name"] != "Newcomer"], False),
    "one more, to an administrator": ("root", lambda there, users: [*users, users[0] | {"id": new_id()}], False),
    "one more, to others": ("alice", lambda there, users: [*users, users[0] | {"id": new_id()}], False),
    "one who is deleted there": (
        "root",
        lambda there, users: [u | ({"deletedAt": "2026-01-01"} if u["id"] == there.bob else {}) for u in users],
        False,
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_users_must_be_those_of_the_database(there: Installation, newcomer: str, name: str) -> None:
    who, plant, fits = SAID[name]
    key = there.key if who == "root" else there.immich.key(there.alice)
    path = "/api/admin/users" if who == "root" else "/api/users"
    there.immich.answer(path, 200, plant(there, shown(there, path, key)), exact=True)
    if fits:
        assert check(there, key).user_id == getattr(there, who)
    else:
        with pytest.raises(TransferError, match=TWO_SERVERS) as caught:
            check(there, key)
        assert caught.value.why == f"The users at {there.immich.url} are not the users in the database."


def test_the_keys_owner_must_be_in_the_database(there: Installation) -> None:
    key = there.immich.key(there.alice)
    there.immich.answer("/api/users", 200, [], exact=True)
    there.immich.answer("/api/users/me", 200, shown(there, "/api/users/me", key) | {"id": new_id()})
    with pytest.raises(TransferError, match=TWO_SERVERS):
        check(there, key)


@pytest.mark.parametrize("admin", [True, False], ids=["administrator", "other"])
def test_a_key_that_the_database_does_not_know(there: Installation, admin: bool) -> None:
    """A restored copy of the database has the same users; a key made since then tells the two apart."""
    key = there.key if admin else there.immich.key(there.alice)
    there.immich.answer("/api/api-keys/me", 200, shown(there, "/api/api-keys/me", key) | {"id": new_id()})
    with pytest.raises(TransferError, match=TWO_SERVERS) as caught:
        check(there, key)
    assert caught.value.why == f"{there.immich.url} knows the API key, the database does not."
    assert key not in str(vars(caught.value))


def test_two_servers_are_refused_on_screen(there: Installation, newcomer: str) -> None:
    """And the menu stays: entry 7 corrects it."""
    users = [user for user in shown(there, "/api/admin/users") if user["id"] != newcomer]
    there.immich.answer("/api/admin/users", 200, users)
    with Terminal(there.path) as terminal:
        screen = terminal.menu("1")
        assert TWO_SERVERS in screen
        assert "Not connected." in screen
        assert TWO_SERVERS in terminal.menu("0")


# Permissions


NEEDED = ("user.read", "album.read", "adminUser.read")
FOR_MORE = ("job.read", "job.create", "maintenance", "systemConfig.read")


@pytest.mark.parametrize(
    ("permissions", "missing"),
    [
        ([], NEEDED),
        (["user.read", "adminUser.read"], ["album.read"]),
        (["album.read", "adminUser.read"], ["user.read"]),
        (["album.read"], ["user.read", "adminUser.read"]),
        (["user.read"], ["album.read", "adminUser.read"]),
        (["user.read", "album.read"], ["adminUser.read"]),
        (["user.readAll", "album.read.all", "adminUser.read"], ["user.read", "album.read"]),
    ],
)
def test_all_that_an_administrators_key_lacks_is_named_at_once(
    there: Installation, permissions: list[str], missing: list[str]
) -> None:
    """With what would only be missed later: a key is edited once."""
    with pytest.raises(NotAllowed) as caught:
        check(there, there.immich.key(there.root, [*permissions, "job.read"]))
    assert [name for name in NEEDED if f"{name} (" in caught.value.why] == list(missing)
    assert "Account Settings > API Keys" in caught.value.todo
    assert "job.create, maintenance, systemConfig.read" in caught.value.todo
    assert "job.read" not in caught.value.todo


def test_an_ordinary_users_key_is_asked_for_nothing_that_only_an_administrators_can_do(there: Installation) -> None:
    """Whose it is can only be seen with user.read."""
    for permissions, about_administrators in (["user.read"], False), (["album.read"], True):
        with pytest.raises(NotAllowed) as caught:
            check(there, there.immich.key(there.alice, permissions))
        error = caught.value
        assert ("administrator's key: adminUser.read" in error.why) == about_administrators, permissions
        assert any(name in error.todo for name in FOR_MORE) == about_administrators, permissions


def test_a_lacking_permission_is_said_in_plain_words_on_screen(there: Installation) -> None:
    there.save(api_key=there.immich.key(there.root, ["adminUser.read"]))
    with Terminal(there.path) as terminal:
        shown_there = " ".join(terminal.until("Enter for the menu").split())
    there.save()
    assert "The API key may not see all that is needed." in shown_there
    assert "What is missing: user.read (whose key it is), album.read (the key owner's albums)." in shown_there


def test_the_fewest_permissions_suffice(there: Installation) -> None:
    assert check(there, there.immich.key(there.root, ["user.read", "album.read", "adminUser.read"])).is_admin
    assert not check(there, there.immich.key(there.alice, ["user.read", "album.read"])).is_admin


def test_a_demoted_administrator_is_no_administrator(there: Installation) -> None:
    answer = shown(there, "/api/users/me") | {"isAdmin": "true"}
    there.immich.answer("/api/users/me", 200, answer)
    assert not check(there).is_admin


# The configuration that the check is made with


def test_another_database_of_the_same_server(there: Installation) -> None:
    with pytest.raises(TransferError, match="not Immich's database"):
        transfer.check_server(transfer.open_api(there.immich.url, there.key), {**there.params, "dbname": "postgres"})


def test_the_first_screen_says_what_it_is_connected_to(there: Installation) -> None:
    with Terminal(there.path) as terminal:
        screen = terminal.menu("0")
        assert "Immich 2.7.5 · 127.0.0.1 · root@example.com" in screen
        assert terminal.end()[0] == 0


def test_a_server_that_comes_back_is_found_without_a_restart(there: Installation) -> None:
    there.immich.answer("/api/server/ping", 502, "<html>Bad Gateway</html>", times=1)
    with Terminal(there.path) as terminal:
        assert "Not connected." in terminal.menu("1")
        assert "Alice <alice@example.com>" in terminal.menu("0")
