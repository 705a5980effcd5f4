"""Would a test notice? One-line changes of transfer.py that would hurt somebody, and the tests that must fail for each.

    python -m tests.mutations                 all of them, one after the other, and who survived
    python -m tests.mutations lock digest     those with one of these words in their name
    python -m tests.mutations --list          only their names
    python -m tests.mutations --why           and, of each, the first test that failed
    python -m tests.mutations --check         before that, the named tests on transfer.py as it is

A change that no test notices is a test that is missing. The changes are made to a copy of the project in a temporary
folder. All runs share one database server: the one of IMMICH_TRANSFER_TEST_DSN, else one that is started for them.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import make_dsn

from tests import postgres

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE = 600  # seconds for the tests of one change

# What is not copied: nothing of it is needed, and some of it is private.
LEFT_OUT = (".git", ".venv", ".*_cache", "__pycache__", ".hypothesis", ".config-*", "config.py", "transfers")

# Signs that a change is no change of behaviour but nonsense, which every test would notice.
NONSENSE = re.compile(
    r"psycopg2\.errors\.(SyntaxError|Undefined\w+|Ambiguous\w+|DatatypeMismatch|GroupingError)"
    r"|\b(NameError|SyntaxError|IndentationError|UnboundLocalError)\b"
)


@dataclass(frozen=True)
class Mutation:
    """One change: `old`, which is in transfer.py once, becomes `new`. `tests` are arguments of pytest."""

    name: str
    old: str
    new: str
    tests: str


# ---- the table ------------------------------------------------------------------------------------------------------

MUTATIONS = (
    # -- who is who
    Mutation(
        "Enter merges people whose names are only alike",
        """names differ in accents only", address, "n")""",
        """names differ in accents only", address, "y")""",
        "tests/test_merging.py -k only_alike",
    ),
    Mutation(
        "one of two who are alike is taken",
        """= theirs.folded AND theirs.folded <> '' AND theirs.count = 1""",
        """= theirs.folded AND theirs.folded <> ''""",
        "tests/test_merging.py -k only_alike",
    ),
    Mutation(
        "the former owner's own comments are counted as those of others",
        'AND c."userId" <> %(giver)s AND NOT {liked',
        "AND NOT {liked",
        "tests/test_hand_over.py -k what_others_said",
    ),
    # -- what is chosen
    Mutation(
        "photos of others in the album are chosen too",
        'WHERE a."ownerId" = %(giver)s {conditions}',
        "WHERE true {conditions}",
        "tests/test_choosing.py -k others_put_into",
    ),
    Mutation(
        "one condition is enough",
        '"".join(f" AND {CONDITIONS[asked].photo}" for asked in named)',
        '" AND (" * bool(named) + " OR ".join(CONDITIONS[a].photo for a in named) + ")" * bool(named)',
        "tests/test_conditions.py -k independent",
    ),
    Mutation(
        "a hidden face chooses a photo",
        """%(people)s::uuid[])\n                AND f."deletedAt" IS NULL AND f."isVisible")""",
        """%(people)s::uuid[])\n                AND f."deletedAt" IS NULL)""",
        "tests/test_conditions.py -k faces",
    ),
    Mutation(
        "the last day is left out",
        "<= %(until)s::date",
        "< %(until)s::date",
        "tests/test_conditions.py -k local_days",
    ),
    Mutation(
        "a photo that was left out goes",
        "CASE WHEN o.id IS NOT NULL THEN 'left_out' END",
        "NULL",
        "tests/test_conditions.py -k left_out",
    ),
    Mutation(
        "a tag of somebody else's chooses photos",
        """WHERE t.id = %(tag)s AND t."userId" = %(giver)s""",
        """WHERE t.id = %(tag)s""",
        "tests/test_tag_selection.py -k somebody_elses",
    ),
    Mutation(
        "everything is the photos of everybody",
        'WHERE a."ownerId" = %(giver)s {conditions}',
        'WHERE (%(everything)s OR a."ownerId" = %(giver)s) {conditions}',
        "tests/test_everything.py -k all_that_may_go",
    ),
    Mutation(
        "everything is the albums of everybody",
        """AND al."deletedAt" IS NULL\n        WHERE o."userId" = %(giver)s""",
        """AND al."deletedAt" IS NULL""",
        "tests/test_everything.py -k all_that_may_go",
    ),
    Mutation(
        "a photo that is being deleted moves",
        "WHEN a.status = 'deleted' AND l.id IS NULL THEN 'deleting'",
        "WHEN false THEN 'deleting'",
        "tests/test_choosing.py -k may_not_move",
    ),
    Mutation(
        "a photo of an external library moves",
        """AND e."ownerId" IS DISTINCT FROM %(taker)s THEN 'external'""",
        """AND false THEN 'external'""",
        "tests/test_choosing.py -k may_not_move",
    ),
    Mutation(
        "a photo in the trash moves",
        "OR a.status = 'trashed') AND NOT c.trashed THEN",
        "OR a.status = 'trashed') AND false THEN",
        "tests/test_choosing.py -k may_not_move",
    ),
    Mutation(
        "a photo in the locked folder moves",
        "WHEN a.visibility = 'locked' AND NOT c.locked THEN",
        "WHEN false THEN",
        "tests/test_choosing.py -k may_not_move",
    ),
    Mutation(
        "a photo whose file is being moved changes hands",
        """h."entityId" = a.id) THEN 'unfinished'
                --""",
        """false) THEN 'unfinished'
                --""",
        "tests/test_choosing.py -k may_not_move",
    ),
    # -- external libraries
    Mutation(
        "all libraries go although one was asked for",
        "INSERT INTO changing_library SELECT unnest(%(libraries)s::uuid[]); ANALYZE",
        """INSERT INTO changing_library SELECT id FROM v_library WHERE \\"ownerId\\" = %(giver)s; ANALYZE""",
        "tests/test_libraries.py -k only_the_libraries_that_were_asked_for",
    ),
    Mutation(
        "a library with photos of others is handed over",
        """        if library.others:
            raise mixed_library(library)""",
        """        if False:
            raise mixed_library(library)""",
        "tests/test_libraries.py -k photos_of_others_is_refused",
    ),
    Mutation(
        "a library that is not the source's is handed over",
        """if there != len(tx.values["libraries"]):""",
        """if False:""",
        "tests/test_libraries.py -k not_the_sources",
    ),
    Mutation(
        "the locked folder of a library stays",
        "UPDATE candidate SET trashed = true, locked = true",
        "UPDATE candidate SET trashed = true",
        "tests/test_libraries.py -k goes_with_all_that_is_in_it",
    ),
    Mutation(
        "the trash of a library stays",
        "UPDATE candidate SET trashed = true, locked = true",
        "UPDATE candidate SET locked = true",
        "tests/test_libraries.py -k goes_with_all_that_is_in_it",
    ),
    Mutation(
        "the other half of a library's live photo stays in the trash",
        """        WHERE unit IN (
            SELECT c.unit FROM candidate c""",
        """        WHERE id IN (
            SELECT c.id FROM candidate c""",
        "tests/test_libraries.py -k half_outside",
    ),
    Mutation(
        "what is being deleted stops a library",
        "WHEN a.status = 'deleted' AND l.id IS NULL THEN 'deleting'",
        "WHEN a.status = 'deleted' THEN 'deleting'",
        "tests/test_libraries.py -k goes_with_all_that_is_in_it",
    ),
    Mutation(
        "an upload of the same file stops a library",
        """
                AND a."libraryId" IS NULL;
""",
        ";\n",
        "tests/test_libraries.py -k goes_with_all_that_is_in_it",
    ),
    Mutation(
        "a library goes without a photo that must stay",
        "WHERE v.reason IS NOT NULL GROUP BY l.name, v.reason",
        "WHERE false GROUP BY l.name, v.reason",
        "tests/test_libraries.py -k unfinished_file_move",
    ),
    Mutation(
        "the photos of a library go without it",
        """change(tx, "library", ("ownerId",), 'SELECT id, %(taker)s::uuid AS "ownerId" FROM changing_library')""",
        "pass",
        "tests/test_libraries.py -k goes_with_all_that_is_in_it",
    ),
    Mutation(
        "a photo of a library that is being deleted is said to stay for another reason",
        """WHEN e."deletedAt" IS NOT NULL THEN 'deleting'""",
        """WHEN false THEN 'deleting'""",
        "tests/test_libraries.py -k immich_is_deleting",
    ),
    Mutation(
        "a scan adds to a library while it changes hands",
        "ORDER BY id FOR UPDATE OF v_library",
        "ORDER BY id FOR KEY SHARE OF v_library",
        "tests/test_libraries.py -k scan",
    ),
    Mutation(
        "a moved photo in another's library passes the checks",
        "SELECT id FROM run_photo\n                    UNION SELECT a.id",
        "SELECT id FROM run_photo WHERE false\n                    UNION SELECT a.id",
        "tests/test_libraries.py -k one_owner_or_all",
    ),
    Mutation(
        "what a scan adds for the old owner after the commit is not told",
        """UNION SELECT a.id FROM v_asset a JOIN changing_library c ON c.id = a."libraryId\"""",
        "UNION SELECT a.id FROM v_asset a JOIN changing_library c ON false",
        "tests/test_libraries.py -k after_the_commit",
    ),
    Mutation(
        "a library that was not asked for may be written",
        'THEN l."writtenBy" = pg_current_xact_id()::xid\n                ELSE',
        "THEN false\n                ELSE",
        "tests/test_libraries.py -k one_owner_or_all",
    ),
    Mutation(
        "an empty library need not change hands",
        """ELSE l."ownerId" <> %(taker)s END""",
        """ELSE false END""",
        "tests/test_libraries.py -k one_owner_or_all",
    ),
    Mutation(
        "libraries are not in the digest of a transfer",
        """FROM changing_library),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM run_photo)""",
        """FROM changing_library WHERE false),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM run_photo)""",
        "tests/test_libraries.py -k not_shown",
    ),
    Mutation(
        "libraries are not in the digest of an undo",
        """FROM back),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_library)""",
        """FROM back),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_library WHERE false)""",
        "tests/test_libraries.py -k digest_of_an_undo",
    ),
    Mutation(
        "undo: what a scan found since does not go back with its library",
        """WHERE a."ownerId" = %(giver)s ON CONFLICT DO NOTHING""",
        """WHERE false ON CONFLICT DO NOTHING""",
        "tests/test_libraries.py -k found_since",
    ),
    Mutation(
        "undo: a library goes back in part",
        "while drop_torn_libraries(tx):",
        "while False:",
        "tests/test_libraries.py -k stays_whole",
    ),
    Mutation(
        "undo: what a library that stays keeps from going back is not asked again",
        "while drop_torn_libraries(tx):",
        "if drop_torn_libraries(tx):",
        "tests/test_libraries.py -k stacked_with_a_photo_that_stays",
    ),
    Mutation(
        "undo: a photo that is the former owner's already keeps the library",
        """WHERE a."ownerId" <> %(taker)s AND (v.id IS NULL OR""",
        """WHERE (v.id IS NULL OR""",
        "tests/test_libraries.py -k wrote_for_the_old_owner",
    ),
    Mutation(
        "undo: a library goes back although a photo in it is a third user's",
        "(v.id IS NULL OR v.reason IS NOT NULL) GROUP BY",
        "v.reason IS NOT NULL GROUP BY",
        "tests/test_libraries.py -k stays_whole",
    ),
    Mutation(
        "undo: a library that was handed on is taken from its owner",
        """WHERE l."deletedAt" IS NOT NULL OR l."ownerId" <> %(giver)s;""",
        """WHERE l."deletedAt" IS NOT NULL;""",
        "tests/test_libraries.py -k stays_whole",
    ),
    Mutation(
        "undo: a library that is being deleted goes back",
        """WHERE l."deletedAt" IS NOT NULL OR l."ownerId" <> %(giver)s;""",
        """WHERE l."ownerId" <> %(giver)s;""",
        "tests/test_libraries.py -k stays_whole",
    ),
    Mutation(
        "undo: photos that were not of the run are said to stay",
        "AND r.id NOT IN (SELECT id FROM past_owner)",
        "AND false",
        "tests/test_libraries.py -k stays_whole",
    ),
    Mutation(
        "undo: a library that is gone is not named",
        '("library", ("name",), "SELECT l.id',
        '("library", ("name",), "SELECT * FROM v_library WHERE false" or "SELECT l.id',
        "tests/test_libraries.py -k gone_is_named",
    ),
    Mutation(
        "a photo of an external library stops its copy",
        """LEFT JOIN v_asset b
            ON b."ownerId" = %(taker)s AND b.checksum = a.checksum AND b."libraryId" IS NULL""",
        """LEFT JOIN v_asset b
            ON b."ownerId" = %(taker)s AND b.checksum = a.checksum""",
        "tests/test_choosing.py -k may_not_move",
    ),
    Mutation(
        "half of a live photo stays",
        "WHERE verdict.unit = stopped.unit AND verdict.reason IS NULL",
        "WHERE false AND verdict.unit = stopped.unit",
        "tests/test_live_photos.py -k blocked",
    ),
    Mutation(
        "photos nobody chose come along from a split stack",
        """WHERE unit IN (SELECT unit FROM verdict JOIN torn USING ("stackId") WHERE origin = 'stack')""",
        """WHERE false""",
        "tests/test_stacks.py -k whatever_blocks",
    ),
    # -- who comes along, who stays
    Mutation(
        "whose a photo is, is not asked again after the lock",
        """JOIN v_asset a ON a.id = c.id AND a."ownerId" = %(giver)s\n""",
        """JOIN v_asset a ON a.id = c.id\n""",
        "tests/test_meanwhile.py -k given_to_somebody_else",
    ),
    Mutation(
        "a photo that the destination has is not seen",
        "WHEN b.id IS NULL THEN CASE",
        "WHEN true THEN CASE",
        "tests/test_choosing.py -k may_not_move",
    ),
    Mutation(
        "the video of a live photo stays behind",
        """\
SELECT unit AS id FROM candidate
        UNION SELECT a.id FROM candidate c JOIN v_asset a ON a."livePhotoVideoId" = c.unit""",
        "SELECT unit AS id FROM candidate WHERE false",
        "tests/test_live_photos.py -k either_part",
    ),
    Mutation(
        "the rest of a stack stays behind",
        'WHERE a."stackId" IN (SELECT "stackId" FROM candidate)',
        "WHERE false",
        "tests/test_stacks.py -k come_along",
    ),
    Mutation(
        "a torn stack gets another photo on top",
        'ORDER BY a.id = s."primaryAssetId" DESC, taken, a."ownerId" = s."ownerId" DESC,',
        'ORDER BY taken, a."ownerId" = s."ownerId" DESC,',
        "tests/test_stacks.py -k blocked_member",
    ),
    Mutation(
        "a stack gets a photo on top that another one shows",
        "m.place = 1 AND NOT taken),",
        "m.place = 1),",
        "tests/test_stacks.py -k only_member_another",
    ),
    Mutation(
        "what stays of a stack keeps a photo on top that has left",
        'AND f.remaining > 1 AND s."primaryAssetId" <> m.id',
        "AND f.remaining > 1 AND false",
        "tests/test_stacks.py -k blocked_member",
    ),
    # -- people
    Mutation(
        "a person the destination has already is made again",
        "WHEN kept THEN 'KEEP'",
        "WHEN false THEN 'KEEP'",
        "tests/test_people.py -k destinations_own_people",
    ),
    Mutation(
        "a deleted face makes a person",
        "WHEN faces = 0 THEN 'UNLINK'",
        "WHEN false THEN 'UNLINK'",
        "tests/test_people.py -k 'becomes and makes'",
    ),
    Mutation(
        "people are merged unasked",
        "AND (remembered OR grp::text = ANY (%(merge)s::text[])) THEN 'MERGE'",
        "THEN 'MERGE'",
        "tests/test_merging.py -k when_not_agreed",
    ),
    Mutation(
        "a person who also stays is given away",
        "WHEN staying = 0 AND {GIVEN_PERSON} THEN 'TRANSFER'",
        "WHEN {GIVEN_PERSON} THEN 'TRANSFER'",
        "tests/test_people.py -k 'becomes or second_time'",
    ),
    Mutation(
        "a third user's person is given away",
        """    holder IN (SELECT id FROM giving)\n""",
        """    true\n""",
        "tests/test_people.py -k third_users_person",
    ),
    Mutation(
        "who is to have both halves of a live photo loses the own one",
        "request = torn.requests[answer - 1]",
        "request = torn.requests[2 - answer]",
        "tests/test_repair_screen.py -k two_owners",
    ),
    Mutation(
        "kinds that are left out are only left out of the analysis",
        "repair_all(state.config.database, merges, how, wish.leave)",
        "repair_all(state.config.database, merges, how, wish.leave if how.dry_run else frozenset())",
        "tests/test_repair_screen.py -k left_out",
    ),
    Mutation(
        "all users are the first one",
        "wish.mend = users if number == len(users) else [users[number]]",
        "wish.mend = users[:1] if number == len(users) else [users[number]]",
        "tests/test_repair_screen.py -k all_users",
    ),
    Mutation(
        "phones of whose memory a repair mends go on",
        "UNION SELECT owner FROM trouble_before WHERE %(giver)s::uuid IS NULL",
        "",
        "tests/test_mending.py -k whose_memory",
    ),
    Mutation(
        "a photo in the trash becomes the cover",
        """WHERE aa."albumId" = f.thing AND a."deletedAt" IS NULL""",
        """WHERE aa."albumId" = f.thing""",
        "tests/test_mending.py -k becomes_the_cover",
    ),
    Mutation(
        "a repair takes a partner's photos out of memories and links",
        "if kind in HOLDERS:\n            stays =",
        "if kind in kinds:\n            continue\n        elif kind in HOLDERS:\n            stays =",
        "tests/test_mending.py -k partner",
    ),
    Mutation(
        "a repair mends kinds that were left out",
        "elif kind in kinds or (kind",
        "elif kind or (kind",
        "tests/test_mending.py -k left_out",
    ),
    Mutation(
        "a repair leaves stacks that hold nothing",
        'remove(tx, "stack", """\n        SELECT DISTINCT thing AS id FROM found\n        WHERE kind',
        'remove(tx, "stack", """\n        SELECT DISTINCT thing AS id FROM found\n        WHERE false AND kind',
        "tests/test_mending.py -k mended_once",
    ),
    Mutation(
        "a repair of several users is not what was shown",
        "if how.expected_digest not in (None, digest):\n            raise changed_meanwhile()",
        "if False:\n            raise changed_meanwhile()",
        "tests/test_mending.py -k changes_meanwhile",
    ),
    Mutation(
        "an undo file of a repair that failed stays",
        "for path in saved:\n                name_file(path, committed=False)\n            raise\n        return saved",
        "raise\n        return saved",
        "tests/test_mending.py -k full_disk",
    ),
    Mutation(
        "the tag that took another's place counts as taken since, in a repair",
        '"tagger": destination if is_repair else source,',
        '"tagger": source,',
        "tests/test_mending.py -k mended_once",
    ),
    Mutation(
        "a stack gets a primary back that belongs to somebody else since",
        """exempt("primary")} AND NOT {_WAS_MEMBER})))\n""",
        """exempt("primary")})))\n""",
        "tests/test_mending.py -k in_part",
    ),
    Mutation(
        "a picture comes back although its face was deleted since",
        """p."faceAssetId", {_UNSEEN})\"""",
        """p."faceAssetId")\"""",
        "tests/test_mending.py -k face_is_gone",
    ),
    Mutation(
        "a person goes back into a cluster group that its user left",
        """AND u."clusterGroupId" <> g."clusterGroupId" AND NOT {exempt("person")})""",
        "AND false)",
        "tests/test_mending.py -k cluster_group_that",
    ),
    Mutation(
        "groups of duplicates of two users stay",
        '("Duplicate groups", step_shared_groups),\n',
        "",
        "tests/test_mending.py -k mended_once",
    ),
    Mutation(
        "a repair takes people within a cluster group",
        "AND NOT EXISTS (SELECT FROM spared s WHERE",
        "AND NOT EXISTS (SELECT FROM spared s WHERE false AND",
        "tests/test_cluster_groups.py -k repair_gives_the_owner",
    ),
    Mutation(
        "a merged person's row stays, nameless faces and all",
        "WHEN faces > 0 AND staying = 0 AND holder <> %(taker)s AND {GIVEN_PERSON} THEN holder",
        "WHEN false THEN holder",
        "tests/test_merging.py -k emptied_person_goes",
    ),
    Mutation(
        "deleted faces count as faces",
        "count(*) FILTER (WHERE NOT f.deleted) AS faces",
        "count(*) AS faces",
        "tests/test_people.py -k 'becomes and makes'",
    ),
    Mutation(
        "a deleted face that stays keeps a person who has left",
        'AND (a."ownerId" = p.leaver',
        "AND (false",
        "tests/test_cluster_groups.py -k deleted_face",
    ),
    Mutation(
        "a deleted face of a third user keeps a person who is no more",
        "OR (p.leaver IS NOT NULL AND p.sole AND NOT p.same_cluster)",
        "OR false",
        "tests/test_people.py -k 'becomes and deleted'",
    ),
    Mutation(
        "people of different birth dates are merged",
        'OR coalesce(people."birthDate" <> theirs."birthDate", false) THEN NULL',
        "THEN NULL",
        "tests/test_merging.py -k in_doubt",
    ),
    Mutation(
        "hidden people are merged with others",
        'OR theirs.count > 1 OR people."isHidden" <> theirs."isHidden"',
        "OR theirs.count > 1",
        "tests/test_merging.py -k in_doubt",
    ),
    Mutation(
        "of two namesakes one is taken",
        "WHEN ours.count > 1 OR theirs.count > 1 OR people",
        "WHEN ours.count > 1 OR people",
        "tests/test_merging.py -k in_doubt",
    ),
    Mutation(
        "a featured photo may be somebody else's",
        """(f."personGroupId" = p."personGroupId" AND a."ownerId" = p."ownerId" AND""",
        """(f."personGroupId" = p."personGroupId" AND""",
        "tests/test_featured.py -k somebody_elses_photo",
    ),
    Mutation(
        "a featured face may be hidden",
        """\
AND f."deletedAt" IS NULL
                AND f."isVisible")""",
        """\
AND f."deletedAt" IS NULL)""",
        "tests/test_featured.py -k no_face_can_be_shown",
    ),
    Mutation(
        "a featured face may be deleted",
        """\
AND f."deletedAt" IS NULL
                AND f."isVisible")""",
        """\
AND f."isVisible")""",
        "tests/test_featured.py -k a_deleted_face_is_not_featured",
    ),
    Mutation(
        "the smallest face is featured",
        '* (f."boundingBoxY2" - f."boundingBoxY1") DESC',
        '* (f."boundingBoxY2" - f."boundingBoxY1")',
        "tests/test_featured.py -k largest_face",
    ),
    Mutation(
        "a photo in the trash is featured first",
        """a."deletedAt" IS NULL AND a.visibility <> 'locked'""",
        "true",
        "tests/test_featured.py -k many_in_the_trash",
    ),
    # -- tags, memories, links, duplicates
    Mutation(
        "the destination's own memories lose their photos",
        'WHERE o."{owner}" <> %(taker)s AND NOT',
        "WHERE NOT",
        "tests/test_memories_links.py tests/test_tags.py -k destinations_own",
    ),
    Mutation(
        "the destination's photos get somebody else's tag",
        'mine."userId" = %(taker)s AND mine.value = named.value',
        "mine.value = named.value",
        "tests/test_tags.py -k nested_tag",
    ),
    Mutation(
        "a tag is not found by search",
        """WHERE w.is_new OR above.id = w.id\n""",
        """WHERE w.is_new\n""",
        "tests/test_tags.py -k lacks_its_closure",
    ),
    Mutation(
        "a new tag is not found under those above it",
        """\
ON above.value = w.value OR starts_with(w.value, above.value || '/')
        WHERE w.is_new""",
        """\
ON above.value = w.value
        WHERE w.is_new""",
        "tests/test_tags.py -k nested_tag",
    ),
    Mutation(
        "a memory goes although photos are left in it",
        'WHERE NOT EXISTS (SELECT FROM v_memory_asset ma WHERE ma."memoriesId" = l."memoriesId")',
        "",
        "tests/test_memories_links.py -k photos_that_stay",
    ),
    Mutation(
        "a third user's link is given to the destination",
        'l."userId" = coalesce(%(giver)s::uuid, l."userId") AND l.type = \'INDIVIDUAL\' AND NOT EXISTS (',
        "l.type = 'INDIVIDUAL' AND NOT EXISTS (",
        "tests/test_memories_links.py -k third_users",
    ),
    Mutation(
        "a link with photos that stay goes along",
        """WHERE o."sharedLinkId" = l.id AND a."ownerId" <> %(taker)s\n""",
        """WHERE false AND o."sharedLinkId" = l.id\n""",
        "tests/test_memories_links.py -k with_photos_that_stay",
    ),
    Mutation(
        "moved photos stay in their group of duplicates",
        """SELECT id, NULL::uuid AS "duplicateId" FROM duplicate_losing\n""",
        """SELECT id, NULL::uuid AS "duplicateId" FROM duplicate_losing WHERE false\n""",
        "tests/test_duplicate_groups.py -k leave_their_group",
    ),
    Mutation(
        "a lone photo stays a group of duplicates",
        'FILTER (WHERE a."deletedAt" IS NULL) <= 1',
        'FILTER (WHERE a."deletedAt" IS NULL) <= 0',
        "tests/test_duplicate_groups.py -k left_alone_leaves",
    ),
    Mutation(
        "duplicates are not looked for again",
        'WHERE j."duplicatesDetectedAt" IS NOT NULL',
        "WHERE false",
        "tests/test_duplicate_groups.py -k leave_their_group",
    ),
    # -- albums
    Mutation(
        "copies from the locked folder join an album",
        "b.\"deletedAt\" IS NULL AND b.visibility IN ('timeline', 'archive')",
        'b."deletedAt" IS NULL',
        "tests/test_hand_over.py -k destinations_copy_joins",
    ),
    Mutation(
        "copies join for what the source had thrown away",
        'JOIN v_asset a ON a.id = l.id AND a."deletedAt" IS NULL',
        "JOIN v_asset a ON a.id = l.id",
        "tests/test_everything.py -k had_thrown_away",
    ),
    Mutation(
        "an album that is not the source's is handed over",
        'WHERE o."userId" = %(giver)s AND %(album_owner)s',
        "WHERE %(album_owner)s",
        "tests/test_hand_over.py -k not_the_sources_any_more",
    ),
    Mutation(
        "the next owner comes before the former has been demoted",
        """\
        demote_owners(tx)
        add(tx, "album_user", ("albumId", "userId", "role"),
            "SELECT id, %(taker)s::uuid, 'owner' FROM changing_album")
""",
        """\
        add(tx, "album_user", ("albumId", "userId", "role"),
            "SELECT id, %(taker)s::uuid, 'owner' FROM changing_album")
        demote_owners(tx)
""",
        "tests/test_hand_over.py -k four_choices",
    ),
    Mutation(
        "a member who becomes the owner stays a member",
        '''        WHERE u."userId" = %(taker)s
    """)''',
        '''        WHERE false
    """)''',
        "tests/test_hand_over.py -k four_choices",
    ),
    Mutation(
        "who gives up an album stays in it",
        '''            WHERE u."userId" = %(giver)s
        """)''',
        '''            WHERE false
        """)''',
        "tests/test_hand_over.py -k four_choices",
    ),
    Mutation(
        "links to an album stay the former owner's",
        'JOIN changing_album c ON c.id = l."albumId" WHERE l."userId" = %(giver)s',
        'JOIN changing_album c ON c.id = l."albumId" WHERE false',
        "tests/test_hand_over.py -k four_choices",
    ),
    # -- storage figures, phones
    Mutation(
        "libraries' photos count for the quota",
        'ON e."assetId" = a.id AND a."libraryId" IS NULL"""',
        'ON e."assetId" = a.id"""',
        "tests/test_libraries.py -k goes_with_all",
    ),
    Mutation(
        "phones of partners are not reset",
        'UNION SELECT "sharedWithId" FROM v_partner WHERE "sharedById" IN (SELECT id FROM pair)',
        "",
        "tests/test_phones.py -k both_users",
    ),
    Mutation(
        "phones of those whose partner it is are not reset",
        'UNION SELECT "sharedById" FROM v_partner WHERE "sharedWithId" IN (SELECT id FROM pair)',
        "",
        "tests/test_phones.py -k both_users",
    ),
    Mutation(
        "phones of members are not reset",
        'UNION SELECT "userId" FROM v_album_user WHERE "albumId" IN (SELECT id FROM concerned_album)',
        "",
        "tests/test_phones.py -k both_users",
    ),
    Mutation(
        "phones of those who lose a picture are not reset",
        """UNION SELECT (key ->> 'ownerId')::uuid FROM journal WHERE "table" = 'person'\n""",
        """UNION SELECT NULL FROM journal WHERE "table" = 'person'\n""",
        "tests/test_phones.py tests/test_featured.py -k third_user_whose_picture",
    ),
    # -- locks
    Mutation(
        "photos are not locked",
        "JOIN candidate USING (id) ORDER BY a.id FOR NO KEY UPDATE OF a",
        "JOIN candidate USING (id) ORDER BY a.id",
        "tests/test_meanwhile.py -k 'looked_at and photo'",
    ),
    Mutation(
        "who adds a file or a face to a photo waits",
        "JOIN candidate USING (id) ORDER BY a.id FOR NO KEY UPDATE OF a",
        "JOIN candidate USING (id) ORDER BY a.id FOR UPDATE OF a",
        "tests/test_meanwhile.py -k 'nobody_waits and file'",
    ),
    Mutation(
        "a run is blamed for what others add",
        'f"{new_trouble(kind, query)} AND NOT {BY_OTHERS_SINCE}"',
        "new_trouble(kind, query)",
        "tests/test_meanwhile.py -k 'nobody_waits and Checking'",
    ),
    Mutation(
        "what this run itself wrote is put down to others",
        "breach.written <> pg_current_xact_id()::xid",
        "true",
        "tests/test_invariants.py -k 'violation and source and tag'",
    ),
    Mutation(
        "the locks of faces are missing",
        '"ORDER BY f.id FOR NO KEY UPDATE OF f"',
        '"ORDER BY f.id"',
        "tests/test_meanwhile.py -k 'looked_at and face'",
    ),
    Mutation(
        "the locks of people are missing",
        'ORDER BY p."personGroupId", p."ownerId" FOR NO KEY UPDATE OF p\n',
        'ORDER BY p."personGroupId", p."ownerId"\n',
        "tests/test_meanwhile.py -k 'looked_at and person'",
    ),
    Mutation(
        "the locks of albums that change hands are missing",
        "JOIN changing_album USING (id) ORDER BY id FOR NO KEY UPDATE",
        "JOIN changing_album USING (id) ORDER BY id",
        "tests/test_meanwhile.py -k 'changes_hands and album'",
    ),
    Mutation(
        "the locks of their members are missing",
        'ORDER BY u."albumId", u."userId" FOR NO KEY UPDATE OF u',
        'ORDER BY u."albumId", u."userId"',
        "tests/test_meanwhile.py -k 'changes_hands and member'",
    ),
    Mutation(
        "the locks of neighbours are missing",
        "(SELECT id FROM neighbour) FOR KEY SHARE",
        "(SELECT id FROM neighbour)",
        "tests/test_meanwhile.py -k 'photos_around and duplicates'",
    ),
    Mutation(
        "a neighbour with a deleted face is none",
        'WHERE s.deleted > 0 AND f."deletedAt" IS NOT NULL\n',
        "WHERE false\n",
        "tests/test_meanwhile.py -k 'photos_around and deleted'",
    ),
    Mutation(
        "two runs at once",
        """_xact_lock(%s)", (ADVISORY_LOCK,))
            if not cursor.fetchone()[0]:""",
        """_xact_lock(%s)", (ADVISORY_LOCK,))
            if not cursor.fetchone():""",
        "tests/test_meanwhile.py -k second_run",
    ),
    # -- what was shown
    Mutation(
        "the digest does not know the photos",
        """\
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM run_photo),
            (SELECT string_agg(id::text || reason, ',' ORDER BY id) FROM staying_photo),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_album),
            (SELECT string_agg(
""",
        """\
            (SELECT string_agg(id::text || reason, ',' ORDER BY id) FROM staying_photo),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_album),
            (SELECT string_agg(
""",
        "tests/test_meanwhile.py -k 'what_was_shown and add_photo'",
    ),
    Mutation(
        "the digest does not know why photos stay",
        """\
            (SELECT string_agg(id::text || reason, ',' ORDER BY id) FROM staying_photo),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_album),
            (SELECT string_agg(
""",
        """\
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM staying_photo),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_album),
            (SELECT string_agg(
""",
        "tests/test_meanwhile.py -k 'what_was_shown and lock_photo'",
    ),
    Mutation(
        "the digest does not know the albums",
        """\
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_album),
            (SELECT string_agg(
""",
        """            (SELECT string_agg(\n""",
        "tests/test_meanwhile.py -k handed_over_unshown",
    ),
    Mutation(
        "the digest does not know what becomes of people",
        "concat_ws(' ', grp, action, CASE WHEN",
        "concat_ws(' ', grp, CASE WHEN",
        "tests/test_meanwhile.py -k 'what_was_shown and elsewhere'",
    ),
    Mutation(
        "the digest does not know into whom people are merged",
        "CASE WHEN action = 'MERGE' THEN target END), ',' ORDER BY grp)",
        "CASE WHEN action = 'MERGE' THEN grp END), ',' ORDER BY grp)",
        "tests/test_meanwhile.py -k 'what_was_shown and another_namesake'",
    ),
    Mutation(
        "the digest is not asked",
        "if expected not in (None, plan_digest(tx)):",
        "if False:",
        "tests/test_meanwhile.py -k 'what_was_shown and trash_photo'",
    ),
    Mutation(
        "the digest of an undo does not know why photos stay",
        """\
            (SELECT string_agg(id::text || reason, ',' ORDER BY id) FROM staying_photo),
            (SELECT string_agg(step""",
        """\
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM staying_photo),
            (SELECT string_agg(step""",
        "tests/test_undo.py -k 'taken_back_or and into_a_library'",
    ),
    Mutation(
        "the digest of an undo does not know what goes back",
        """            (SELECT string_agg(step || kind, ',' ORDER BY step, kind) FROM back),\n""",
        "",
        "tests/test_undo.py -k 'taken_back_or and delete_link'",
    ),
    Mutation(
        "the digest of an undo does not know the albums",
        """\
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_album),
            (SELECT string_agg(concat_ws""",
        "            (SELECT string_agg(concat_ws",
        "tests/test_undo.py -k somebody_elses_since_it_was_shown",
    ),
    Mutation(
        "the digest of an undo does not know what becomes of people",
        "(SELECT string_agg(concat_ws(' ', grp, action), ',' ORDER BY grp) FROM people)), 'UTF8')",
        "(SELECT string_agg(grp::text, ',' ORDER BY grp) FROM people)), 'UTF8')",
        "tests/test_undo.py -k 'taken_back_or and recognise_again'",
    ),
    Mutation(
        "the digest of an undo is not asked",
        "if how.expected_digest not in (None, undo_digest(tx)):",
        "if False:",
        "tests/test_undo.py -k no_longer_what_was_shown",
    ),
    # -- the checks
    Mutation(
        "a partner's photo in a memory counts as wrong",
        """p."sharedById" = a."ownerId" AND p."sharedWithId" = {owner}""",
        "false",
        "tests/test_faults.py -k partners",
    ),
    Mutation(
        "a picture that Immich has chosen among people whom several know counts as wrong",
        """k."personGroupId" = f."personGroupId" AND k."ownerId" = a."ownerId\"""",
        "false",
        "tests/test_faults.py -k two_users_know",
    ),
    Mutation(
        "the check of faces is missing",
        'f."personGroupId" IS NOT NULL AND NOT EXISTS (\n                SELECT FROM v_person p\n',
        "false AND NOT EXISTS (\n                SELECT FROM v_person p\n",
        "tests/test_invariants.py -k 'violation and moved and face'",
    ),
    Mutation(
        "the check of featured photos is missing",
        'f"{SHOWS} IS NOT TRUE"',
        '"false"',
        "tests/test_invariants.py -k 'violation and person and shows'",
    ),
    Mutation(
        "the check of live photos misses the still",
        '("JOIN run_photo m ON m.id = s.id", "true")',
        '("JOIN run_photo m ON m.id = s.id", "false")',
        "tests/test_invariants.py -k 'violation and gets and video'",
    ),
    Mutation(
        "the check of live photos misses the video",
        '"s.id NOT IN (SELECT id FROM run_photo)"',
        '"false"',
        "tests/test_invariants.py -k 'violation and gets and video'",
    ),
    Mutation(
        "the check of stacks' members is missing",
        'ON a."stackId" = s.id\',\n            \'a."ownerId" <> s."ownerId"\'',
        'ON a."stackId" = s.id\',\n            "false"',
        "tests/test_invariants.py -k 'violation and stack'",
    ),
    Mutation(
        "the check of stacks' tops is missing",
        'OR a."stackId" IS DISTINCT FROM s.id)',
        "OR false)",
        "tests/test_invariants.py -k 'violation and stack'",
    ),
    Mutation(
        "the check of each tag is missing",
        'rules={"tag": held(*_tags)}',
        'rules={"tag": replace(held(*_tags), touched=())}',
        "tests/test_invariants.py -k 'violation and source and tag'",
    ),
    Mutation(
        "the check of each memory is missing",
        'rules={"memory": held(*_memories)}',
        'rules={"memory": replace(held(*_memories), touched=())}',
        "tests/test_invariants.py -k 'violation and source and memory'",
    ),
    Mutation(
        "the check of each link is missing",
        "        *held(*_links).touched,\n",
        "",
        "tests/test_invariants.py -k 'violation and source and link'",
    ),
    Mutation(
        "the check of who owns what may be written is missing",
        'EXCEPT SELECT n.id FROM neighbour n JOIN v_asset a USING (id, "ownerId")',
        "EXCEPT SELECT id FROM v_asset",
        "tests/test_invariants.py -k 'step_may_not'",
    ),
    Mutation(
        "the check that a neighbour keeps its owner is missing",
        'neighbour n JOIN v_asset a USING (id, "ownerId")',
        "neighbour n JOIN v_asset a USING (id)",
        "tests/test_invariants.py -k 'step_may_not'",
    ),
    Mutation(
        "the check that photos have moved is missing",
        """JOIN run_photo USING (id) WHERE a."ownerId" <> %(taker)s\n""",
        """JOIN run_photo USING (id) WHERE false\n""",
        "tests/test_invariants.py -k 'violation and nothing and hangs'",
    ),
    Mutation(
        "the check of an album that changes hands misses the owner",
        'WHERE o."userId" IS DISTINCT FROM c.owner',
        "WHERE false",
        "tests/test_hand_over.py -k 'wrong_roles and back'",
    ),
    Mutation(
        "the check of an album that changes hands misses the source",
        "OR s.role::text IS DISTINCT FROM c.source_role",
        "",
        "tests/test_hand_over.py -k 'wrong_roles and source'",
    ),
    Mutation(
        "the check of an album that changes hands misses the destination",
        "OR d.role::text IS DISTINCT FROM c.destination_role",
        "",
        "tests/test_hand_over.py -k 'wrong_roles and shared'",
    ),
    Mutation(
        "the check of what is written to albums is missing",
        'WHERE j."table" = \'album\' AND j.id = v_album.id)\n              AND "writtenBy" = pg_current_xact_id()::xid',
        "WHERE j.\"table\" = 'album' AND j.id = v_album.id)\n              AND false",
        "tests/test_invariants.py -k 'violation and album and renamed'",
    ),
    Mutation(
        "the check of what is written to members is missing",
        "FROM journal WHERE \"table\" = 'album_user' AND (",
        "FROM journal WHERE false AND (",
        "tests/test_invariants.py -k 'step_may_not'",
    ),
    Mutation(
        "the check of photos put into albums is missing",
        "FROM journal WHERE \"table\" = 'album_asset' AND NOT EXISTS (",
        "FROM journal WHERE false AND NOT EXISTS (",
        "tests/test_invariants.py -k 'step_may_not'",
    ),
    Mutation(
        "the check of comments is missing",
        "WHERE j.\"table\" = 'activity' AND NOT EXISTS (",
        "WHERE false AND NOT EXISTS (",
        "tests/test_invariants.py -k 'step_may_not'",
    ),
    Mutation(
        "the check of rows that come and go is missing",
        "WHERE \"table\" IN ('asset', 'asset_face', 'face_search', 'activity')",
        "WHERE \"table\" IN ('activity')",
        "tests/test_invariants.py -k 'step_may_not'",
    ),
    Mutation(
        "rows that go are not counted",
        "and (table, kind) not in BY_TRIGGERS",
        "and (table, kind) not in BY_TRIGGERS and kind != 'removed'",
        "tests/test_invariants.py -k 'neighbour_that_goes or (violation and (vector or without or leaves or member))'",
    ),
    Mutation(
        "rows that come are not counted",
        "and (table, kind) not in BY_TRIGGERS",
        "and (table, kind) not in BY_TRIGGERS and kind != 'made'",
        "tests/test_invariants.py -k 'violation and added'",
    ),
    Mutation(
        "rows that change are not counted",
        "and (table, kind) not in BY_TRIGGERS",
        "and (table, kind) not in BY_TRIGGERS and kind != 'changed'",
        "tests/test_invariants.py -k 'violation and (taken or membership or comment)'",
    ),
    Mutation(
        "rows that a change has missed are not counted",
        """        _written(count, written, table)\n""",
        "",
        "tests/test_invariants.py -k 'not_written'",
    ),
    Mutation(
        "rows that a removal has missed are not counted",
        '_written(count, run(tx, f"DELETE FROM v_{table} t USING target WHERE {_same(key)}"), table)',
        'run(tx, f"DELETE FROM v_{table} t USING target WHERE {_same(key)}")',
        "tests/test_invariants.py -k 'not_written'",
    ),
    Mutation(
        "nobody looks again after the commit",
        "return replace(report, wrong_after=total)",
        "return replace(report, wrong_after=0)",
        "tests/test_meanwhile.py -k recognition_writes",
    ),
    Mutation(
        "an unknown link is accepted unasked",
        "links = sorted(set(tx.schema.unknown_links) - how.accepted_links)",
        "links = []",
        "tests/test_unknown_links.py -k dry_run_is_allowed",
    ),
    Mutation(
        "what an administrator's key lacks is told one after the other",
        "if is_admin is None and by_admins:",
        "if False:",
        "tests/test_start.py -k lacks_is_named_at_once",
    ),
    # -- COMMIT and the undo file
    Mutation(
        "a dry run is committed",
        """\
            if how.dry_run:
                connection.rollback()
""",
        """\
            if False:
                connection.rollback()
""",
        "tests/test_dry_run.py -k two_dry_runs",
    ),
    Mutation(
        "a server that goes in COMMIT is believed to have rolled back",
        'if code is not None and not code.startswith(("57P", "08")):',
        "if code is not None:",
        "tests/test_failing.py -k goes_while_it_commits",
    ),
    Mutation(
        "a connection lost in COMMIT is believed to have rolled back",
        "if code is not None and not code.startswith",
        "if code is None or not code.startswith",
        "tests/test_failing.py -k lost_during_commit",
    ),
    Mutation(
        "a file of a COMMIT that is not known of is removed",
        "if not committed and not isinstance(error, CommitUnknown):",
        "if not committed:",
        "tests/test_killed.py -k answer_was_lost",
    ),
    Mutation(
        "the undo file is not flushed",
        """\
            raw.flush()
            os.fsync(raw.fileno())
""",
        """            raw.flush()\n""",
        "tests/test_journal.py -k complete_on_disk",
    ),
    Mutation(
        "the folder of undo files is not flushed",
        """\
        _sync_folder(folder)
    except OSError""",
        "    except OSError",
        "tests/test_journal.py -k complete_on_disk",
    ),
    Mutation(
        "the undo file counts as committed before COMMIT",
        """saved = save(tx, report) if save else ()\n""",
        """\
saved = save(tx, report) if save else ()
            if saved and saved[0].name.endswith(PENDING):
                saved = [saved[0].rename(saved[0].with_name(saved[0].name.removesuffix(PENDING) + COMMITTED))]
""",
        "tests/test_journal.py -k complete_on_disk",
    ),
    Mutation(
        "the undo file stays pending after COMMIT",
        "name_file(path, committed=True)\n    except",
        "pass\n    except",
        "tests/test_journal.py -k complete_on_disk",
    ),
    Mutation(
        "a damaged undo file is used",
        'if json.loads(last) != {"sha256": digest.hexdigest()}:',
        "if False:",
        "tests/test_journal.py -k 'flipped_bit or damaged_file'",
    ),
    Mutation(
        "an absent row says that a run is there",
        "WHERE kind <> 'removed' OR photo IN (SELECT id FROM v_asset)",
        "",
        "tests/test_journal.py -k another_immich",
    ),
    Mutation(
        "a run is looked at while its transaction is under way",
        "elif pending and not at_rest:",
        "elif False:",
        "tests/test_journal.py -k not_heard_of",
    ),
    Mutation(
        "what an undo had to leave cannot be taken back later",
        "if not how.dry_run and not something_stayed(report):",
        "if not how.dry_run:",
        "tests/test_journal.py -k goes_on",
    ),
    # -- undo: which files, which place
    Mutation(
        "a file of a newer version is used",
        'if header["format"] != JOURNAL_FORMAT:',
        "if False:",
        "tests/test_journal.py -k newer_version",
    ),
    Mutation(
        "a strange header is believed",
        """    if not whole:\n""",
        """    if False:\n""",
        "tests/test_journal.py -k strange_header",
    ),
    Mutation(
        "a run of before an upgrade is undone",
        'if list(header["models"]) != [tx.schema.person_groups, tx.schema.album_owner_rows]:',
        "if False:",
        "tests/test_undo.py -k after_an_upgrade",
    ),
    Mutation(
        "photos go back to an account that was deleted",
        "if user and not rows(tx,",
        "if False and not rows(tx,",
        "tests/test_undo_later_changes.py -k without_one_of_the_two",
    ),
    # -- undo: what goes back
    Mutation(
        "what somebody changed since is put back",
        "SELECT * FROM judged WHERE unchanged AND (photo",
        "SELECT * FROM judged WHERE (photo",
        "tests/test_undo_later_changes.py -k 'given_to_another_person or taken_from_its_person'",
    ),
    Mutation(
        "what hangs on a photo that does not go back is put back",
        "SELECT * FROM judged WHERE unchanged AND (photo IS NULL OR photo IN (SELECT id FROM home));",
        "SELECT * FROM judged WHERE unchanged;",
        "tests/test_undo_later_changes.py -k came_home_in_another_way",
    ),
    Mutation(
        "a photo gets into a memory that is somebody else's",
        '"memory_asset": ("h", held_by_its_owner("memory")),',
        '"memory_asset": ("h", "true"),',
        "tests/test_undo_later_changes.py -k 'memory'",
    ),
    Mutation(
        "a photo gets into a link that is somebody else's",
        '"shared_link_asset": ("h", held_by_its_owner("link")),',
        '"shared_link_asset": ("h", "true"),',
        "tests/test_undo_later_changes.py -k 'link'",
    ),
    Mutation(
        "a tag that was taken off since comes back",
        """JOIN v_tag_asset ta ON ta."assetId" = h."assetId" AND ta."tagId" = now.id WHERE t.id = h."tagId")\n""",
        """WHERE t.id = h."tagId")\n""",
        "tests/test_undo_cases.py -k 'taken_off_since'",
    ),
    Mutation(
        "nobody is spared by an undo",
        "WHERE p.\"ownerId\" = %(giver)s\n          AND (p.name <> '' OR k.key IN (",
        "WHERE false\n          AND (p.name <> '' OR k.key IN (",
        "tests/test_undo_later_changes.py -k 'person'",
    ),
    Mutation(
        "a person of the run that somebody changed is removed",
        "FROM made_person WHERE NOT changed AND NOT in_use'",
        "FROM made_person WHERE NOT in_use'",
        "tests/test_undo_later_changes.py -k 'somebody_changed_stays'",
    ),
    Mutation(
        "a person of the run that is on other photos is removed",
        "FROM made_person WHERE NOT changed AND NOT in_use'",
        "FROM made_person WHERE NOT changed'",
        "tests/test_undo_later_changes.py -k 'new_photo_of_a_person'",
    ),
    Mutation(
        "a tag of the run that somebody changed is removed",
        "SELECT m.id FROM tag_made m WHERE m.unchanged AND NOT m.used AND NOT EXISTS (",
        "SELECT m.id FROM tag_made m WHERE NOT m.used AND NOT EXISTS (",
        "tests/test_undo_later_changes.py -k 'recoloured'",
    ),
    Mutation(
        "a tag of the run that is used is removed",
        "SELECT m.id FROM tag_made m WHERE m.unchanged AND NOT m.used AND NOT EXISTS (",
        "SELECT m.id FROM tag_made m WHERE m.unchanged AND NOT EXISTS (",
        "tests/test_undo_later_changes.py -k 'used_elsewhere'",
    ),
    Mutation(
        "an album goes back that is somebody else's by now",
        "WHERE coalesce(h.unchanged, r.unchanged",
        "WHERE coalesce(true, r.unchanged",
        "tests/test_hand_over.py -k handed_on_since",
    ),
    Mutation(
        "a photo goes back that is uploaded again",
        "UPDATE verdict SET reason = 'again' WHERE reason",
        "UPDATE verdict SET reason = NULL WHERE reason",
        "tests/test_undo_later_changes.py -k 'uploaded_again'",
    ),
    Mutation(
        "a photo that stayed and is somebody else's by now counts as home",
        """JOIN past_owner o ON o.id = a.id AND o.owner = a."ownerId"\n""",
        """JOIN past_owner o ON o.id = a.id\n""",
        "tests/test_undo_later_changes.py -k handed_on_since_is_left_alone",
    ),
    Mutation(
        "what was wrong before is exempt whoever it belongs to now",
        'AND x.owner IS NOT DISTINCT FROM {rule.owner})"""',
        ')"""',
        "tests/test_undo_cases.py -k link_that_is_somebody_elses_by_now",
    ),
    Mutation(
        "a face is as wrong as before with whoever has its person now",
        "DELETE FROM exempt x WHERE x.kind = 'face' AND EXISTS (",
        "DELETE FROM exempt x WHERE false AND EXISTS (",
        "tests/test_undo_cases.py -k 'repair_undone_without'",
    ),
    Mutation(
        "a stack gets a photo on top that is no member",
        '(SELECT coalesce((SELECT k.stack FROM member_back k WHERE k.id = a.id), a."stackId")) = s.id',
        "true",
        "tests/test_undo_cases.py -k former_top",
    ),
    Mutation(
        "an undo tears a stack",
        "UPDATE verdict v SET reason = 'stacked'\n        WHERE v.reason IS NULL",
        "UPDATE verdict v SET reason = 'stacked'\n        WHERE false",
        "tests/test_undo_later_changes.py -k 'another_photo_since_stays_whole'",
    ),
    Mutation(
        "what the run stacked was stacked by somebody since",
        """WHERE "table" = 'asset' AND columns = 'stackId' AND after ->> 'stackId' IS NOT NULL""",
        """WHERE "table" = 'asset' AND columns = 'stackId' AND after ->> 'stackId' = ''""",
        "tests/test_undo_cases.py -k torn_before",
    ),
    Mutation(
        "a stack that was torn before is judged by its present owner",
        "AND b.kind = 'changed' AND b.before ? 'ownerId'",
        "AND b.kind = 'none' AND b.before ? 'ownerId'",
        "tests/test_undo_cases.py -k torn_before",
    ),
    Mutation(
        "the journal does not say which duplicates were in the trash",
        """WHERE a."duplicateId" IS NOT NULL AND a."deletedAt" IS NOT NULL""",
        "WHERE false",
        "tests/test_undo_cases.py -k duplicate_in_the_trash",
    ),
    Mutation(
        "an undo tears a live photo",
        "UPDATE verdict v SET reason = 'together'\n        WHERE v.reason IS NULL",
        "UPDATE verdict v SET reason = 'together'\n        WHERE false",
        "tests/test_undo_later_changes.py -k half_of_a_live_photo",
    ),
    # -- files
    Mutation(
        "a row that a job changed gets the new path all the same",
        """AND t."{column}" = m.old""",
        "",
        "tests/test_move_files.py -k a_row_that_a_job_changed",
    ),
    Mutation(
        "a file that was written anew before the commit is moved",
        "said[index] == len(move.uses) and _is_unchanged(media, move, known)",
        "said[index] == len(move.uses)",
        "tests/test_move_files.py -k written_anew_before",
    ),
    Mutation(
        "a file of two owners moves",
        """whys = ["shared"] * (len({row[4] for row in using}) > 1)""",
        "whys: list[str] = []",
        "tests/test_move_files.py -k cannot_move",
    ),
    Mutation(
        "a file of an external library moves",
        """CASE WHEN f.external THEN 'external'""",
        """CASE WHEN false THEN 'external'""",
        "tests/test_move_files.py -k cannot_move",
    ),
    Mutation(
        "a file move of Immich's that is unfinished is run over",
        """THEN 'unfinished'
                WHEN""",
        """THEN ''
                WHEN""",
        "tests/test_move_files.py -k cannot_move",
    ),
    Mutation(
        "a symbolic link is followed",
        "follow_symlinks=depth == 1",
        "follow_symlinks=True",
        "tests/test_move_files.py -k cannot_move",
    ),
    Mutation(
        "a name that rows say already is given again",
        "while any(name in used or os.path.lexists(_at(media, name)) for name in names):",
        "while any(os.path.lexists(_at(media, name)) for name in names):",
        "tests/test_move_files.py -k 'taken or numbered'",
    ),
    Mutation(
        "a copy is not read again",
        "if _digest(new) != digest.hexdigest():",
        "if False:",
        "tests/test_move_files.py -k reads_otherwise",
    ),
    Mutation(
        "a copy of an original that rotted is trusted",
        """if move.checksum not in ("", digest.hexdigest()):""",
        "if False:",
        "tests/test_move_files.py -k has_changed_is_not_trusted",
    ),
    Mutation(
        "the folder of another Immich is accepted",
        "if tried and there * 2 < len(tried):",
        "if False:",
        "tests/test_move_files.py -k another_folder",
    ),
    Mutation(
        "a file by an older mount's path lies nowhere",
        "ELSE substr(f.path, strpos('/' || f.path, '/' || substring(f.path FROM %(in_folders)s))) END",
        "ELSE 'x' END",
        "tests/test_move_files.py -k told_as_immich_deletes",
    ),
    Mutation(
        "a move that broke off says that nothing was changed",
        "isinstance(error, (CommitUnknown, MoveStopped))",
        "isinstance(error, CommitUnknown)",
        "tests/test_moving.py -k in_the_menu",
    ),
    Mutation(
        "the files of a database that was restored stay where they moved to",
        "if now and now not in said for pair",
        "if False for pair",
        "tests/test_move_files.py -k follows_a_database",
    ),
    Mutation(
        "what an interrupted move left on the disk stays there",
        "for name, files in reversed(begun.items()):",
        "for name, files in ():",
        "tests/test_move_files.py -k killed_at_every_step",
    ),
    Mutation(
        "the second file of an interrupted copy is kept by its beginning",
        "_begins_as(_at(media, keep), _at(media, drop))",
        "True",
        "tests/test_move_files.py -k written_anew_after",
    ),
    Mutation(
        "files in use stay on Immich's report of untracked ones until the end",
        'return run(tx, f"DELETE {reported} AND path = ANY (%(paths)s)", paths=paths)',
        "return 0",
        "tests/test_move_files.py -k one_transaction",
    ),
    Mutation(
        "files that went missing in a move are no alarm",
        "if missing > before:",
        "if False:",
        "tests/test_moving.py -k alarm",
    ),
    # -- the connection
    Mutation(
        "what a transaction made is left to whoever gets the connection next",
        "            drop_temporary(tx)\n",
        "",
        "tests/test_pooler.py -k one_transaction",
    ),
    Mutation(
        "settings outlive their transaction",
        "NOT %s)\n        FROM pg_settings s",
        "NOT (%s OR true))\n        FROM pg_settings s",
        "tests/test_pooler.py -k one_transaction",
    ),
    Mutation(
        "what was told as done need not be on the disk",
        "WHEN 'synchronous_commit' THEN s.setting = 'off'",
        "WHEN 'synchronous_commit' THEN false",
        "tests/test_database_errors.py -k relies",
    ),
    Mutation(
        "a netrc is sent to Immich",
        "    session.auth = lambda request: request",
        "    pass",
        "tests/test_rest.py -k netrc",
    ),
    # -- endings
    Mutation(
        "what was pasted answers the last question",
        "termios.tcflush(sys.stdin, termios.TCIFLUSH)",
        "pass",
        "tests/test_endings.py -k pasted",
    ),
    Mutation(
        "answers from a pipe make a change",
        "if not sys.stdin.isatty() and not os.environ.get(ANSWERS_FROM_PIPE):",
        "if False:",
        "tests/test_endings.py -k from_a_pipe_change_nothing",
    ),
    # -- what Immich does itself
    Mutation(
        "a backup that is empty counts",
        "if size > 0 and before.get(name) != size",
        "if before.get(name) != size",
        "tests/test_jobs.py -k empty_backup",
    ),
    Mutation(
        "a backup of yesterday counts",
        "if size > 0 and before.get(name) != size",
        "if size > 0",
        "tests/test_jobs.py -k is_proven",
    ),
    Mutation(
        "a backup whose job failed counts",
        "if waited or queue.failed > (queues or {}).get(BACKUP_QUEUE, Queue()).failed:",
        "if waited:",
        "tests/test_jobs.py -k is_proven",
    ),
    Mutation(
        "jobs count as done when their queue is empty once",
        "    while idle < 2:",
        "    while idle < 1:",
        "tests/test_jobs.py -k idle_twice",
    ),
    # -- the old account
    Mutation(
        "account: files in its folders are overlooked",
        "WHERE owner <> %(user)s AND (holder = %(user)s OR holder IS NULL);",
        "WHERE owner <> %(user)s AND holder IS NULL;",
        "tests/test_account.py -k really_go",
    ),
    Mutation(
        "account: photos of others in its library are taken for its own",
        "SELECT name FROM doomed_asset WHERE owner <> %(user)s",
        "SELECT name FROM doomed_asset WHERE owner <> %(user)s AND false",
        "tests/test_account.py -k her-library",
    ),
    Mutation(
        "account: what breaks for others is no reason against it",
        "return not (self.of(BREAKS) or self.of(LOST_WITH_IT))",
        "return not self.of(LOST_WITH_IT)",
        "tests/test_account.py -k really_go",
    ),
    Mutation(
        "account: what is lost with it is no reason against it",
        "return not (self.of(BREAKS) or self.of(LOST_WITH_IT))",
        "return not self.of(BREAKS)",
        "tests/test_account.py -k trashed",
    ),
    Mutation(
        "account: people whom only it knows are overlooked in a common group",
        """SELECT p."personGroupId" FROM v_person p WHERE p."ownerId" = %(user)s AND NOT EXISTS (""",
        """SELECT p."personGroupId" FROM v_person p WHERE false AND NOT EXISTS (""",
        "tests/test_account.py -k common-group",
    ),
    Mutation(
        "account: a copy in the trash counts as a copy",
        """bool_or("deletedAt" IS NULL AND status = 'active') AS there""",
        """true AS there""",
        "tests/test_account.py -k his-trash",
    ),
    Mutation(
        "account: half of a live photo is to be handed over for ever",
        "UPDATE doomed_asset d SET state = 'half'",
        "UPDATE doomed_asset d SET state = state",
        "tests/test_account.py -k half",
    ),
    Mutation(
        "account: a link that an album has left behind stays with everything",
        """WHERE l."userId" = %(giver)s AND %(everything)s""",
        """WHERE false""",
        "tests/test_account.py -k his-album",
    ),
    Mutation(
        "account: a photo in a library of the destination's does not come back to it",
        """AND e."ownerId" IS DISTINCT FROM %(taker)s THEN 'external'""",
        """THEN 'external'""",
        "tests/test_account.py -k his-library",
    ),
    Mutation(
        "account: a library is not given to whom its photos are",
        """FILTER (WHERE a."ownerId" NOT IN (l."ownerId", %(taker)s))""",
        """FILTER (WHERE a."ownerId" <> l."ownerId")""",
        "tests/test_account.py -k her-library",
    ),
    Mutation(
        "account: in a common group a repair takes the person of whom has photos left",
        """f."personGroupId" = p."personGroupId" AND a."ownerId" = p."ownerId") THEN 1""",
        """f."personGroupId" = p."personGroupId" AND a."ownerId" = p."ownerId") THEN -1""",
        "tests/test_mending.py -k one_cluster_group",
    ),
    Mutation(
        "account: foreign keys that nobody knows are overlooked",
        '"unknown": list(tx.schema.unknown_links)',
        '"unknown": []',
        "tests/test_account.py -k nobody_knows",
    ),
    Mutation(
        "the analysis counts items that the album does not show",
        """AND a."deletedAt" IS NULL AND a.visibility IN ('timeline', 'archive') END""",
        """END""",
        "tests/test_smoke.py -k everything_in_it",
    ),
    Mutation(
        "undo: who goes back is told as removed, too",
        """WHERE grp NOT IN (SELECT grp FROM back) AND NOT EXISTS (""",
        """WHERE NOT EXISTS (""",
        "tests/test_smoke.py -k everything_in_it",
    ),
    Mutation(
        "undo: whom both knew before the run is told as going back",
        "SELECT grp FROM past_person WHERE owner = %(giver)s\n",
        "SELECT grp FROM past_person WHERE false\n",
        "tests/test_undo_cases.py -k whom_both_knew",
    ),
    # -- what stands before and after a run
    Mutation(
        "people are remembered one way only",
        "pairs |= {target: person for person, target in made.items()}",
        "pass",
        "tests/test_remembered_people.py -k come_back",
    ),
    Mutation(
        "others' photos keep a person with a source that has none",
        "CASE WHEN same_cluster OR others_have_row THEN",
        "CASE WHEN same_cluster THEN",
        "tests/test_cluster_groups.py -k whom_others_have",
    ),
    Mutation(
        "a person who was shared with the destination is there twice",
        """AND s."sharedById" IS DISTINCT FROM p.holder)""",
        """AND s."sharedById" IS DISTINCT FROM p.leaver)""",
        "tests/test_cluster_groups.py -k shared_with_the_destination",
    ),
    Mutation(
        "the name that the destination gave a shared person is lost",
        "coalesce(nullif(o.name, ''), p.name)",
        "p.name",
        "tests/test_cluster_groups.py -k shared_with_the_destination",
    ),
    Mutation(
        "Enter for the menu takes what was typed early",
        """        forget_typed()
        with contextlib.suppress(KeyboardInterrupt):
            read_line(""",
        """        with contextlib.suppress(KeyboardInterrupt):
            read_line(""",
        "tests/test_terminal.py tests/test_paging.py -k 'result or early'",
    ),
    Mutation(
        "the page does not escape names",
        "html.escape(clean(text), quote=True)",
        "clean(text)",
        "tests/test_page.py",
    ),
)


