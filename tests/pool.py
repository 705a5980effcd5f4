"""The databases of this process: made from templates, emptied and used again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from psycopg2.extensions import connection as Connection

from tests import postgres
from tests.library import Library


@dataclass
class Pool:
    """Databases made from the templates, emptied and used again: making one takes longer than most tests.

    Each keeps its connection, since the first statements of a new one take several times as long. A database whose
    tables, functions, triggers or constraints a test has changed is dropped, and so is one used many times, since
    temporary tables leave their traces in the catalogue.
    """

    uses = 10
    spare: dict[str, list[tuple[Connection, list[tuple], int]]] = field(default_factory=dict)

    @contextmanager
    def library(self, version: str) -> Iterator[Library]:
        """An empty library of that version, for the length of a with block."""
        server = postgres.server()
        if self.spare.get(version):
            connection, shape, used = self.spare[version].pop()
        else:
            name, shape, used = server.unique(version.replace(".", "_")), None, 0
            server.create(name, server.template(version))
            connection = server.connect(name)
        name, kept = connection.info.dbname, False
        try:
            library = Library(connection, version)
            shape = shape or self.shape(library)
            yield library
            connection = library.connection  # a test may have made a new one
            library.rows(
                """select pg_terminate_backend(pid, 5000) from pg_stat_activity
                   where datname = current_database() and pid <> pg_backend_pid()"""
            )
            if used < self.uses and connection.autocommit and self.shape(library) == shape:
                found = library.rows(
                    """select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
                       and pg_relation_size(oid) > 0"""
                )
                tables = [f'public."{row[0]}"' for row in found]
                deletes = "; ".join(f"delete from {table}" for table in tables)
                library.rows(f"set session_replication_role = replica; {deletes}")
                library.rows("reset all; discard temp; select pg_advisory_unlock_all()")
                self.spare.setdefault(version, []).append((connection, shape, used + 1))
                kept = True
        finally:
            if not kept:
                connection.close()
                server.drop(name)

    def shape(self, library: Library) -> list[tuple]:
        """What schema public consists of; it differs when anything was added, removed or replaced."""
        return library.rows(
            """
            select 'table', oid::text, '' from pg_class where relnamespace = 'public'::regnamespace
            union all select 'function', oid::text, xmin::text from pg_proc where pronamespace = 'public'::regnamespace
            union all select 'constraint', oid::text, xmin::text from pg_constraint
                where connamespace = 'public'::regnamespace
            union all select 'trigger', t.oid::text, t.xmin::text from pg_trigger t join pg_class c on c.oid = tgrelid
                where relnamespace = 'public'::regnamespace
            order by 1, 2
            """
        )


POOL = Pool()
