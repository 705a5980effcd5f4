"""The database user of the README, who may do what the tool does and no more."""

import contextlib
import functools
import re
from pathlib import Path
from typing import Any

import transfer
from tests import postgres
from tests.library import Library

README = Path(transfer.__file__).with_name("README.md").read_text()
PASSWORD = "a password of your own"


def statements(library: Library, role: str) -> list[str]:
    """The README's, for a database and its tables as they are called here."""
    block = README.split("CREATE ROLE transfer ")[1].split("```")[0]
    there = {name for (name,) in library.rows("select relname from pg_class where relkind = 'r'")}
    found = [f"create role {role} {block.split(';')[0]}"]
    for text in block.split(";")[1:-1]:
        rights, things = re.fullmatch(r"\s*GRANT (.+?) ON (.+) TO transfer", text, re.S).groups()
        if things.startswith("DATABASE"):
            things = f"database {library.connection.info.dbname}"
        elif not things.startswith(("SCHEMA", "ALL TABLES")):
            known = [name for name in map(str.strip, things.split(",")) if name.strip('"') in there]
            things = ", ".join(known)
        found += [f"grant {rights} on {things} to {role}"] if things else []
    return found


@functools.cache
def role() -> str:
    """The name of such a user on this server, who has no rights yet."""
    server = postgres.server()
    name = server.unique("readme")
    with contextlib.closing(server.connect(server.maintenance)) as connection, connection.cursor() as cursor:
        cursor.execute(f"create role {name} login password '{PASSWORD}'")
    server.roles.add(name)
    return name


def granted(library: Library) -> dict[str, Any]:
    """The settings of such a user, who has the rights in that database."""
    for grant in statements(library, role())[1:]:
        library.rows(grant)
    return {"user": role(), "password": PASSWORD}