# ---- the command ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of one change. `word` is "noticed", "SURVIVED", or what is wrong with the entry itself."""

    word: str
    seconds: float
    why: str = ""


def misfits(source: str) -> Iterator[str]:
    """The entries that no longer fit transfer.py, with the reason."""
    for mutation in MUTATIONS:
        if (count := source.count(mutation.old)) != 1:
            yield f"{mutation.name}: its text is in transfer.py {count} times"
        elif mutation.new == mutation.old:
            yield f"{mutation.name}: changes nothing"
    names = [mutation.name for mutation in MUTATIONS]
    yield from sorted({f"{name}: two have that name" for name in names if names.count(name) > 1})


def copy_project(folder: Path) -> Path:
    """A copy of the project, to be changed."""
    return Path(shutil.copytree(PROJECT, folder / "project", ignore=shutil.ignore_patterns(*LEFT_OUT)))


def run_tests(copy: Path, source: str, tests: str, dsn: str) -> tuple[int | None, str]:
    """Run tests in the copy with that transfer.py: pytest's exit code, None if it did not end, and what it printed."""
    (copy / "transfer.py").write_text(source)
    for compiled in copy.glob("__pycache__/transfer.*"):
        compiled.unlink()  # Python goes by the second and the size
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *shlex.split(tests)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IMMICH_TRANSFER_")}
    process = subprocess.Popen(
        command,
        cwd=copy,
        env=environment | {postgres.DSN_VARIABLE: dsn, "IMMICH_TRANSFER_TEST_EVERYTHING": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        printed, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, printed
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        process.kill()
        process.wait()


def judged(code: int | None, printed: str) -> tuple[str, str]:
    """The word for a run, and the line that explains it."""
    lines = [line for line in printed.splitlines() if line.startswith(("FAILED", "ERROR"))] or printed.splitlines()[-1:]
    why = lines[0] if lines else ""
    if code == 0:
        return "SURVIVED", ""
    if code is None:
        return "DID NOT END", f"in {PATIENCE} seconds"
    if code != 1 or "ERROR" in why[:5]:
        return "NO TEST RAN", why
    if found := NONSENSE.search(printed):
        return "NONSENSE", found.group()
    return "noticed", why


def tried(copy: Path, source: str, mutation: Mutation, dsn: str) -> Outcome:
    """Make one change and run its tests."""
    begun = time.monotonic()
    word, why = judged(*run_tests(copy, source.replace(mutation.old, mutation.new), mutation.tests, dsn))
    return Outcome(word, time.monotonic() - begun, why)


def server_dsn() -> str:
    """Where all runs find their server."""
    server = postgres.server()
    return make_dsn(
        host=server.host, port=server.port, user=server.user, password=server.password, dbname=server.maintenance
    )


def checked(copy: Path, source: str, wanted: list[Mutation], dsn: str) -> list[str]:
    """Run the named tests without any change; those that fail, or that are none."""
    failing = []
    for tests in dict.fromkeys(mutation.tests for mutation in wanted):
        code, printed = run_tests(copy, source, tests, dsn)
        if code != 0:
            failing.append(f"{tests}: {judged(code, printed)[1]}")
            print(f"fails unchanged  {failing[-1]}", flush=True)
    return failing


def main(arguments: list[str] | None = None) -> int:
    """0 if every change was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only changes with one of these words in their name")
    parser.add_argument("--list", action="store_true", help="only print the names")
    parser.add_argument("--why", action="store_true", help="print which test noticed")
    parser.add_argument("--check", action="store_true", help="first run the named tests without any change")
    options = parser.parse_args(arguments)
    wanted = [m for m in MUTATIONS if not options.words or any(word in m.name for word in options.words)]
    source = (PROJECT / "transfer.py").read_text()
    if wrong := list(misfits(source)):
        print(*wrong, sep="\n")
        return 1
    if options.list:
        print(*(mutation.name for mutation in wanted), sep="\n")
        return 0
    begun, dsn, bad = time.monotonic(), server_dsn(), []
    with tempfile.TemporaryDirectory(prefix="immich-transfer-mutations-") as folder:
        copy = copy_project(Path(folder))
        if options.check and checked(copy, source, wanted, dsn):
            return 1
        for mutation in wanted:
            outcome = tried(copy, source, mutation, dsn)
            noticed = outcome.word == "noticed"
            print(f"{outcome.word:11} {outcome.seconds:5.1f} s  {mutation.name}", flush=True)
            if outcome.why and (options.why or not noticed):
                print(f"{'':21}{outcome.why}", flush=True)
            if not noticed:
                bad.append(f"{outcome.word}: {mutation.name}")
    print(f"{len(wanted) - len(bad)} of {len(wanted)} changes noticed in {time.monotonic() - begun:.0f} s")
    print(*bad, sep="\n", end="\n" if bad else "")
    return 1 if bad or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
